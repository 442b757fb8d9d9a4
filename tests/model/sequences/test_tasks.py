"""Tests all tasks in all modes: their documents, and that no draw fails on any dataset."""

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import DataConfig
from model.data.draw import Draw
from model.data.examples import Examples
from model.data.reading import read_document
from model.data.source import content_of
from model.data.stream import every_mode
from model.sequences.documents import Mode
from model.sequences.spans import Span, read_spans
from model.sequences.tasks import DRAWN, TRANSFORMS, Drawn, Transform
from model.sequences.tokenizer import Tokenizer
from model.training.trainer import train
from stages.errors import ConfigError, UsageError
from stages.ids import MIXTURES
from tests.model.conftest import Configure, MemoryStore, make_store

TOKENIZER = Tokenizer.default(8)
MODES: dict[Mode, float] = dict.fromkeys(("ar", "nar", "nar-len", "len", "stt"), 1.0)
EVERY: dict[Drawn, float] = dict.fromkeys(DRAWN, 1.0)
PLAIN = DataConfig(min_s=0.2, validation=0.0, prompt_s=0.5)


def examples(store: MemoryStore, group: int = 1, **values: object) -> Examples:
    return Examples(store, TOKENIZER, PLAIN.model_copy(update=values), "train", group=group)


def mixed_store() -> MemoryStore:
    store = make_store()
    store.mix(*MIXTURES)
    return store


def drawn(found: Examples, task: Drawn, *, kind: tuple[Mode, int] = ("ar", 0), times: int = 20) -> list[Draw]:
    draws = [found.draw(int(row), np.random.default_rng((row, n)), kind) for row in found.rows for n in range(times)]
    return [draw for draw in draws if draw.task == task]


def test_tts_alone_is_drawn_as_it_was_before_there_were_other_tasks() -> None:
    """The digests come from the code before these tasks existed."""
    modes = {"ar": 2.0, "nar": 2.0, "nar-len": 1.0, "len": 1.0, "stt": 1.0}
    config = PLAIN.model_copy(update={"validation": 0.3})
    full = config.model_copy(update={"modes": modes, "unconditional_probability": 0.2, "corrupt": 0.2})
    expected = {
        ("full", "train"): "9cdc0d9ccdd26c20",
        ("full", "validation"): "5dfaa6172f430cc1",
        ("plain", "train"): "ab01800df1a842fc",
        ("plain", "validation"): "05404caf9f4005a4",
    }
    store = make_store()
    store.neighbours = {0: (1, 3, 6), 4: (7, 10)}
    for (name, split), digest in expected.items():
        found = Examples(store, TOKENIZER, full if name == "full" else config, split)  # type: ignore[arg-type]
        taken = hashlib.sha256()
        for row in found.rows.tolist():
            for n in range(20):
                draw = found.draw(row, np.random.default_rng((row, n)))
                spans = [[(span.row, span.start, span.stop) for span in part] for part in (draw.prompt, draw.response)]
                whole = (draw.row, draw.task, *spans, draw.mode, draw.level, draw.phonemes, draw.noise)
                taken.update(repr(whole).encode())
        assert taken.hexdigest()[:16] == digest


