from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.sequences.aligned import Times
from model.sequences.documents import (
    ABSENT,
    MARKERS,
    Condition,
    Document,
    canvas,
    document,
    whole_canvas,
)
from model.sequences.heads import codebook_of_all, group_columns, head_of_all, num_heads
from model.sequences.spelled import length_document, text_document
from model.sequences.tokenizer import Tokenizer
from stages.errors import UsageError

K, V = 4, 50
TOKENIZER = Tokenizer.default(K)


@given(st.integers(0, K - 1), st.integers(0, 9), st.integers(1, 12), st.text("abˈ", max_size=6))
def test_layout(level: int, prompt_frames: int, frames: int, phonemes: str) -> None:
    rng = np.random.default_rng(frames)
    prompt_KP = rng.integers(0, V, (K, prompt_frames)).astype(np.uint8)
    response_KT = rng.integers(0, V, (K, frames)).astype(np.uint8)
    item = document(TOKENIZER, Condition(phonemes, "de", prompt_KP), response_KT, level, V)

    text = len(phonemes) + 3
    assert len(item) == MARKERS + len(phonemes) + prompt_frames + frames
    names = [TOKENIZER.tokens[number] for number in item.tokens_L]
    assert names[:text] == ["<tts>", "<de>", *phonemes, "<end>"]
    assert names[text:] == ["<prompt>"] * (1 + prompt_frames) + [f"<level {level}>"] * (1 + frames)
    assert item.positions_L.tolist() == [*range(text), *range(1 + prompt_frames), *range(1 + frames)]

    response = text + 1 + prompt_frames
    assert (item.codes_LK[text + 1 : response] == prompt_KP.T).all()
    shown = max(level, 1)
    assert (item.codes_LK[response + 1 :, :shown] == response_KT[:shown].T).all()
    assert (item.codes_LK[response + 1 :, shown:] == ABSENT).all(), "a codebook that is predicted must not be shown"
    assert (item.codes_LK[[*range(text + 1), response]] == ABSENT).all()

    at = item.rows_M
    assert (item.head, item.causal) == (level, level == 0)
    if level == 0:
        assert at.tolist() == list(range(response, len(item)))
        assert item.targets_M.tolist() == [*response_KT[0], V]
    else:
        assert at.tolist() == list(range(response + 1, len(item)))
        assert item.targets_M.tolist() == response_KT[level].tolist()


PACED = TOKENIZER.paced({"a": 6.0, "b": 2.0, "": 4.0})
"""A text begins 2 frames after its speech, and ends 2 before it."""


@pytest.mark.parametrize(("frames", "by"), [(20, 1.0), (40, 2.0), (10, 0.5)])
def test_a_measured_text_lies_where_it_is_said(frames: int, by: float) -> None:
    condition = Condition("abba", "de", np.zeros((K, 3), np.uint8))
    response_KT = np.zeros((K, frames), np.uint8)
    masked = np.ones((K, frames), bool)
    middles = [2 + 3, 2 + 6 + 1, 2 + 8 + 1, 2 + 10 + 3, 2 + 16]  # of a, b, b, a, and the end
    for item in (
        document(PACED, condition, response_KT, 2, V),
        canvas(PACED, condition, response_KT[0], masked[0]),
        whole_canvas(PACED, condition, response_KT, masked, masked),
    ):
        assert item.positions_L[:7].tolist() == [-2, -1, *(int(at * by) for at in middles)]
        assert item.positions_L[7:].tolist() == [*range(4), *range(1 + frames)]
    assert document(PACED, condition, response_KT, 0, V).positions_L[:7].tolist() == [-2, -1, *middles]
    assert document(PACED, condition, response_KT, 0, V, group=2).positions_L[2:7].tolist() == [
        at // 2 for at in middles
    ]
    continued = document(PACED, replace(condition, task="tts-c"), response_KT, 0, V)
    assert continued.positions_L[2:7].tolist() == [at - 3 for at in middles], "it begins with the prompt"
    assert length_document(PACED, condition, [], ended=False).positions_L[:7].tolist() == [*range(7)]


