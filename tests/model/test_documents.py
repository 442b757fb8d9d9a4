import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.documents import ABSENT, MARKERS, Condition, document
from model.tokenizer import Tokenizer

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

    at = np.arange(len(item))[item.rows]
    if level == 0:
        assert at.tolist() == list(range(response, len(item)))
        assert item.targets.tolist() == [*response_KT[0], V]
    else:
        assert at.tolist() == list(range(response + 1, len(item)))
        assert item.targets.tolist() == response_KT[level].tolist()
