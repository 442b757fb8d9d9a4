"""Proofs for the keys of `data`: what is drawn from a small dataset, and the documents and batches made of it."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from model.data.draw import Draw
from model.data.examples import Examples
from model.data.reading import read_document
from model.data.source import tones_of
from model.network.packing import Batch
from model.sequences.documents import Document
from stages.errors import run_app
from tests.keys.world import Proof, World
from tests.model.conftest import TOKENIZER, first_epoch, make_store, task_store

_PLAIN = {"validation": 0.0, "continuation_probability": 0.0, "prompt_s": 0.5}


def _examples(world: World, split: Any = "train", **values: Any) -> Examples:
    config = world.config(**{f"data__{key}": value for key, value in {**_PLAIN, **values}.items()})
    tokenizer = TOKENIZER.with_tones(tones_of(world.store))
    return Examples(world.store, tokenizer, config.data, split)


def _draws(examples: Examples, times: int = 8, rows: Iterable[int] | None = None) -> list[Draw]:
    rows = examples.rows.tolist() if rows is None else rows
    return [examples.draw(row, np.random.default_rng((row, n))) for row in rows for n in range(times)]


def _share(draws: list[Draw], holds: Callable[[Draw], bool]) -> float:
    return sum(map(holds, draws)) / len(draws)


def _document(examples: Examples, mode: Any, level: int = 0, row: int = 0) -> tuple[Draw, Document]:
    draw = examples.draw(row, np.random.default_rng(row), (mode, level))
    return draw, read_document(examples, draw)


def _store(world: World) -> None:
    """The real command opens the store that the key names."""
    from model import cli
    from stages import config as configs
    from stages.store import reader as store

    honest = configs.load_config
    world.patch.setattr(configs, "load_config", lambda *given: world._seen(honest(*given)))
    opened: list[str] = []

    def open_store(folder: str) -> None:
        opened.append(str(folder))
        raise configs.ConfigError("seen")

    world.patch.setattr(store, "open_store", open_store)
    (world.folder / "train.yaml").write_text("data: {store: here}")
    assert run_app(cli.app, ["train", "train.yaml"]) == 2
    assert opened == ["here"]


def _min_s(world: World) -> None:
    examples = _examples(world, min_s=1.0)
    assert set(examples.rows) == set(np.flatnonzero(world.store.frames >= 75)) != set(range(24))


def _max_s(world: World) -> None:
    examples = _examples(world, max_s=1.0)
    assert set(examples.rows) == set(np.flatnonzero(world.store.frames <= 75)) != set(range(24))
    joined = _draws(_examples(world, max_s=3.0, join_probability=0.9), rows=range(20))
    assert 150 < max(draw.frames for draw in joined) <= 225, "nor are several together longer"


def _text(world: World) -> None:
    """The document holds the characters of the text, or the phonemes."""
    for text, read in (("phonemes", world.store.phonemes), ("characters", world.store.text)):
        examples = _examples(world, text=text)
        draw, document = _document(examples, "ar")
        assert draw.phonemes == read(0)
        assert examples.tokenizer.decode(document.tokens_L.tolist()) == read(0)


def _languages(world: World) -> None:
    world.store.languages = ["de" if row % 2 else "en" for row in range(24)]
    assert _examples(world, languages=["de"]).rows.tolist() == list(range(1, 24, 2))


def _validation(world: World) -> None:
    sizes = {}
    for share in (0.0, 0.5):
        parts = [_examples(world, split, validation=share).rows for split in ("train", "validation")]
        assert sorted(np.concatenate(parts)) == list(range(24))
        sizes[share] = len(parts[1])
    assert sizes[0.0] == 0
    assert sizes[0.5] == pytest.approx(12, abs=6)


def _split_by(world: World) -> None:
    whole = {}
    read = [text.strip("!") for text in world.store.texts()]
    for by in ("speaker", "utterance", "text"):
        parts = [_examples(world, split, validation=0.6, split_by=by).rows for split in ("train", "validation")]
        speakers = [{world.store.speakers[row] for row in rows} for rows in parts]
        texts = [{read[row] for row in rows} for rows in parts]
        whole[by] = speakers[0].isdisjoint(speakers[1]), texts[0].isdisjoint(texts[1])
    assert whole == {"speaker": (True, False), "utterance": (False, False), "text": (False, True)}


def _prompt_s(world: World) -> None:
    for seconds, frames in ((0.2, 15), (0.4, 30)):
        draws = _draws(_examples(world, prompt_s=seconds), rows=range(20))
        assert {sum(map(len, draw.prompt)) for draw in draws} == {frames}


def _prompt_utterances(world: World) -> None:
    draws = _draws(_examples(world, prompt_utterances=3, prompt_s=16.0), times=20, rows=range(20))
    assert max(len(draw.prompt) for draw in draws) == 3


def _similar_probability(world: World) -> None:
    world.store.neighbours = {0: (3,)}
    for probability, share in ((1.0, 1.0), (0.0, 1 / 7)):
        draws = _draws(_examples(world, similar_probability=probability), times=200, rows=[0])
        assert _share(draws, lambda draw: draw.prompt[0].row == 3) == pytest.approx(share, abs=0.1)


def _continuation_probability(world: World) -> None:
    for probability in (0.0, 1.0):
        draws = _draws(_examples(world, continuation_probability=probability), rows=range(20))
        assert _share(draws, lambda draw: draw.task == "tts-c") == probability


def _join_probability(world: World) -> None:
    draws = _draws(_examples(world, join_probability=0.6), times=20, rows=range(20))
    joined = [draw for draw in draws if len(draw.response) > 1]
    assert len(joined) / len(draws) == pytest.approx(0.6, abs=0.15), "some draw the prompt's own row"
    assert all(draw.phonemes == " ".join(world.store.phonemes(span.row) for span in draw.response) for draw in joined)


def _epoch(world: World, **values: Any) -> list[int]:
    """Returns an epoch's rows of a dataset with two groups: 18 rows of 2 speakers, and 6 rows of 3 speakers."""
    world.store.speakers = [f"a/{row % 2}" if row < 18 else f"b/{row % 3}" for row in range(24)]
    return _examples(world, **values).epoch(0, 0).tolist()