@pytest.mark.parametrize(("mode", "level"), [("ar", 0), ("nar", 1), ("nar", 7), ("nar-len", 0), ("len", 0)])
@pytest.mark.parametrize("task", TRANSFORMS)
def test_every_task_in_every_mode_shows_its_input_and_asks_for_its_target(
    task: Transform, mode: Mode, level: int
) -> None:
    store = mixed_store()
    found = examples(store, tasks={task: 1.0}, modes=MODES)
    draws = drawn(found, task, kind=(mode, level), times=3)
    assert {draw.row for draw in draws} >= set(range(len(store.frames) - 1)), "but for the speaker of one utterance"
    spec = TRANSFORMS[task]
    for draw in draws:
        item = read_document(found, draw)
        assert len(item) == draw.length
        names = [TOKENIZER.tokens[number] for number in item.tokens_L]
        assert names[0] == f"<{task}>"
        assert names[1] == ("<en>" if draw.phonemes else "<unk>")
        assert draw.phonemes in {"", store.phonemes(draw.row)}
        assert draw.phonemes or not spec.edits
        assert item.task == ("len" if mode == "len" else task)
        assert bool(draw.prompt) == spec.prompted

        assert draw.input is not None
        given_KS = read_spans(store, draw.input)
        start = 3 + len(TOKENIZER.encode(draw.phonemes)) + 1 + sum(map(len, draw.prompt))
        end = start + 1 + given_KS.shape[1]
        assert set(names[start + 1 : end]) <= {"<input>", "<replace>"}
        assert (item.codes_LK[start + 1 : end] == given_KS.T).all()
        assert ("<replace>" in names) == spec.edits
        assert item.positions_L[start:end].tolist() == list(range(end - start))

        response_KT = store.codes(draw.row) if spec.target is None else store.mixture(spec.target, draw.row)
        assert draw.frames == response_KT.shape[1]
        if spec.same_length:
            assert given_KS.shape == response_KT.shape
        if mode == "len":
            assert item.targets_M.tolist() == [*TOKENIZER.encode(str(draw.frames)), TOKENIZER.end]
        elif mode == "ar":
            assert item.targets_M.tolist() == [*response_KT[0], 64]
        elif mode == "nar":
            assert item.targets_M.tolist() == response_KT[level].tolist()
        else:
            assert item.targets_M.tolist() == response_KT[0][item.rows_M - end - 1].tolist()


def test_what_is_given_and_asked_for() -> None:
    given = {"ns": "noisy", "sr": "noisy", "tse": "overlaid"}
    target = {"sr": "noise", "nse": "noisy"}
    found = examples(mixed_store(), tasks=dict.fromkeys(TRANSFORMS, 1.0))
    for task in TRANSFORMS:
        for draw in drawn(found, task):
            assert draw.response == (Span(draw.row, 0, draw.frames, target.get(task)),)
            if kind := given.get(task):
                assert draw.input == (Span(draw.row, 0, draw.frames, kind),)  # type: ignore[arg-type]


@pytest.mark.parametrize("task", ["cse", "nse"])
def test_edits_replace_a_stretch_by_other_words_of_the_speaker(task: Transform) -> None:
    store = mixed_store()
    kind = "noisy" if task == "nse" else None
    draws = drawn(examples(store, tasks={task: 1.0}), task, times=60)
    edges = Counter[str]()
    for draw in draws:
        assert draw.input is not None
        (words,) = [span for span in draw.input if span.replaced]
        around = [span for span in draw.input if not span.replaced]
        assert words.row != draw.row
        assert store.speakers[words.row] == store.speakers[draw.row]
        assert all((span.row, span.kind) == (draw.row, kind) for span in draw.input if not span.replaced)
        before = next((len(span) for span in around if span.start == 0), 0)
        after = next((len(span) for span in around if span.stop == draw.frames), 0)
        assert before + after == sum(map(len, around)) < draw.frames
        assert words.kind == kind
        edges.update({"before": before == 0, "after": after == 0})
    for edge in ("before", "after"):
        assert edges[edge] / len(draws) == pytest.approx(0.125, abs=0.05)


def test_other_words_without_noise_stand_in_where_no_noisy_ones_are(store: MemoryStore) -> None:
    store.mix("noisy")
    for row in range(1, len(store.frames)):
        del store.mixtures["noisy", row]
    for draw in drawn(examples(store, tasks={"nse": 1.0}), "nse"):
        assert draw.row == 0
        assert draw.input is not None
        assert [span.kind for span in draw.input if span.replaced] == [None]


