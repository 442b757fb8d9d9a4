"""Fine-tuning: another model's weights and vocabulary, extended."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoints import checkpoint, saving
from model.checkpoints.checkpoint import Checkpoint, Meta
from model.data.examples import Examples
from model.data.reading import read_document
from model.network.attention import Packed
from model.network.decoder import Decoder
from model.sequences.tokenizer import Tokenizer
from model.training.start import begin, examples_of, vocabulary
from model.training.trainer import train
from stages.errors import CodecError, UsageError
from tests.model.conftest import CODEC, Configure, MemoryStore

SMALLER = Tokenizer([token for token in Tokenizer.default(8).tokens if token not in {"<ko>", "ʜ"}])
"""A vocabulary of an older version: without a language and a symbol."""


@pytest.fixture
def older(tmp_path: Path, configure: Configure) -> Checkpoint:
    config = configure(trainer__out=str(tmp_path / "older"))
    network = checkpoint.build(config, SMALLER, CODEC)
    network.initialise(torch.Generator().manual_seed(5))
    meta = Meta(3, CODEC, "other", ("a",))
    saving.write(tmp_path / "older", saving.Snapshot(network.state_dict(), {}, config, SMALLER, meta))
    return checkpoint.load(tmp_path / "older")


def says(network: Decoder, tokenizer: Tokenizer, store: MemoryStore, configure: Configure) -> list[torch.Tensor]:
    """Returns the logits of every head for an AR and a NAR document of the first utterance."""
    examples = Examples(store, tokenizer, configure(data__validation=0.0).data, "train")
    logits = []
    for kind in (("ar", 0), ("nar", 3), ("stt", 0)):
        item = read_document(examples, examples.draw(0, np.random.default_rng(0), kind))
        parts = (torch.from_numpy(x) for x in (item.tokens_L, item.codes_LK, item.positions_L))
        hidden_LD = network.eval().hidden(*parts, Packed([len(item)], int(item.causal), torch.device("cpu")))
        logits.append(network.logits(hidden_LD, item.head))
    return logits


def test_it_begins_as_the_model_it_starts_from(older: Checkpoint, store: MemoryStore, configure: Configure) -> None:
    config = configure(trainer__start_from=str(older.folder.parents[1]))
    tokenizer, network = begin(config, store)
    assert tokenizer.tokens[: len(SMALLER)] == SMALLER.tokens
    assert set(tokenizer.tokens) - set(SMALLER.tokens) == {"<ko>", "ʜ"}
    before = says(older.network, older.tokenizer, store, configure)
    after = says(network, tokenizer, store, configure)
    for one, two in zip(before, after, strict=True):
        assert torch.allclose(one, two[:, : one.shape[1]], atol=1e-6)
    weight = network.token_embedding.weight
    known = [SMALLER.language(code) for code in SMALLER.languages.values()]
    mean = weight[known].mean(0)
    assert torch.dist(weight[tokenizer.language("ko")], mean) < 0.2 * torch.dist(weight[known[0]], mean)


def test_languages_learnt_before_stay_known(
    older: Checkpoint, store: MemoryStore, configure: Configure, tmp_path: Path
) -> None:
    meta = replace(older.meta, step=4, languages=("ja", "en"))
    saving.write(
        tmp_path / "older", saving.Snapshot(older.network.state_dict(), {}, older.config, older.tokenizer, meta)
    )
    store.languages = ["de"] * 23 + ["en"]
    config = configure(trainer__start_from=str(tmp_path / "older"), trainer__max_steps=1, data__validation=0.0)
    run = checkpoint.load(train(config, store, quiet=True))
    assert run.languages == ("de", "en", "ja")
    assert run.lengths.longest_frames == store.frames.max()
    further = configure(trainer__max_steps=2, data__validation=0.0)
    assert checkpoint.load(train(further, store, quiet=True, resume=True)).languages == ("de", "en", "ja")


def test_symbols_of_the_dataset_are_added(older: Checkpoint, store: MemoryStore, configure: Configure) -> None:
    store.symbols = [*store.symbols, "字"]
    config = configure(trainer__start_from=str(older.folder))
    tokenizer = vocabulary(config, store)
    assert tokenizer.encode("字") == [tokenizer.tokens.index("字")]
    assert tokenizer.tokens == begin(config, store)[0].tokens
    assert "字" not in vocabulary(configure(), store).tokens, "a new model's vocabulary depends on no dataset"


def test_what_frames_say_is_kept_and_grows(tmp_path: Path, store: MemoryStore, configure: Configure) -> None:
    """With `text_spacing: aligned`, the table of symbols that frames say begins as the model's, too."""
    spaced = {"model__text_spacing": "aligned", "data__modes": {"all": 1.0}}
    first = checkpoint.load(train(configure(**spaced, trainer__max_steps=1), store, quiet=True))
    store.symbols = [*store.symbols, "字"]
    config = configure(**spaced, trainer__start_from=str(first.folder), trainer__out=str(tmp_path / "further"))
    tokenizer, network = begin(config, store)
    assert tokenizer.paces == first.tokenizer.paces
    assert tokenizer.names_said
    examples = Examples(store, tokenizer, config.data, "train")
    item = read_document(examples, examples.draw(0, np.random.default_rng(0), ("all", 0)))
    assert (item.codes_LK[-9:, 8] >= 0).all()
    read = [torch.from_numpy(each) for each in (item.tokens_L, item.codes_LK, item.positions_L)]
    before, after = (net.eval().embed(*read[:2]) for net in (first.network, network))
    assert torch.allclose(before, after, atol=1e-6)
    table = network.code_embedding.weight
    assert len(table) == network.num_code_rows + len(tokenizer) + 1
    assert not table[network.absent].any()
    assert table[network.absent - 1].any(), "the new symbol begins as the mean"