def _sample_by(world: World) -> None:
    for by, sizes in (("speaker", [4, 5, 5, 5, 5]), ("group", [12, 12])):
        names = [world.store.speakers[row] for row in _epoch(world, sample_by=by, temperature=1e9)]
        classes = names if by == "speaker" else [name[0] for name in names]
        assert sorted(Counter(classes).values()) == sizes


def _temperature(world: World) -> None:
    """A group's share is proportional to its size to the power of 1 / temperature: 3 : 1 becomes 3 ** 0.5 : 1."""
    rows = _epoch(world, sample_by="group", temperature=2.0)
    assert sum(row < 18 for row in rows) == pytest.approx(24 * 3**0.5 / (1 + 3**0.5), abs=1)


def _order(world: World) -> None:
    rows = _epoch(world, sample_by="group", order="interleaved")
    places = np.flatnonzero(np.array(rows) >= 18)
    assert sorted(rows) == list(range(24))
    assert all(3 <= gap <= 5 for gap in np.diff(places)), "every fourth is of the small group"


def _tasks(world: World) -> None:
    world.store = task_store()
    draws = _draws(_examples(world, tasks={"ns": 3.0, "vc": 1.0}), times=30)
    assert {draw.task for draw in draws} == {"ns", "vc"}
    assert _share(draws, lambda draw: draw.task == "ns") == pytest.approx(0.75, abs=0.1)


def _text_dropout(world: World) -> None:
    world.store = task_store()
    for dropout in (0.0, 0.8):
        draws = _draws(_examples(world, tasks={"ns": 1.0}, text_dropout=dropout), times=30)
        assert _share(draws, lambda draw: not draw.phonemes) == pytest.approx(dropout, abs=0.1)


def _tones(world: World) -> None:
    """Adds a token to the document, and a tone to the vocabulary."""
    for tones in (True, False):
        trainer = world.trainer(data__tones=tones, data__tone_dropout=0.0, data__continuation_probability=0.0)
        assert (list(trainer.tokenizer.tones) == ["g"]) == tones
        examples = trainer.stream.examples
        _, document = _document(examples, "ar", row=int(examples.rows[0]))
        names = [trainer.tokenizer.tokens[number] for number in document.tokens_L]
        assert ("<tone g>" in names) == tones


def _tone_dropout(world: World) -> None:
    for dropout in (0.0, 0.7):
        draws = _draws(_examples(world, tones=True, tone_dropout=dropout), times=20)
        assert _share(draws, lambda draw: not draw.tone) == pytest.approx(dropout, abs=0.1)


def _modes(world: World) -> None:
    draws = _draws(_examples(world, modes={"stt": 3.0, "nar-len": 1.0}), times=30)
    assert {draw.mode for draw in draws} == {"stt", "nar-len"}
    assert _share(draws, lambda draw: draw.mode == "stt") == pytest.approx(0.75, abs=0.1)


def _levels(world: World) -> None:
    """The mode ar predicts the first codebook, or all, each a step later than the one below."""
    for levels, heads in (("sums", [0]), ("delay", [*range(8)])):
        draw, document = _document(_examples(world, levels=levels, modes={"ar": 1.0}), "ar")
        asked = [(document.head, document.rows_M), *((head, rows_M) for head, rows_M, _ in document.more)]
        assert [head for head, _ in asked] == heads
        assert [int(rows_M[0]) for _, rows_M in asked] == [document.before - 1 + head for head in heads]
        assert len(document) == draw.length == document.before + draw.frames + (6 if levels == "delay" else 0)
    for levels, shown in (("sums", [*range(5)]), ("masks", [5])):  # by the mode nar
        examples = _examples(world, levels=levels, modes={"nar": 1.0})
        draw, document = _document(examples, "nar", level=5)
        seen = document.codes_LK[-draw.frames :] >= 0
        assert np.flatnonzero(seen.any(0)).tolist() == shown
        assert document.head == 5
        assert len(document.rows_M) == draw.frames - (levels == "masks") * seen.sum()
        assert len(document) == draw.length


