"""`valle-prep import FOLDER`: a dataset out of the codes that another program made.

`FOLDER/<group>/<speaker>/<name>.enc` (EnCodec) or `.dac` (Descript Audio Codec), as e-c-k-e-r/vall-e has them. Each
file becomes a recording and an utterance. What `encode` would have made of it is written as `encode` writes it, and the
stages after it run as on any other dataset.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cluster.cluster import SyncCluster
from pipeline.config import PrepConfig
from pipeline.dataset import lock
from pipeline.dataset.digests import DigestCache
from pipeline.dataset.folder import DIGESTS, RECORDINGS, make_folder, new_dataset, write_head
from pipeline.runner.interrupt import Interrupt
from pipeline.runner.plan import ShardJob, plan_stage
from pipeline.runner.progress import Reporter
from pipeline.runner.runner import Run, run_stages
from pipeline.runner.shard import make_shard
from pipeline.session import find, prepare
from stages.artefacts.formats import CodeRows
from stages.artefacts.manifest import Receipt
from stages.base import Context, Filtered, Reject, Stage, guarded
from stages.config import load_config
from stages.corpora.scan import folders, owner_of
from stages.encode import Encode, EncodeConfig
from stages.errors import ExitCode, TextError, UsageError
from stages.exchange.pickled import Artefact, read_artefact
from stages.g2p import G2p
from stages.ids import id_of
from stages.records import Codes, Encoded, Recording, Utterance
from stages.text.languages import detect, normalise_code

if TYPE_CHECKING:
    from pipeline.options import Options

SUFFIXES = {".enc": "encodec", ".dac": "dac"}
"""The files that are taken, and which codec made them."""
_FLAG = re.compile(r"\([a-z-]+\)")
"""What espeak leaves in its phonemes where the language changes."""
_OFF_FRAMES = 2
"""How far the length that a file names may be off that of its codes."""


class Importer(Stage[EncodeConfig, Recording, Encoded]):
    """Reads files of codes; its outputs are those of `encode`."""

    name = "encode"
    needs = RECORDINGS
    version = 1
    format = CodeRows()

    def __init__(self, config: PrepConfig, context: Context, *, keep_phonemes: bool) -> None:
        super().__init__(config.encode, context)
        self._encode = Encode(config.encode, context)
        self._g2p = G2p(config.g2p, context)
        self._keep = keep_phonemes

    def revision(self) -> str:
        """Returns the short hash of the codec's weights."""
        return self._encode.revision()

    def parameters(self) -> Any:
        """Returns what beside the files decides what becomes of them."""
        return ["import", self._encode.identity.to_json(), self._keep, self._g2p.version, self._g2p.parameters()]

    def process(self, items: Sequence[Recording]) -> list[list[Encoded | Filtered | Reject]]:
        """Reads files; one that holds no usable codes or text is rejected."""
        return guarded(items, self._imported, root=self.context.voices)

    def _imported(self, item: Recording) -> list[Encoded | Filtered | Reject]:
        artefact = read_artefact(self.context.source(item.id))
        if wrong := self._misfit(artefact.codes_KT):
            hint = "name the codec that made them: `encode.codec`, `encode.dac_model`, `encode.weights`"
            return [Reject(item.id, "BadCodes", wrong, hint)]
        said = self._said(self._utterance(item, artefact), artefact)
        if isinstance(said, Filtered | Reject):
            return [said]
        smallest = np.min_scalar_type(self._encode.identity.codebook_size - 1)
        return [Encoded(said, artefact.codes_KT.astype(smallest))]

    def _misfit(self, codes_KT: Codes) -> str:
        """Returns in which way codes aren't the codec's."""
        codec = self._encode.identity
        low, high = int(codes_KT.min()), int(codes_KT.max())
        if len(codes_KT) == codec.num_codebooks and low >= 0 and high < codec.codebook_size:
            return ""
        return (
            f"it has {len(codes_KT)} codebooks of codes from {low} to {high}, which aren't those of {codec.describe()}"
        )

    def _utterance(self, item: Recording, artefact: Artefact) -> Utterance:
        """Returns the row, without text."""
        codec, frames = self._encode.identity, artefact.codes_KT.shape[1]
        rate, samples = codec.sample_rate, round(frames * codec.sample_rate / codec.frame_rate)
        named = artefact.metadata.get("sample_rate"), artefact.metadata.get("original_length")
        match named:
            case (int(theirs), int(length)) if theirs > 0 < length:
                if abs(length / theirs - frames / codec.frame_rate) <= _OFF_FRAMES / codec.frame_rate:
                    rate, samples = theirs, length
        who = item.group, item.speaker
        return Utterance(item.id, item.id, *who, "", 0, samples, rate, "", frames=frames, digest=item.digest)

    def _said(self, row: Utterance, artefact: Artefact) -> Utterance | Filtered | Reject:
        """Returns the row with text, phonemes and language, or what a threshold of `g2p` makes of it."""
        text, phonemes = (_text(artefact.metadata.get(name)) for name in ("text", "phonemes"))
        language = _text(artefact.metadata.get("language"))
        if not text and not phonemes:
            return Reject(row.id, "NoTranscript", "it has neither text nor phonemes", "add them to its metadata")
        if not text and not language:
            raise TextError("The file must name its language, but has none, and no text to tell it from.")
        code = normalise_code(language) if language else detect(text)
        row = replace(row, text=text, phonemes=_FLAG.sub("", phonemes), language=code)
        if phonemes and (self._keep or not text):
            return row
        [[read]] = self._g2p.process([row])
        return read

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:
        """Writes the identity and the embeddings of the codec."""
        return self._encode.finish(folder, shards)