def test_frames_of_a_known_length_are_told_what_they_say() -> None:
    """As many as a symbol usually takes, or those that are known; not where nobody knows the length."""
    paced = PACED.spaced(0.0, names_said=True)
    a, b, none = *paced.encode("ab"), paced.end
    condition, response_KT = Condition("abba", "de", np.zeros((K, 3), np.uint8)), np.zeros((K, 10), np.uint8)
    masked = np.ones((K, 10), bool)

    def said(item: Document) -> list[int]:
        return item.codes_LK[-11:, K].tolist()

    def laid_out(condition: Condition) -> list[Document]:
        return [
            document(paced, condition, response_KT, 2, V),
            canvas(paced, condition, response_KT[0], masked[0]),
            whole_canvas(paced, condition, response_KT, masked, masked),
        ]

    for item in laid_out(condition):  # half of 2, 6, 2, 2, 6, 2 frames
        assert said(item) == [ABSENT, none, a, a, a, b, b, a, a, a, none]
        assert (item.codes_LK[:-10, K] == ABSENT).all()
    for item in laid_out(replace(condition, times=Times(1, (2, 0, 1, 3), 3))):
        assert said(item) == [ABSENT, none, a, a, b, a, a, a, none, none, none]
        assert item.positions_L[2:7].tolist() == [2, 3, 3, 5, 7]
    for item in laid_out(replace(condition, task="tts-c", times=Times(2, (4, 1, 1, 4), 1))):
        assert said(item) == [ABSENT, a, a, a, b, b, a, a, a, a, none], "the prompt says the first three"
    for item in laid_out(condition.dropped()):
        assert item.codes_LK.shape[1] == K


def test_frames_drawn_one_by_one_are_told_what_they_will_say() -> None:
    """By the times of the text as they are, since nobody knows the length; what is begun with keeps its own pace."""
    paced = PACED.spaced(0.0, names_said=True)
    a, b, none = *paced.encode("ab"), paced.end
    condition, nothing_KT = Condition("abba", "de", np.zeros((K, 3), np.uint8)), np.zeros((K, 0), np.uint8)
    usual = [none] * 2 + [a] * 6 + [b] * 4 + [a] * 6 + [none] * 2
    for frames in (0, 1, 20, 23):
        item = document(paced, condition, np.zeros((K, frames), np.uint8), 0, V)
        assert item.said_T.tolist() == usual
        assert item.codes_LK[item.before - 1 :, K].tolist() == (usual + [none] * 9)[: frames + 1]
        assert (item.codes_LK[: item.before - 1, K] == ABSENT).all()
    known = document(paced, replace(condition, times=Times(2, (4, 1, 1, 4), 1)), nothing_KT, 0, V)
    assert known.said_T.tolist() == [none] * 2 + [a] * 4 + [b] * 2 + [a] * 4 + [none]
    assert known.positions_L[2:7].tolist() == [4, 6, 7, 10, 12]
    begun = replace(condition, begun_KT=np.zeros((K, 5), np.uint8), unsaid="ba")
    slow = [none] + [a] * 3 + [b] + [b] * 2 + [a] * 6 + [none] * 2
    assert document(paced, begun, begun.begun(), 0, V).said_T.tolist() == slow, "ten frames of it were said in five"
    for level, masks in ((0, nothing_KT), (1, np.zeros((K, 20), np.uint8))):
        item = document(paced, replace(condition, task="tts-c", unsaid="ba"), masks, level, V)
        said = item.said_T.tolist() if level == 0 else item.codes_LK[-20:, K].tolist()
        assert said == [*[b] * 2, *[a] * 6, *[none] * 2] if level == 0 else [*[b] * 4, *[a] * 12, *[none] * 4]
    dropped = document(paced, condition.dropped(), nothing_KT, 0, V)
    assert not len(dropped.said_T)
    assert dropped.codes_LK.shape[1] == K


def test_what_goes_on_keeps_its_times() -> None:
    """Of a response drawn frame by frame, the other codebooks are drawn by the same times, however much is known."""
    paced = PACED.spaced(0.0, names_said=True)
    condition = Condition("abba", "de", np.zeros((K, 3), np.uint8), goes_on=True)
    drawn = document(paced, condition, np.zeros((K, 0), np.uint8), 0, V)
    for frames in (5, 20, 23):
        item = document(paced, condition, np.zeros((K, frames), np.uint8), 1, V)
        assert item.positions_L[2:7].tolist() == drawn.positions_L[2:7].tolist()
        assert item.codes_LK[-frames:, K].tolist() == [*drawn.said_T, *[paced.end] * 9][:frames]