def _unconditional_probability(world: World) -> None:
    for probability in (0.0, 0.7):
        draws = _draws(_examples(world, modes={"ar": 1.0}, unconditional_probability=probability), times=20)
        dropped = _share(draws, lambda draw: not draw.phonemes and not draw.prompt)
        assert dropped == pytest.approx(probability, abs=0.1)
    for levels, share in (("sums", 0.0), ("masks", 0.7)):
        draws = _draws(_examples(world, modes={"nar": 1.0}, levels=levels, unconditional_probability=0.7), times=20)
        assert _share(draws, lambda draw: not draw.phonemes and not draw.prompt) == pytest.approx(share, abs=0.1)


def _masked(world: World, mode: str = "nar-len", **values: Any) -> list[float]:
    examples = _examples(world, modes={mode: 1.0}, levels="masks" if mode == "nar" else "sums", **values)
    documents = [_document(examples, mode, level=3 if mode == "nar" else 0, row=row) for row in range(24)]
    return [len(document.rows_M) / draw.frames for draw, document in documents]


def _mask_schedule(world: World) -> None:
    assert _masked(world, mask_schedule="fixed") == pytest.approx([0.8] * 24, abs=0.02)
    for mode in ("nar-len", "nar"):
        shares = _masked(world, mode, mask_schedule="cosine")
        assert max(shares) - min(shares) > 0.5


def _mask_ratio(world: World) -> None:
    for mode in ("nar-len", "nar"):
        assert _masked(world, mode, mask_schedule="fixed", mask_ratio=0.25) == pytest.approx([0.25] * 24, abs=0.02)


def _corrupt(world: World) -> None:
    for corrupt in (0.0, 0.9):
        draw, document = _document(_examples(world, corrupt=corrupt), "nar", level=7)
        shown = document.codes_LK[-draw.frames :, :7]
        own = world.store.codes(draw.row)[:7].T
        assert (shown != own).mean() == pytest.approx(corrupt * 63 / 64, abs=0.05)


def _batch_tokens(world: World) -> None:
    """A batch takes as many utterances as fit, in training and in validation."""
    world.store = make_store(rows=48)
    for budget in (400, 2000):
        trainer = world.trainer(data__batch_tokens=budget, data__validation=0.3)
        validated: list[Batch] = []
        honest = trainer.score
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trainer, "score", lambda batch, v=validated, h=honest, **_: v.append(batch) or h(batch))
            trainer.validate()
        for batches in (first_epoch(trainer.stream), validated):
            lengths = [sum(batch.lengths) for batch in batches]
            assert max(lengths) <= budget
            assert float(np.mean(lengths[:-1])) > budget - 300


def _sampler(world: World) -> None:
    """Utterances of similar length come together, and are padded."""
    world.store = make_store(rows=48)
    spreads = {}
    for sampler in ("packed", "buckets"):
        batches = first_epoch(world.trainer(data__sampler=sampler, data__batch_tokens=1200).stream)
        assert {batch.is_padded for batch in batches} == {sampler == "buckets"}
        spreads[sampler] = float(np.mean([max(batch.lengths) - min(batch.lengths) for batch in batches]))
    assert spreads["buckets"] < spreads["packed"] / 2


def _bucket_growth(world: World) -> None:
    """Narrow buckets leave less padding."""
    world.store = make_store(rows=96)
    shares = []
    for growth in (1.05, 8.0):
        values = {"data__bucket_growth": growth, "data__batch_tokens": 1200, "data__modes": {"nar": 1.0}}
        batches = first_epoch(world.trainer(data__sampler="buckets", **values).stream)
        shares.append(1 - sum(sum(batch.lengths) for batch in batches) / sum(b.tokens_L.numel() for b in batches))
    assert shares[0] < shares[1] / 2


DATA: dict[str, Proof] = {
    "store": _store,
    "min_s": _min_s,
    "max_s": _max_s,
    "text": _text,
    "languages": _languages,
    "validation": _validation,
    "split_by": _split_by,
    "prompt_s": _prompt_s,
    "prompt_utterances": _prompt_utterances,
    "similar_probability": _similar_probability,
    "continuation_probability": _continuation_probability,
    "join_probability": _join_probability,
    "sample_by": _sample_by,
    "temperature": _temperature,
    "order": _order,
    "tasks": _tasks,
    "text_dropout": _text_dropout,
    "tones": _tones,
    "tone_dropout": _tone_dropout,
    "modes": _modes,
    "levels": _levels,
    "unconditional_probability": _unconditional_probability,
    "mask_schedule": _mask_schedule,
    "mask_ratio": _mask_ratio,
    "corrupt": _corrupt,
    "batch_tokens": _batch_tokens,
    "sampler": _sampler,
    "bucket_growth": _bucket_growth,
}