def test_tones_of_the_dataset_are_added_and_begin_as_the_known_ones(
    tmp_path: Path, store: MemoryStore, configure: Configure
) -> None:
    told = configure(data__tones=True, trainer__out=str(tmp_path / "first"), trainer__max_steps=1)
    store.speakers = [f"{'calm' if row % 2 else 'loud'}/s" for row in range(len(store.frames))]
    first = checkpoint.load(train(told, store, quiet=True))
    assert list(first.tokenizer.tones) == ["calm", "loud"]

    store.speakers = [f"{'loud' if row % 2 else 'new'}/s" for row in range(len(store.frames))]
    config = configure(data__tones=True, trainer__start_from=str(first.folder))
    tokenizer, network = begin(config, store)
    assert tokenizer.tones == {**first.tokenizer.tones, "new": len(first.tokenizer)}
    weight, before = network.token_embedding.weight, first.network.token_embedding.weight
    mean = before[list(first.tokenizer.tones.values())].mean(0)
    assert torch.dist(weight[-1], mean) < 0.5 * torch.dist(weight[-1], before.mean(0))
    assert vocabulary(configure(trainer__start_from=str(first.folder)), store).tones == first.tokenizer.tones


def test_a_fine_tuned_run_stopped_and_resumed_equals_an_uninterrupted_one(
    tmp_path: Path, older: Checkpoint, store: MemoryStore, configure: Configure
) -> None:
    store.symbols = [*store.symbols, "字"]
    ends = []
    for name, stops in (("whole", [8]), ("parts", [5, 8])):
        for steps in stops:
            config = configure(
                trainer__out=str(tmp_path / name),
                trainer__start_from=str(older.folder) if steps == stops[0] else "gone",
                trainer__max_steps=steps,
                optimizer__schedule="constant",
            )
            train(config, store, quiet=True, resume=True) if steps != stops[0] else train(config, store, quiet=True)
        ends.append(checkpoint.load(tmp_path / name))
    assert ends[0].tokenizer.tokens == ends[1].tokenizer.tokens
    for name, weight in ends[0].network.state_dict().items():
        assert torch.equal(weight, ends[1].network.state_dict()[name]), name