def test_a_spaced_text_is_spread_over_a_known_length() -> None:
    condition, response_KT = Condition("abba", "de", np.zeros((K, 3), np.uint8)), np.zeros((K, 20), np.uint8)
    spaced = TOKENIZER.spaced(3.0)
    assert document(spaced, condition, response_KT, 0, V).positions_L[2:7].tolist() == [1, 4, 7, 10, 12]
    assert document(spaced, condition, response_KT, 1, V).positions_L[2:7].tolist() == [2, 7, 12, 17, 20]


@given(st.integers(1, 40), st.integers(0, 90), st.sampled_from([1, 2, 4]))
def test_each_frame_of_a_response_is_at_a_phoneme(frames: int, count: int, group: int) -> None:
    condition = Condition("a" * count, "de", np.zeros((K, 3), np.uint8))
    response_KT = np.ones((K, frames), np.uint8)
    masked = np.ones((K, frames), bool)
    for item, positions, size in [
        (document(TOKENIZER, condition, response_KT, 0, V, group=group), -(-frames // group), 0),
        (document(TOKENIZER, condition, response_KT, 1, V), frames, 1),
    ]:
        place = item.aligned
        if not count or 2 * positions < count - 1:
            assert place.phonemes == 0, "no path passes over so many phonemes"
            continue
        assert names(item)[place.text : place.text + place.phonemes] == ["a"] * count
        assert (place.first, place.positions) == (2 + count + 1 + 1 + 3 + size, positions)
        assert place.first + place.positions <= len(item)
    for item in (
        canvas(TOKENIZER, condition, response_KT[0], masked[0]),
        whole_canvas(TOKENIZER, condition, response_KT, masked, masked),
    ):
        assert item.aligned.phonemes == 0, "what isn't said yet can't be followed"
    continued = replace(condition, task="tts-c")
    assert document(TOKENIZER, continued, response_KT, 0, V).aligned.phonemes == 0, "its text is the prompt's too"


def names(item: Document) -> list[str]:
    return [TOKENIZER.tokens[number] for number in item.tokens_L]


def test_a_canvas_shows_what_is_known_and_asks_for_the_rest() -> None:
    first_T = np.arange(5) + 10
    masked_T = np.array([True, False, True, True, False])
    item = canvas(TOKENIZER, Condition("ab", "de", np.ones((K, 2), np.uint8)), first_T, masked_T)
    assert names(item)[-6:] == ["<canvas>", "<mask>", "<canvas>", "<mask>", "<mask>", "<canvas>"]
    assert item.codes_LK[-5:, 0].tolist() == [ABSENT, 11, ABSENT, ABSENT, 14]
    assert (item.codes_LK[-6:, 1:] == ABSENT).all()
    assert (item.head, item.causal) == (K + 1, False)
    assert item.rows_M.tolist() == [len(item) - 5, len(item) - 3, len(item) - 2]
    assert item.targets_M.tolist() == [10, 12, 13]


def test_a_canvas_of_a_codebook_above_shows_no_other() -> None:
    level, codes_T = K - 1, np.arange(5) + 10
    masked_T = np.array([True, False, True, True, False])
    item = canvas(TOKENIZER, Condition("ab", "de", np.ones((K, 2), np.uint8)), codes_T, masked_T, level)
    hidden = f"<level {level}>"
    assert names(item)[-6:] == [hidden, hidden, "<canvas>", hidden, hidden, "<canvas>"]
    assert item.codes_LK[-5:, level].tolist() == [ABSENT, 11, ABSENT, ABSENT, 14]
    assert (item.codes_LK[-6:, :level] == ABSENT).all()
    assert (item.head, item.causal, item.given) == (level, False, 0)
    assert item.rows_M.tolist() == [len(item) - 5, len(item) - 3, len(item) - 2]
    assert item.targets_M.tolist() == [10, 12, 13]


def test_a_canvas_of_all_codebooks_shows_the_first_ones_first() -> None:
    response_KT = np.arange(K * 4).reshape(K, 4).astype(np.uint16)
    masked_KT = np.zeros((K, 4), bool)
    masked_KT[1, [0, 2]] = True
    masked_KT[2:] = True
    asked_KT = masked_KT.copy()
    asked_KT[2, 1:] = False
    item = whole_canvas(TOKENIZER, Condition("ab", "de", np.ones((K, 2), np.uint8)), response_KT, masked_KT, asked_KT)
    assert names(item)[-5:] == ["<canvas>", "<level 1>", "<level 2>", "<level 1>", "<level 2>"]
    shown_TK = np.where(masked_KT, ABSENT, response_KT.astype(np.int64)).T
    np.testing.assert_array_equal(item.codes_LK[-4:, :K], shown_TK)
    assert not item.causal
    assert item.head == head_of_all(K, 1, 1)
    first = len(item) - 4
    assert (item.rows_M.tolist(), item.targets_M.tolist()) == ([first, first + 2], response_KT[1, [0, 2]].tolist())
    asked = {head: (rows_M.tolist(), targets_M.tolist()) for head, rows_M, targets_M in item.more}
    assert asked.pop(head_of_all(K, 2, 1)) == ([first], [response_KT[2, 0]])
    for codebook in range(3, K):
        assert asked.pop(head_of_all(K, codebook, 1)) == ([*range(first, first + 4)], response_KT[codebook].tolist())
    assert not asked
    before, after = item.split()
    assert item.given == len(before) == len(item) - 5
    assert names(before) + names(after) == names(item)
    assert after.more[0][1].tolist() == [1]


def test_every_head_predicts_one_codebook() -> None:
    for num_codebooks in (1, 2, 8):
        heads = [
            head_of_all(num_codebooks, codebook, level)
            for level in range(num_codebooks)
            for codebook in range(level, num_codebooks)
        ]
        assert set(heads) == set(range(num_codebooks + 2, num_heads(num_codebooks)))
        for level in range(num_codebooks):
            for codebook in range(level, num_codebooks):
                head = head_of_all(num_codebooks, codebook, level)
                assert codebook_of_all(num_codebooks, head) == codebook
        others = [*range(num_codebooks + 2), num_heads(num_codebooks), num_heads(num_codebooks) + 1]
        assert [codebook_of_all(num_codebooks, head) for head in others] == [None] * len(others)


def test_a_length_is_spelled_digit_by_digit_to_its_end() -> None:
    condition = Condition("ab", "de", np.ones((K, 2), np.uint8))
    digits = TOKENIZER.encode("307")
    item = length_document(TOKENIZER, condition, digits, ended=True)
    assert names(item) == ["<len>", "<de>", "a", "b", "<end>", *["<prompt>"] * 3, "<length>", "3", "0", "7"]
    assert (item.head, item.causal) == (K, True)
    assert item.rows_M.tolist() == [8, 9, 10, 11]
    assert item.targets_M.tolist() == [*digits, TOKENIZER.end]
    assert item.positions_L.tolist() == [*range(5), *range(3), *range(4)]
    assert len(length_document(TOKENIZER, condition, digits, ended=False).targets_M) == 3
    continued = length_document(TOKENIZER, replace(condition, task="tts-c"), digits, ended=True)
    assert names(continued) == ["<tts-c>", *names(item)[1:]], "the text covers the prompt, too: another length"


def test_speech_comes_before_its_language_and_phonemes() -> None:
    speech_KT = np.arange(K * 3).reshape(K, 3).astype(np.uint8)
    spoken = [TOKENIZER.language("de"), *TOKENIZER.encode("ab")]
    item = text_document(TOKENIZER, speech_KT, spoken, ended=True)
    assert names(item) == ["<stt>", *["<speech>"] * 4, "<text>", "<de>", "a", "b"]
    assert (item.codes_LK[2:5] == speech_KT.T).all()
    assert (item.codes_LK[[0, 1, 5, 6, 7, 8]] == ABSENT).all()
    assert item.rows_M.tolist() == [5, 6, 7, 8]
    assert item.targets_M.tolist() == [*spoken, TOKENIZER.end]


def test_nothing_is_said_without_text_prompt_and_tone() -> None:
    condition = Condition("ab", "de", np.ones((K, 2), np.uint8), tone="calm")
    item = document(TOKENIZER, condition.dropped(), np.zeros((K, 1), np.uint8), 0, V)
    assert names(item) == ["<tts>", "<de>", "<end>", "<prompt>", "<level 0>", "<level 0>"]
    with pytest.raises(UsageError, match="the model knows none"):
        document(TOKENIZER, condition, np.zeros((K, 1), np.uint8), 0, V)


def test_an_input_stands_before_the_response_and_marks_what_is_replaced() -> None:
    prompt_KP, input_KS = np.ones((K, 2), np.uint8), np.arange(K * 3).reshape(K, 3).astype(np.uint8)
    edit = Condition("ab", "de", prompt_KP[:, :0], "cse", input_KS, np.array([False, True, True]))
    item = document(TOKENIZER, edit, np.zeros((K, 2), np.uint8), 2, V)
    text = ["<cse>", "<de>", "a", "b", "<end>", "<prompt>"]
    assert names(item) == [*text, "<input>", "<input>", "<replace>", "<replace>", *["<level 2>"] * 3]
    assert (item.codes_LK[7:10] == input_KS.T).all()
    assert (item.codes_LK[6] == ABSENT).all()
    assert item.positions_L.tolist() == [*range(5), 0, *range(4), *range(3)]

    wordless = Condition("", "de", prompt_KP, "tse", input_KS)
    item = canvas(TOKENIZER, wordless, np.zeros(1, np.int64), np.ones(1, bool))
    assert names(item) == ["<tse>", "<unk>", "<end>", *["<prompt>"] * 3, *["<input>"] * 4, "<canvas>", "<mask>"]
    item = length_document(TOKENIZER, wordless, TOKENIZER.encode("3"), ended=True)
    assert names(item) == ["<tse>", "<unk>", "<end>", *["<prompt>"] * 3, *["<input>"] * 4, "<length>", "3"]
    assert item.task == "len"
    item = document(TOKENIZER, wordless.dropped(), np.zeros((K, 0), np.uint8), 0, V)
    assert names(item) == ["<tse>", "<unk>", "<end>", "<prompt>", "<input>", "<level 0>"]


def test_a_model_made_before_a_task_says_so() -> None:
    older = Tokenizer([token for token in TOKENIZER.tokens if token not in {"<ns>", "<input>", "<replace>"}])
    speech_KT = np.zeros((K, 2), np.uint8)
    assert len(document(older, Condition("ab", "de", speech_KT), speech_KT, 0, V)) == 11
    with pytest.raises(UsageError, match="`ns`, but its vocabulary has no marker"):
        document(older, Condition("ab", "de", speech_KT, "ns", speech_KT), speech_KT, 0, V)


@given(st.sampled_from([2, 4]), st.integers(0, 13))
def test_frames_in_groups(group: int, frames: int) -> None:
    rng = np.random.default_rng(frames)
    response_KT = rng.integers(0, V, (K, frames)).astype(np.uint8)
    condition = Condition("ab", "de", rng.integers(0, V, (K, 3)).astype(np.uint8))
    single, item = (document(TOKENIZER, condition, response_KT, 0, V, group=g) for g in (1, group))
    before, whole = len(single) - frames, frames // group
    assert len(item) == before + whole
    assert (item.tokens_L == single.tokens_L[: len(item)]).all()
    assert (item.positions_L == single.positions_L[: len(item)]).all()
    assert (item.codes_LK[:before, :K] == single.codes_LK[:before]).all(), "the prompt is shown frame by frame"
    assert (item.codes_LK[:before, K:] == ABSENT).all()

    columns = group_columns(K, group)
    assert columns == {2: [0, K], 4: [0, K, K + 1, K + 2]}[group]
    shown = item.codes_LK[before:]
    assert shown[:, columns].reshape(-1).tolist() == response_KT[0, : whole * group].tolist()
    assert (np.delete(shown, columns, axis=1) == ABSENT).all()

    assert item.rows_M.tolist() == [*range(before - 1, len(item))], "the marker predicts the first group"
    asked = item.targets_M.reshape(-1, group)
    assert len(asked) == len(item.rows_M) == -(-(frames + 1) // group)
    assert item.targets_M[:frames].tolist() == response_KT[0].tolist()
    assert (item.targets_M[frames:] == V).all()
    assert 1 <= len(item.targets_M) - frames <= group


def test_only_codebook_0_comes_in_groups() -> None:
    codes_KT = np.ones((K, 5), np.uint8)
    one, two = (document(TOKENIZER, Condition("ab", "de", codes_KT), codes_KT, 2, V, group=group) for group in (1, 4))
    assert np.array_equal(one.codes_LK, two.codes_LK)
    assert np.array_equal(one.targets_M, two.targets_M)
