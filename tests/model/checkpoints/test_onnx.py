"""Tests that onnxruntime speaks as the network does, by the program of docs/exports.md, and that the graphs agree."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from model.checkpoints import checkpoint
from model.checkpoints.export import export
from model.decoding.codes import generate
from model.decoding.options import Decoding
from model.decoding.samplers.chain import GREEDY
from model.network.attention import Packed
from model.sequences.documents import Condition, document
from model.sequences.tokenizer import Tokenizer
from stages.errors import UsageError
from tests.model.checkpoints.test_export import write_random
from tests.model.conftest import CODEC

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime isn't installed (extra `dev`)")
SIZE, K = CODEC.codebook_size, CODEC.num_codebooks
PAGE = Path(__file__).resolve().parents[3] / "docs" / "exports.md"
TOLERANCE = 1e-4
SHAPES: list[dict[str, object]] = [{}, {"group": 2, "window": 6, "kv_heads": None, "text_spacing": 2.5}]
TEXTS = "həlˈoʊ wɜːld.", "wɜːld.", "həlˈoʊ ðˈɛɹ.", "ðˈɛɹ həlˈoʊ.", "lˈoʊ ðˈɛɹ."


def program() -> dict[str, Callable[..., np.ndarray]]:
    """The functions of the program that the page shows."""
    found: dict = {}
    exec(PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0], found)
    return found


@pytest.fixture(scope="module", params=SHAPES, ids=str)
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint with random weights, and its export."""
    folder = tmp_path_factory.mktemp("onnx")
    run = write_random(folder / "run", **request.param)
    export(run, folder / "onnx", "onnx")
    return run, folder / "onnx"


def prompt(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).integers(0, SIZE, (K, frames)).astype(np.uint16)


@pytest.mark.parametrize("frames", [0, 11])
def test_the_page_s_program_speaks_the_same_codes(models: tuple[Path, Path], frames: int) -> None:
    run, folder = models
    loaded = checkpoint.load(run)
    conditions = [Condition(text, "en", prompt(frames)) for text in TEXTS]
    decoding = Decoding(ar=GREEDY)
    spoken = generate(loaded.network.eval(), loaded.tokenizer, conditions, max_frames=41, decoding=decoding)
    _, chosen = min((codes_KT.shape[1], n) for n, codes_KT in enumerate(spoken) if codes_KT.shape[1] > 5)
    theirs = program()["speak"](folder, TEXTS[chosen], "en", prompt(frames), max_frames=41)
    np.testing.assert_array_equal(theirs, spoken[chosen])


@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("spacing", [0.0, 2.7, "measured"])
def test_the_page_s_program_spaces_texts_as_documents_do(spacing: float | str, group: int) -> None:
    tokenizer = Tokenizer.default(K)
    if isinstance(spacing, float):
        tokenizer = tokenizer.spaced(spacing)
    else:
        tokenizer = tokenizer.paced({"": 9.0, "h": 4.3, "ə": 3.1, "l": 6.0, "ˈ": 0.0})
    about = {"tokenizer": tokenizer.kept(), "config": {"model": {"text_spacing": spacing, "group": group}}}
    for text in ("", "h", *TEXTS):
        for level in (0, 3):
            item = document(tokenizer, Condition(text, "en", prompt(4)), prompt(24), level, SIZE, group=group)
            ids = item.tokens_L[: 3 + len(tokenizer.encode(text))]
            found = program()["text_positions"](about, ids.tolist(), 24 if level else None)
            np.testing.assert_array_equal(found, item.positions_L[: len(ids)])