def test_the_same_words_by_another_speaker_go_before_another_pitch(store: MemoryStore) -> None:
    store.all_phonemes[0] = store.all_phonemes[1] = store.all_phonemes[3] = "həlˈoʊ"
    store.mix("shifted")
    inputs = {}
    for draw in drawn(examples(store, tasks={"vc": 1.0}), "vc", times=30):
        assert draw.input is not None
        (span,) = draw.input
        inputs.setdefault(draw.row, set()).add((span.row, span.kind))
        assert len(span) == store.frames[span.row]
    assert inputs[0] == inputs[3] == {(1, None)}, "rows 0 and 3 are one speaker's"
    assert inputs[1] == {(0, None), (3, None)}
    assert inputs[2] == {(2, "shifted")}


def test_the_same_words_in_another_language_are_others(store: MemoryStore) -> None:
    store.all_phonemes = ["həlˈoʊ"] * len(store.frames)
    store.languages = ["de" if row == 1 else "en" for row in range(len(store.frames))]
    rows = {draw.row for draw in drawn(examples(store, tasks={"vc": 1.0}), "vc")}
    assert rows == set(range(len(store.frames) - 1)) - {1}


def test_tasks_are_drawn_as_weighted_and_others_in_place_of_what_is_missing(store: MemoryStore) -> None:
    store.mix("noisy")
    del store.mixtures["noisy", 2]
    found = examples(store, tasks={"tts": 1.0, "ns": 2.0, "cse": 1.0}, continuation_probability=0.0, text_dropout=0.25)
    single = len(store.frames) - 1
    counts = {row: Counter[str]() for row in (0, 2, single)}
    texts = []
    for row, seen in counts.items():
        for n in range(2000):
            draw = found.draw(row, np.random.default_rng(n))
            seen[draw.task] += 1
            texts += [bool(draw.phonemes)] if draw.task == "ns" else []
    shares = {row: {task: count / 2000 for task, count in seen.items()} for row, seen in counts.items()}
    assert shares[0] == pytest.approx({"tts": 0.25, "ns": 0.5, "cse": 0.25}, abs=0.04)
    assert shares[2] == pytest.approx({"tts": 0.5, "cse": 0.5}, abs=0.04)
    assert shares[single] == pytest.approx({"tts-c": 1 / 3, "ns": 2 / 3}, abs=0.04)
    assert np.mean(texts) == pytest.approx(0.75, abs=0.04)
    alone = examples(store, tasks={"cse": 1.0}).draw(single, np.random.default_rng(0))
    assert alone.task == "tts-c", "a row that no task can be made of is spoken"


@pytest.mark.parametrize(
    ("task", "command"),
    [
        *[(task, "valle-prep mix --set mix.noise=FOLDER") for task in ("ns", "sr", "nse")],
        ("tse", "valle-prep mix --set mix.speech=FOLDER"),
        ("vc", "valle-prep mix --set mix.shift=true"),
    ],
)
def test_a_task_without_material_is_one_line_that_names_the_command(task: Drawn, command: str) -> None:
    store = make_store()
    with pytest.raises(UsageError, match=f"`data.tasks.{task}` must be possible") as raised:
        examples(store, tasks={"tts": 1.0, task: 1.0})
    assert command in str(raised.value)
    assert "\n" not in str(raised.value)
    Examples(store, TOKENIZER, PLAIN.model_copy(update={"tasks": {"tts": 1.0, task: 1.0}}), "validation")


def test_edits_need_two_utterances_of_a_speaker() -> None:
    store = make_store(rows=3, speakers=4)
    with pytest.raises(UsageError, match="speakers of two utterances or more"):
        examples(store, tasks={"cse": 1.0})


def test_unknown_tasks_and_empty_weights_are_refused() -> None:
    for weights in ({"tts": 0.0}, {"ns": -1.0}, {"len": 1.0}):
        with pytest.raises((ConfigError, ValueError), match="tasks"):
            DataConfig(tasks=weights)  # type: ignore[arg-type]


