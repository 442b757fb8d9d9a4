"""Attention to the text: the weights that are kept are those that attention used, and a head that follows is found."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoints.checkpoint import build
from model.data.examples import Examples
from model.data.reading import read_document
from model.network.attention import sdpa
from model.sequences.documents import Document
from model.training.alignment import Watched, attention_to_text, draw_attention, followed
from tests.model.conftest import CODEC, TOKENIZER, make_config, make_store


def drawn(mode: tuple[str, int]) -> tuple[Document, str]:
    config, store = make_config(), make_store()
    examples = Examples(store, TOKENIZER, config.data, "train")
    draw = examples.draw(int(examples.rows[0]), np.random.default_rng(0), mode)  # type: ignore[arg-type]
    return read_document(examples, draw), draw.phonemes


@pytest.mark.parametrize(("kv_heads", "causal"), [(4, True), (2, True), (2, False)])
def test_the_weights_are_those_of_the_attention(kv_heads: int, causal: bool) -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(9, 4, 8), torch.randn(9, kv_heads, 8), torch.randn(9, kv_heads, 8)

    class Plain:
        def __call__(self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            return sdpa(q[None], k[None], v[None], causal=causal)[0]

    watched = Watched(Plain(), torch.arange(9), torch.arange(9), causal=causal)  # type: ignore[arg-type]
    out = watched(0, q, k, v)
    (weights_NML,) = watched.weights
    values_LNH = v.repeat_interleave(4 // kv_heads, 1)
    torch.testing.assert_close(torch.einsum("nml,lnh->mnh", weights_NML, values_LNH), out)


@pytest.mark.parametrize("mode", [("ar", 0), ("nar", 2)])
def test_each_frame_s_weights_on_the_phonemes(mode: tuple[str, int]) -> None:
    config = make_config()
    network = build(config, TOKENIZER, CODEC)
    network.initialise(torch.Generator().manual_seed(0))
    document, phonemes = drawn(mode)
    weights_HMS = attention_to_text(network.eval(), TOKENIZER, document, phonemes)
    symbols = TOKENIZER.encode(phonemes)
    assert weights_HMS.shape == (config.model.layers * config.model.heads, len(document.rows_M), len(symbols))
    assert (weights_HMS >= 0).all()
    assert (weights_HMS.sum(2) <= 1 + 1e-5).all()
    # An untrained network attends to all positions alike.
    seen_M = document.rows_M + 1 if document.causal else len(document)
    np.testing.assert_allclose(
        weights_HMS.sum(2).mean(0), len(symbols) / seen_M * np.ones(len(document.rows_M)), rtol=0.2
    )


def test_what_a_window_hides_has_no_weight() -> None:
    """An untrained network attends to all that it sees alike."""
    network = build(make_config(model__window=4), TOKENIZER, CODEC)
    network.initialise(torch.Generator().manual_seed(0))
    document, phonemes = drawn(("ar", 0))
    weights_HMS = attention_to_text(network.eval(), TOKENIZER, document, phonemes)
    seen_M = np.minimum(document.rows_M + 1, document.before + 4)
    assert (seen_M < document.rows_M + 1).sum() > 3
    share_M = len(TOKENIZER.encode(phonemes)) / seen_M
    np.testing.assert_allclose(weights_HMS.sum(2).mean(0), share_M, rtol=0.2)


def test_the_head_that_follows_the_text_is_found() -> None:
    frames, phonemes = 60, 20
    follows, backwards, jumps = (np.zeros((frames, phonemes), np.float32) for _ in range(3))
    follows[np.arange(frames), np.arange(frames) // 3] = 1
    backwards[np.arange(frames), phonemes - 1 - np.arange(frames) // 3] = 1
    jumps[np.arange(frames), np.arange(frames) * 7 % phonemes] = 1
    even = np.full((frames, phonemes), 1 / phonemes, np.float32)
    found = followed(np.stack([even, backwards, follows, jumps]))
    assert found[2] == pytest.approx(1)
    assert found[0] == pytest.approx(1 / phonemes)
    assert found.argmax() == 2
    assert found[1] < 0.2
    skips = np.zeros((10, phonemes), np.float32)
    skips[np.arange(10), 2 * np.arange(10)] = 1
    assert followed(skips[None])[0] == pytest.approx(1), "a mark may be passed over"
    assert followed(even[None, :, :1])[0] == pytest.approx(1 / phonemes), "a text of one phoneme"


def test_a_picture(tmp_path: Path) -> None:
    weights_MS = np.zeros((40, 10), np.float32)
    weights_MS[np.arange(40), np.arange(40) // 4] = 1
    picture = draw_attention(weights_MS, "həlˈoʊ wɜl", "a title", tmp_path / "one.png")
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert draw_attention(weights_MS.repeat(9, 1), "x" * 90, "long", tmp_path / "two.png").shape == picture.shape
