"""`valle-prep import FOLDER`: makes a dataset from codes that another program wrote.

Reads `FOLDER/<group>/<speaker>/<name>.enc` (EnCodec) or `.dac` (Descript Audio Codec), the format of e-c-k-e-r/vall-e.
Each file becomes one recording and one utterance. `Importer` writes the output of `encode`; the later stages run as on
any other dataset.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
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
"""Suffixes that are imported -> the codec that made the files."""
_FLAG = re.compile(r"\([a-z-]+\)")
"""Language-switch flags that espeak leaves in its phonemes, such as `(en)`."""
_OFF_FRAMES = 2
"""Largest difference, in frames, between the length in a file's metadata and the length of its codes."""


class Importer(Stage[EncodeConfig, Recording, Encoded]):
    """Makes the output of `encode` from files of codes instead of audio.

    It takes the place of `Encode` in one command and shares its name: the folder, the receipts and the fingerprints of
    an imported dataset are those of `encode`, so later stages and commands need not tell the two apart.
    """

    name = Encode.name
    needs = RECORDINGS
    version = 1
    format = Encode.format

    def __init__(self, config: PrepConfig, context: Context, *, keep_phonemes: bool) -> None:
        super().__init__(config.encode, context)
        self._encode = Encode(config.encode, context)
        self._g2p = G2p(config.g2p, context)
        self._keep = keep_phonemes

    def revision(self) -> str:
        """Returns the short hash of the codec's weights."""
        return self._encode.revision()

    def parameters(self) -> Any:
        """Returns the settings that decide what is made of a file."""
        codec = replace(self._encode.identity, licence=None)  # which changes no code
        return ["import", codec.to_json(), self._keep, self._g2p.version, self._g2p.parameters()]

    def process(self, items: Sequence[Recording]) -> list[list[Encoded | Filtered | Reject]]:
        """Reads files of codes; rejects those without usable codes or text."""
        return guarded(items, self._imported, root=self.context.voices)

    def _imported(self, item: Recording) -> list[Encoded | Filtered | Reject]:
        artefact = read_artefact(self.context.source(item.id))
        if wrong := self._misfit(artefact.codes_KT):
            keys = "`encode.codec`, `encode.dac_model`, `encode.codebooks`, `encode.weights`"
            hint = f"name the codec that made them: {keys}"
            return [Reject(item.id, "BadCodes", wrong, hint)]
        row = self._with_text(self._utterance(item, artefact), artefact)
        if isinstance(row, Filtered | Reject):
            return [row]
        smallest = np.min_scalar_type(self._encode.identity.codebook_size - 1)
        return [Encoded(row, artefact.codes_KT.astype(smallest))]

    def _misfit(self, codes_KT: Codes) -> str:
        """Returns why the codes can't be the codec's; "" if they can."""
        codec = self._encode.identity
        low, high = int(codes_KT.min()), int(codes_KT.max())
        if len(codes_KT) == codec.num_codebooks and low >= 0 and high < codec.codebook_size:
            return ""
        return f"it has {len(codes_KT)} codebooks with codes from {low} to {high}, which doesn't fit {codec.describe()}"

    def _utterance(self, item: Recording, artefact: Artefact) -> Utterance:
        """Returns the row without text; its length is that of the metadata where this fits the codes."""
        codec, frames = self._encode.identity, artefact.codes_KT.shape[1]
        rate, samples = codec.sample_rate, round(frames * codec.sample_rate / codec.frame_rate)
        match artefact.metadata.get("sample_rate"), artefact.metadata.get("original_length"):
            case (int(theirs), int(length)) if theirs > 0 < length:
                if abs(length / theirs - frames / codec.frame_rate) <= _OFF_FRAMES / codec.frame_rate:
                    rate, samples = theirs, length
        who = item.group, item.speaker
        return Utterance(item.id, item.id, *who, "", 0, samples, rate, "", frames=frames, digest=item.digest)

    def _with_text(self, row: Utterance, artefact: Artefact) -> Utterance | Filtered | Reject:
        """Returns the row with text, phonemes and language, unless it lacks text or a threshold of `g2p` drops it."""
        text, phonemes = (_text(artefact.metadata.get(name)) for name in ("text", "phonemes"))
        language = _text(artefact.metadata.get("language"))
        if not text and not phonemes:
            return Reject(row.id, "NoTranscript", "it has neither text nor phonemes", "add either to its metadata")
        if not text and not language:
            raise TextError("The file must name its language: it has no text to detect it from.")
        code = normalise_code(language) if language else detect(text)
        row = replace(row, text=text, phonemes=_FLAG.sub("", phonemes), language=code)
        if phonemes and (self._keep or not text):
            return row
        [[outcome]] = self._g2p.process([row])
        return outcome

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:
        """Writes the codec's identity and embeddings."""
        return self._encode.finish(folder, shards)