@settings(max_examples=60)
@given(st.data())
def test_no_draw_ever_fails(data: st.DataObject) -> None:
    """Random small datasets that lack some mixtures and some speakers' other utterances."""
    rows = data.draw(st.integers(1, 7))
    frames = data.draw(st.lists(st.integers(1, 12), min_size=rows, max_size=rows))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    codes = [rng.integers(0, 64, (8, count)).astype(np.uint16) for count in frames]
    phonemes = data.draw(st.lists(st.sampled_from(["", "a", "ab"]), min_size=rows, max_size=rows))
    speakers = data.draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=rows, max_size=rows))
    store = MemoryStore(codes, phonemes, speakers, ["en"] * rows)
    store.mix(*MIXTURES)
    kept = data.draw(st.sets(st.sampled_from(sorted(store.mixtures))))
    store.mixtures = {key: store.mixtures[key] for key in kept}
    weights = data.draw(st.dictionaries(st.sampled_from(DRAWN), st.floats(0.1, 2.0), min_size=1))
    config = DataConfig(
        min_s=0.001,
        max_s=data.draw(st.sampled_from([0.1, 1.0])),
        validation=data.draw(st.sampled_from([0.0, 0.5])),
        tasks=weights,
        modes=MODES,
        unconditional_probability=0.2,
    )
    group = data.draw(st.sampled_from([1, 2, 4]))
    for split in ("train", "validation"):
        try:
            found = Examples(store, TOKENIZER, config, split, group=group)  # type: ignore[arg-type]
        except UsageError:
            continue
        for row in found.rows.tolist():
            for n in range(8):
                draw = found.draw(row, np.random.default_rng((row, n)))
                item = read_document(found, draw)
                assert len(item) == draw.length
                assert len(item.targets_M) == len(item.rows_M) * (group if draw.mode == "ar" else 1) > 0
                assert {span.row for span in draw.input or ()} <= set(np.flatnonzero(found._usable).tolist())


def test_text_prompt_and_input_are_dropped_together(store: MemoryStore) -> None:
    store.mix(*MIXTURES)
    found = examples(store, tasks=dict.fromkeys(TRANSFORMS, 1.0), unconditional_probability=1.0, modes={"ar": 1.0})
    for task in TRANSFORMS:
        for draw in drawn(found, task, times=2):
            names = [TOKENIZER.tokens[number] for number in read_document(found, draw).tokens_L]
            assert names[:5] == [f"<{task}>", "<unk>", "<end>", "<prompt>", "<input>"]
            assert set(names[5:]) == {"<level 0>"}


def test_validation_holds_tasks_as_they_are_weighed(store: MemoryStore) -> None:
    store.mix(*MIXTURES)
    config = PLAIN.model_copy(update={"tasks": EVERY, "modes": MODES, "validation": 0.5})
    found = Examples(store, TOKENIZER, config, "validation")
    seen = Counter(
        read_document(found, found.draw(row, np.random.default_rng((7, row)), ("ar", 0))).task
        for row in found.rows.tolist()
    )
    assert len(seen) >= 4
    batches = list(every_mode(found, 600, seed=7))
    assert sum(len(batch.lengths) for batch in batches) == len(found) * 13


def test_a_run_knows_its_mixtures_where_a_task_may_need_them(store: MemoryStore, configure: Configure) -> None:
    """A continued run must find the same mixtures."""
    store.mix("noisy")
    with_noise = configure(data__tasks={"tts": 1.0, "ns": 1.0}, trainer__max_steps=1)
    train(with_noise, replace(store, mixtures_fingerprint="a"), quiet=True)
    again = with_noise.model_copy(update={"trainer": with_noise.trainer.model_copy(update={"max_steps": 2})})
    with pytest.raises(UsageError, match="the dataset's content"):
        train(again, replace(store, mixtures_fingerprint="b"), quiet=True)
    plain = configure().data
    assert content_of(store, plain) == content_of(replace(store, mixtures_fingerprint="a"), plain) == store.fingerprint
