"""The weights and the vocabulary of a new run: new ones, or those of another model (fine-tuning)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from model.checkpoints.checkpoint import Checkpoint, build, find, load, read_config, read_meta, read_tokenizer
from model.config import LoraConfig, TrainConfig
from model.data.examples import Examples
from model.data.lengths import paces_of
from model.data.source import Store, tones_of
from model.data.texts import characters_of, symbols_of
from model.network.decoder import INIT_STD, Decoder
from model.network.lora import add_adapters, initialise_adapters
from model.sequences.tasks import is_text_task
from model.sequences.tokenizer import Tokenizer
from stages.codecs.codec import Floats
from stages.codecs.table import codec_embeddings, codec_identity
from stages.errors import UsageError
from stages.records import CodecIdentity


def begin(config: TrainConfig, store: Store) -> tuple[Tokenizer, Decoder]:
    """Returns the vocabulary and the network of a new run, with new weights or, for fine-tuning, another model's.

    Fine-tuning keeps the model's token ids and appends the new tokens of this version and of the dataset. A new
    language starts as the mean of the known languages, a new tone as the mean of the known tones, any other new token
    as the mean of all tokens (https://nlp.stanford.edu/~johnhew/vocab-expansion.html), plus a little noise. Heads ahead
    that the model lacks begin anew; those that are asked for no more are left out.

    Raises:
        UsageError: if the model of `trainer.start_from` has another shape.
        CodecError: if it was trained on another codec's codes.
        MissingInputError: if there is no such model.
        ArtefactError: if it is damaged.
    """
    generator = torch.Generator().manual_seed(config.trainer.seed)
    tokenizer = spaced(config, store, vocabulary(config, store))
    network = build(config.model_copy(update={"lora": LoraConfig()}), tokenizer, store.codec)
    if config.trainer.start_from is None:
        network.initialise(generator)
        if config.model.initial_codes == "codec":
            network.initialise_codes(torch.from_numpy(_codebooks(store.codec)), generator)
        return tokenizer, network
    known = load(_source(config, store))
    weights = _grown(known, network, tokenizer, generator)
    network.initialise_ahead(generator)
    for name, weight in network.ahead.state_dict(prefix="ahead.").items():
        weights.setdefault(name, weight)
    network.load_state_dict({name: weight for name, weight in weights.items() if name in network.state_dict()})
    if config.lora.rank:
        add_adapters(network, config.lora)
        initialise_adapters(network, generator)
    return tokenizer, network


def spaced(config: TrainConfig, store: Store, tokenizer: Tokenizer) -> Tokenizer:
    """Returns a new run's vocabulary with the paces of `model.text_spacing`: what it lays texts out by, if measured.

    A model that learns from a teacher has the teacher's, since both read the same documents; one that starts from
    another model keeps that model's; else they are measured in the training set.
    """
    if not isinstance(config.model.text_spacing, str) or config.trainer.start_from is not None:
        return tokenizer
    teacher = config.distill.teacher
    paces = read_tokenizer(find(Path(teacher))).paces if teacher is not None else {}
    return tokenizer.paced(paces or paces_of(examples_of(config, store, tokenizer, "train")))


Split = Literal["train", "validation"]
SPLITS: tuple[Split, ...] = "train", "validation"


def examples_of(config: TrainConfig, store: Store, tokenizer: Tokenizer, split: Split) -> Examples:
    """Returns the utterances of a split; raises as `Examples` does. With `ahead.only` all are of the mode `ar`."""
    data, model = config.data, config.model
    if config.ahead.only:
        tasks = {task: weight for task, weight in data.tasks.items() if not is_text_task(task)}
        data = data.model_copy(update={"modes": {"ar": 1.0}, "tasks": tasks})
    return Examples(store, tokenizer, data, split, group=model.group, ahead=model.ahead)


def vocabulary(config: TrainConfig, store: Store) -> Tokenizer:
    """Returns the vocabulary of a new run; raises the same errors as `begin`."""
    if config.trainer.start_from is None:
        tokenizer = Tokenizer.default(store.codec.num_codebooks)
    else:
        symbols = symbols_of(store, config.data)
        tokenizer = read_tokenizer(_source(config, store)).extended(store.codec.num_codebooks, symbols)
    tokenizer = tokenizer.with_symbols(characters_of(store, config.data))
    tokenizer = tokenizer.spaced(config.model.even_spacing, names_said=config.model.names_said)
    return tokenizer.with_tones(tones_of(store) if config.data.tones else ())


def learnt_languages(config: TrainConfig, languages: Sequence[str], resumed: Path | None) -> tuple[str, ...]:
    """Returns the languages of a dataset, then those that the model knew before: of the run or of `start_from`."""
    start = config.trainer.start_from
    source = resumed or (find(Path(start)) if start is not None else None)
    known: tuple[str, ...] = ()
    if source is not None:
        known = read_meta(source).languages or tuple(read_config(source).data.languages or ())
    return tuple(dict.fromkeys([*languages, *known]))


def built_in_guidance(config: TrainConfig, resumed: Path | None) -> float | None:
    """Returns the scale of the guidance that a run's model has built in; None for none.

    It is that of `distill.guidance`, or what the run, the teacher or the model of `start_from` had: to train on doesn't
    take it out.
    """
    if config.distill.guidance > 1:
        return config.distill.guidance
    if resumed is not None:
        return read_meta(resumed).guidance
    sources = config.distill.teacher, config.trainer.start_from
    known = [read_meta(find(Path(source))).guidance for source in sources if source is not None]
    return next((scale for scale in known if scale), None)


def _codebooks(codec: CodecIdentity) -> Floats:
    """Reads the vectors of a codec's codebooks, `[K, V, D]`; checks that the weights here are those of the dataset."""
    here = codec_identity(codec.name, sample_rate=codec.sample_rate, codebooks=codec.num_codebooks)
    here.require(codec, "the dataset")
    return codec_embeddings(codec.name, sample_rate=codec.sample_rate, codebooks=codec.num_codebooks)


def _source(config: TrainConfig, store: Store) -> Path:
    """Returns the checkpoint to start from; checks that its codec and shape fit."""
    source = find(Path(str(config.trainer.start_from)))
    theirs = read_config(source)
    read_meta(source).codec.require(store.codec, config.data.store)
    differing = [item for item in theirs.differences(config) if item.startswith("`model.")]
    # A window has no weights, and may be learnt later; a model that has one must not lose it unnoticed.
    # Where its codes began doesn't matter any more.
    free = ("`model.ahead`", "`model.initial_codes`", *(("`model.window`",) if theirs.model.window is None else ()))
    differing = [item for item in differing if not item.startswith(free)]
    if differing:
        raise UsageError(
            f"`trainer.start_from` = `{source}` must have the shape that the section `model` asks for, but these"
            f" differ: {'; '.join(differing)}. Set them to that model's values (before the arrow)."
        )
    return source


def _grown(known: Checkpoint, network: Decoder, tokenizer: Tokenizer, generator: torch.Generator) -> dict[str, Tensor]:
    """Returns the weights with a row for each new token in the token embedding, the token head and what frames say."""
    weights = dict(known.network.state_dict())
    before = len(known.tokenizer)
    kinds = [set(tokenizer.languages), set(tokenizer.tones.values())]

    def grown(old: Tensor) -> Tensor:
        new = torch.normal(0.0, INIT_STD / 10, (len(tokenizer) - before, old.shape[1]), generator=generator)
        for number in range(before, len(tokenizer)):
            alike = [other for kind in kinds if number in kind for other in sorted(kind) if other < before]
            new[number - before] += (old[alike] if alike else old).mean(0)
        return torch.cat([old, new.to(old.dtype)])

    for name in ("token_embedding.weight", f"heads.{network.num_codebooks}.weight"):
        weights[name] = grown(weights[name])
    if network.config.names_said:
        codes, said, absent = weights["code_embedding.weight"].split([network.num_code_rows, before, 1])
        weights["code_embedding.weight"] = torch.cat([codes, grown(said), absent])
    return weights