def _text(value: object) -> str:
    """Returns a string, or the joined symbols of a list, with single spaces; "" for anything else."""
    if isinstance(value, list):
        value = "".join(map(str, value))
    return " ".join(value.split()) if isinstance(value, str) else ""


def import_codes(options: "Options", folder: Path, *, keep_phonemes: bool) -> ExitCode:
    """Makes a dataset from files of codes, with store, metadata and neighbours.

    Args:
        options: The command's options.
        folder: The folder of the files; never written to.
        keep_phonemes: Whether to keep the phonemes of files that also have text. Otherwise they are made anew from the
            text, as `valle synth` makes them.

    Returns:
        The exit code.

    Raises:
        UsageError: if the folder contains no such files or files of both codecs, if the dataset was made from other
            files, or if the configuration needs audio.
        WeightsError: if the codec's weights are missing; they identify the codec that made the codes.
    """
    codec = _codec_of(folder)
    dataset = new_dataset(options.out, folder)
    config = load_config(PrepConfig, options.config, options.sets or [], base={"encode": {"codec": codec}})
    if config.encode.codec not in {codec, "vocos" if codec == "encodec" else codec}:
        raise UsageError(
            f"`encode.codec` must be `{codec}` to import the files in `{folder}`, but is `{config.encode.codec}`."
        )
    if config.g2p.unique:
        raise UsageError("`g2p.unique` compares audio, but `valle-prep import` has none. Set `g2p.unique=false`.")
    reporter = Reporter(quiet=options.quiet, as_json=options.as_json)
    importer = Importer(config, Context(dataset.voices, options.out.resolve()), keep_phonemes=keep_phonemes)
    importer.revision()
    if options.dry_run:
        reporter.show_import(sum(1 for _ in walk(folder, Counter())), codec)
        return ExitCode.DONE

    def make(job: ShardJob) -> Receipt:
        # No `upstream`: no earlier stage made the codes.
        return make_shard(replace(job, upstream=""), lambda: importer)

    make_folder(options.out)
    with (
        lock.hold(options.out, reporter.say) as token,
        Interrupt(options.out, reporter.say) as stop,
        DigestCache(options.out / DIGESTS) as cache,
    ):
        found = find(options, dataset, cache, walk=walk, reporter=reporter, stop=stop)
        reporter.say(f"{found.recordings:,} files of codes")
        cluster = SyncCluster(lambda: stop.asked)
        run = Run(dataset, config, "cpu", cluster, cache, reporter, token, scanned=True, make=make)
        made = run_stages(run, [importer.name], {importer.name: plan_stage(importer, dataset, cache)})
        write_head(dataset, config, ["g2p", "encode"])
    # There is no audio, so only features of codes can be compared.
    sets = list(options.sets or [])
    if not any(item.partition("=")[0].strip() == "similar.feature" for item in sets):
        sets.append("similar.feature=codec")
    return prepare(replace(options, sets=sets, limit=None), ["hdf5", "metadata", "similar"], done=made)


def _codec_of(folder: Path) -> str:
    """Returns the name of the codec that made the files."""
    suffixes = {recording.id[-4:].lower() for recording in walk(folder, Counter())}
    if len(suffixes) > 1:
        raise UsageError(
            f"`{folder}` must contain files of one codec, but contains `.enc` and `.dac` files."
            " Import them into two datasets."
        )
    return SUFFIXES[suffixes.pop()]


def walk(folder: Path, ignored: Counter[str]) -> Iterator[Recording]:
    """Yields the files of codes below a folder as recordings, as `stages.corpora.scan.walk` does for audio.

    Args:
        folder: The folder to search.
        ignored: Counts the other files, by suffix.

    Raises:
        UsageError: if the folder is missing or can't be listed, or, at the end, if it contains no such files.
    """
    if not folder.is_dir():
        raise UsageError(f"`{folder}` must be a folder of `.enc` or `.dac` files, but isn't one.")
    found_any = False
    for below, names in folders(folder, ignored, tars="closed"):
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
        raise UsageError(f"`{folder}` must contain `.enc` or `.dac` files, but contains {kinds or 'no files'}.")