def test_logits_are_the_same_over_a_whole_utterance(models: tuple[Path, Path]) -> None:
    run, folder = models
    loaded = checkpoint.load(run)
    network, group = loaded.network.eval(), loaded.config.model.group
    item = document(loaded.tokenizer, Condition("həlˈoʊ.", "en", prompt(9)), prompt(24), 0, SIZE, group=group)
    read = item.tokens_L, item.codes_LK, item.positions_L
    window = loaded.config.model.window_positions
    attend = Packed([len(item)], 1, torch.device("cpu"), window=window, before=[item.before])
    with torch.no_grad():
        hidden = network.hidden(*map(torch.from_numpy, read), attend)
        ours = network.logits(hidden[item.rows_M], 0).view(len(item.rows_M), group, -1).numpy()
    session = onnxruntime.InferenceSession(folder / "ar.onnx")
    shape = loaded.config.model
    past = np.zeros((shape.layers, 2, 1, shape.num_kv_heads, 0, shape.head_width), np.float32)
    given = {"before": np.array(item.before)} if window else {}
    bounds = [0, *range(int(item.rows_M[0]) + 1, len(item) + 1)]
    for step, (start, end) in enumerate(pairwise(bounds)):
        parts = dict(zip(("tokens", "codes", "positions"), (part[None, start:end] for part in read), strict=True))
        logits, past = session.run(["logits", "present"], {**parts, "past": past, **given})
        assert np.abs(logits[0] - ours[step]).max() < TOLERANCE
    assert past.shape[4] == len(item)
    assert ours.std() > 1, "the comparison must be of something"


def test_rows_of_a_batch_are_independent(models: tuple[Path, Path]) -> None:
    run, folder = models
    loaded = checkpoint.load(run)
    session = onnxruntime.InferenceSession(folder / "nar.onnx")
    items = [
        document(loaded.tokenizer, Condition("həlˈoʊ.", "en", prompt(9)), prompt(frames)[:, :8], 3, SIZE)
        for frames in (8, 12)
    ]
    inputs = {
        "tokens": np.stack([item.tokens_L for item in items]),
        "codes": np.stack([item.codes_LK for item in items]),
        "positions": np.stack([item.positions_L for item in items]),
    }
    (together,) = session.run(["logits"], {**inputs, "level": np.array(3)})
    for row, item in enumerate(items):
        read = map(torch.from_numpy, (item.tokens_L, item.codes_LK, item.positions_L))
        with torch.no_grad():
            hidden = loaded.network.eval().hidden(*read, Packed([len(item)], 0, torch.device("cpu")))
            ours = loaded.network.logits(hidden, 3).numpy()
        assert np.abs(together[row] - ours).max() < TOLERANCE


def test_the_weights_are_stored_once(models: tuple[Path, Path]) -> None:
    run, folder = models
    assert {path.name for path in folder.iterdir()} == {
        *("ar.onnx", "nar.onnx", "weights.bin", "valle.json", "README.md")
    }
    network = checkpoint.load(run).network
    size = 4 * network.num_parameters()
    assert (folder / "weights.bin").stat().st_size < 1.3 * size + 4096 * 100
    for name in ("ar.onnx", "nar.onnx"):
        onnx.checker.check_model(str(folder / name))


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ({"model__arch": "retnet", "model__kv_heads": None}, "needs a model with `model.arch: llama`"),
        ({"data__modes": {"ar": 1.0}, "data__levels": "delay"}, "needs a model with `data.levels: sums`"),
        ({"data__levels": "masks"}, "needs a model with `data.levels: sums`, but this one has masks"),
        ({"model__text_spacing": "aligned"}, "but this one has `model.text_spacing: aligned`"),
        ({"data__modes": {"nar-len": 1.0, "len": 1.0}}, "trained on the mode `ar`, but this one knows nar-len, len."),
    ],
)
def test_what_has_no_step_with_a_cache_is_refused(tmp_path: Path, shape: dict[str, object], told: str) -> None:
    from model.checkpoints import saving
    from tests.model.conftest import make_config, make_snapshot

    run = saving.write(tmp_path / "run", make_snapshot(make_config(**shape), 3))
    with pytest.raises(UsageError) as raised:
        export(run, tmp_path / "onnx", "onnx")
    assert told in str(raised.value)
    assert not (tmp_path / "onnx").exists()


def test_missing_packages_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    run = write_random(tmp_path / "run")
    with pytest.raises(UsageError, match=r'`pip install "valle-prep\[onnx\]"`'):
        export(run, tmp_path / "onnx", "onnx")