def test_another_shape_or_codec_is_refused(older: Checkpoint, store: MemoryStore, configure: Configure) -> None:
    with pytest.raises(UsageError, match=r"`model.layers`: 2 -> 3"):
        begin(configure(trainer__start_from=str(older.folder), model__layers=3), store)
    store.codec = replace(CODEC, codebook_size=32)
    with pytest.raises(CodecError):
        begin(configure(trainer__start_from=str(older.folder)), store)


def test_a_window_is_added_but_never_lost(
    older: Checkpoint, store: MemoryStore, configure: Configure, tmp_path: Path
) -> None:
    start = {"trainer__start_from": str(older.folder), "trainer__max_steps": 1, "data__validation": 0.0}
    limited = checkpoint.load(
        train(configure(**start, model__window=9, trainer__out=str(tmp_path / "limited")), store, quiet=True)
    )
    assert limited.network.config.window == 9
    for window in (None, 5):
        config = configure(trainer__start_from=str(limited.folder), model__window=window)
        with pytest.raises(UsageError, match=r"`model.window`: 9"):
            begin(config, store)


@pytest.mark.parametrize("only", [True, False])
def test_heads_ahead_are_added_to_a_model(
    older: Checkpoint, store: MemoryStore, configure: Configure, tmp_path: Path, only: bool
) -> None:
    """Those that it has are kept, others begin anew; `ahead.only` leaves all else bit for bit as it was."""
    first = {"trainer__start_from": str(older.folder), "model__ahead": 1, "trainer__max_steps": 3}
    one = checkpoint.load(
        train(configure(**first, ahead__only=only, trainer__out=str(tmp_path / "1")), store, quiet=True)
    )
    known, before = one.network.state_dict(), older.network.state_dict()
    assert one.network.ahead[0].down.weight.abs().max() > 0
    rows = len(SMALLER)
    same = [
        name
        for name, weight in before.items()
        if weight.equal(known[name][:rows] if len(known[name]) > len(weight) else known[name])
    ]
    assert len(same) == (len(before) if only else 0)

    second = {"trainer__start_from": str(one.folder), "ahead__only": only, "trainer__out": str(tmp_path / "2")}
    _, more = begin(configure(**second, model__ahead=3), store)
    _, fewer = begin(configure(trainer__start_from=str(one.folder), trainer__out=str(tmp_path / "3")), store)
    assert all(weight.equal(more.state_dict()[name]) for name, weight in known.items())
    assert more.ahead[2].up.weight.abs().max() > 0
    assert not more.ahead[2].down.weight.any()
    assert not len(fewer.ahead)
    assert {weight.requires_grad for weight in more.blocks.parameters()} == {not only}
    assert {weight.requires_grad for weight in more.ahead.parameters()} == {True}


def test_adapters_train_the_heads_ahead_too(older: Checkpoint, store: MemoryStore, configure: Configure) -> None:
    start = {"trainer__start_from": str(older.folder), "model__ahead": 2, "lora__rank": 2}
    _, network = begin(configure(**start), store)
    trained = {name for name, weight in network.named_parameters() if weight.requires_grad and ".lora_" not in name}
    assert trained == {f"ahead.{n}.{part}.weight" for n in (0, 1) for part in ("up", "down")}


def test_only_heads_ahead_are_trained_on_ar(older: Checkpoint, store: MemoryStore, configure: Configure) -> None:
    start = {"trainer__start_from": str(older.folder), "model__ahead": 2, "model__dropout": 0.3}
    older.config.model_copy()
    with pytest.raises(UsageError, match=r"`model.dropout`: 0.0 -> 0.3"):
        begin(configure(**start), store)
    config = configure(**{**start, "model__dropout": 0.0}, ahead__only=True)
    tokenizer, network = begin(config, store)
    examples = examples_of(config, store, tokenizer, "train")
    assert {examples.draw(int(row), np.random.default_rng(row)).mode for row in examples.rows} == {"ar"}
    assert config.data.modes == {"ar": 0.5, "nar": 0.5}, "what the model speaks in stays told"
    assert {part.p for part in network.blocks.modules() if isinstance(part, torch.nn.Dropout)} == {0.0}