def _text(value: object) -> str:
    """Returns a text, or the symbols of a list joined."""
    if isinstance(value, list):
        value = "".join(map(str, value))
    return " ".join(value.split()) if isinstance(value, str) else ""


class _Here(SyncCluster):
    """Makes the shards in this process, with a stage that no configuration names."""

    def __init__(self, stage: Importer, stop: Callable[[], bool]) -> None:
        super().__init__(stop)
        self._stage = stage

    def run(
        self,
        function: Callable[[Any], Any],  # noqa: ARG002 (it would build the stage of that name)
        jobs: Iterable[Any],
        on_death: Callable[[Any], Any],
        *,
        gpu: bool = False,
    ) -> Iterator[Any]:
        """Yields the shards' receipts as they are made."""
        return super().run(self._make, jobs, on_death, gpu=gpu)

    def _make(self, job: ShardJob) -> Receipt:
        # The codes come from outside: no earlier stage made them.
        return make_shard(replace(job, upstream=""), lambda: self._stage)


def import_codes(options: "Options", folder: Path, *, keep_phonemes: bool) -> ExitCode:
    """Makes a dataset of files of codes, store, metadata and neighbours included.

    Args:
        options: The command's options.
        folder: What holds the files; never written to.
        keep_phonemes: Whether phonemes in the files are kept where there is text too, instead of those that
            `valle synth` would make of it.

    Returns:
        What the shell is told.

    Raises:
        UsageError: if the folder holds no such files, or of both codecs, if the dataset was made from others, or if
            the configuration asks for what needs audio.
        WeightsError: if the weights of the codec aren't at hand: they tell which codec made the codes.
    """
    codec = _codec_of(folder)
    dataset = new_dataset(options.out, folder)
    config = load_config(PrepConfig, options.config, options.sets or [], base={"encode": {"codec": codec}})
    if config.encode.codec not in {codec, "vocos" if codec == "encodec" else codec}:
        raise UsageError(
            f"`encode.codec` must be `{codec}` for the files in `{folder}`, but is `{config.encode.codec}`."
        )
    if config.g2p.unique:
        raise UsageError("`g2p.unique` needs audio to compare, but codes are imported without any. Leave it at false.")
    reporter = Reporter(quiet=options.quiet, as_json=options.as_json)
    importer = Importer(config, Context(dataset.voices, options.out.resolve()), keep_phonemes=keep_phonemes)
    importer.revision()
    if options.dry_run:
        reporter.show_import(sum(1 for _ in walk(folder, Counter())), codec)
        return ExitCode.DONE
    make_folder(options.out)
    with (
        lock.hold(options.out, reporter.say) as token,
        Interrupt(options.out, reporter.say) as stop,
        DigestCache(options.out / DIGESTS) as cache,
    ):
        found = find(options, dataset, cache, walk=walk, reporter=reporter, stop=stop)
        reporter.say(f"{found.recordings:,} files of codes")
        cluster = _Here(importer, lambda: stop.asked)
        run = Run(dataset, config, "cpu", cluster, cache, reporter, token, scanned=True)
        made = run_stages(run, [importer.name], {importer.name: plan_stage(importer, dataset, cache)})
        write_head(dataset, config, ["g2p", "encode"])
    # Without audio, only what the codes say can be compared.
    sets = ["similar.feature=codec", *(options.sets or [])]
    return prepare(replace(options, sets=sets, limit=None), ["hdf5", "metadata", "similar"], done=made)


def _codec_of(folder: Path) -> str:
    """Returns the codec that made a folder's files."""
    found = {recording.id[-4:].lower() for recording in walk(folder, Counter())}
    if len(found) > 1:
        raise UsageError(f"`{folder}` must hold files of one codec, but holds .enc and .dac. Import them one by one.")
    return SUFFIXES[found.pop()]


def walk(folder: Path, ignored: Counter[str]) -> Iterator[Recording]:
    """Yields the files of codes below a folder, as `stages.corpora.scan.walk` yields recordings.

    Raises:
        UsageError: if the folder is missing or can't be listed; at the end, if there was none.
    """
    if not folder.is_dir():
        raise UsageError(f"`{folder}` must be a folder of `.enc` or `.dac` files, but isn't one.")
    found_any = False
    for below, names in folders(folder, ignored):
        owner = owner_of(id_of(below), id_of(folder.resolve().name))
        for name in names:
            suffix = Path(name).suffix.lower()
            if suffix in SUFFIXES:
                found_any = True
                yield Recording(id_of(f"{below}/{name}" if below else name), *owner, "")
            else:
                ignored[suffix] += 1
    if not found_any:
        kinds = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in ignored.most_common(5))
        raise UsageError(f"`{folder}` must hold `.enc` or `.dac` files, but holds {kinds or 'no files'}.")
