"""The stage `clean`: takes the noise out of recordings, before anything is heard or cut.

The recordings themselves stay untouched: the cleaned sound lies in the dataset, and all later stages read it. It is as
long as the recording and not shifted against it, so that the times of transcripts still fit.
`valle-prep run` skips this stage unless `clean.cleaner` is set.
"""

import hashlib
import json
import logging
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from stages.artefacts.disk import write_text
from stages.artefacts.formats import rows_of
from stages.artefacts.manifest import file_digest
from stages.audio import files as audio
from stages.audio.tape import Samples
from stages.base import Filtered, Reject, Stage, guarded
from stages.cleaning.cleaned import Cleaned, CleanedRows, Scores
from stages.cleaning.cleaner import Cleaner
from stages.cleaning.overlapped import Block, cleaned
from stages.cleaning.table import CLEANERS
from stages.config import StageConfig, runtime
from stages.errors import WeightsError
from stages.ids import Channel, Place, place_of
from stages.listeners.dnsmos import SAMPLE_RATE, Dnsmos
from stages.records import Recording, Wave

_log = logging.getLogger(__name__)

SUMMARY = "cleaned.json"
"""How many recordings were cleaned, and the mean scores before and after."""
_WINDOW_S = 9.01
_MOST_WINDOWS = 12
"""DNSMOS hears windows of nine seconds: so many of a long recording, evenly spread."""
_IN_MEMORY = 64 * 2**20
"""Bytes of cleaned samples that are held in memory until their peak is known; more are on the disk."""
_SPOOLED = ".tmp.flac"
"""How the name of a sound ends that isn't in its shard yet; the runner removes what a killed run left of them."""
_TURN = 1 << 20
"""Samples that are written at a time."""


class CleanConfig(StageConfig):
    """What cleans the recordings."""

    cleaner: str | None = None
    """A row of the table of cleaners: `gate` (spectral gating, no weights), `deepfilternet` (a neural denoiser, its
    weights come in the package), `demucs` (separates voices from music, needs `clean.weights`). Not set: recordings
    are used as they are."""
    weights: str | None = runtime(None)
    """Path of the cleaner's weights, where it has others than its package's. Their content, not the path, enters the
    fingerprint."""
    strength: float = Field(default=1.0, gt=0, le=1)
    """How much of what the cleaner takes away is left out, 0 to 1; the rest stays beside the voice."""
    dnsmos: str | None = runtime(None)
    """Path of DNSMOS P.835's `sig_bak_ovr.onnx`, to predict listening scores before and after (needs onnxruntime). The
    file's content, not its path, enters the fingerprint."""
    min_gain: float | None = Field(default=None, ge=-4, le=4)
    """Least rise of DNSMOS's overall score; a recording that gains less stays as it is. Not set: all are cleaned."""
    item_timeout_s: float = runtime(3600.0, ge=0)
    """As in every stage, but longer: a recording may last hours."""

    @field_validator("cleaner")
    @classmethod
    def _in_the_table(cls, name: str | None) -> str | None:
        if name is not None and name not in CLEANERS:
            raise ValueError(f"must be {', '.join(CLEANERS)}, but is {name}")
        return name

    @model_validator(mode="after")
    def _is_scored(self) -> Self:
        if self.min_gain is not None and self.dnsmos is None:
            raise ValueError(
                "`min_gain` needs `clean.dnsmos`, the path of `sig_bak_ovr.onnx`; give it, or leave it out"
            )
        return self


class Clean(Stage[CleanConfig, Recording, Cleaned]):
    """Cleans each recording, in pieces that overlap, and scores it before and after."""

    name = "clean"
    needs = "recordings"
    version = 1
    optional = True
    format = CleanedRows()

    _cleaner: Cleaner
    _dnsmos: Dnsmos | None = None

    @property
    def batch_size(self) -> int:
        """Recordings per call of `process`: few, so that little is lost by a kill."""
        return 1

    def wanted(self) -> bool:
        """Returns whether the configuration names a cleaner."""
        return self.config.cleaner is not None

    @cached_property
    def _identity(self) -> str:
        """What cleans: package, version and the digest of the weights."""
        if self.config.cleaner is None:
            return ""
        return CLEANERS[self.config.cleaner].identify(self._weights)

    @property
    def _weights(self) -> Path | None:
        return None if self.config.weights is None else Path(self.config.weights).expanduser()

    def revision(self) -> str:
        """Returns the identities of the cleaner and of DNSMOS."""
        path = self.config.dnsmos
        scored = f"dnsmos {file_digest(Path(path).expanduser())[:12]}" if path is not None else ""
        return ", ".join(filter(None, [self._identity, scored]))

    def check(self, items: Iterable[Recording]) -> list[str]:  # noqa: ARG002
        """Returns the problems with the cleaner, its weights and DNSMOS."""
        if not self.wanted():
            return [f"nothing to clean with: set `clean.cleaner` to {', '.join(CLEANERS)}"]
        problems = []
        for look in (lambda: self._identity, self._load_dnsmos):
            try:
                look()
            except WeightsError as error:
                problems.append(str(error))
        return problems

    def _load_dnsmos(self) -> None:
        if self.config.dnsmos is not None:
            self._dnsmos = Dnsmos(Path(self.config.dnsmos).expanduser(), "clean.dnsmos")

    def setup(self) -> None:
        """Loads the cleaner and DNSMOS. Raises `WeightsError`."""
        assert self.config.cleaner is not None
        self._cleaner = CLEANERS[self.config.cleaner].load(self._weights)
        self._load_dnsmos()

    def process(self, items: Sequence[Recording]) -> list[list[Cleaned | Filtered | Reject]]:
        """Cleans recordings.

        Rejected:
            As by `transcribe`, which would read the same recordings; `NotCleaned`: the cleaner failed on one.
        """
        return guarded(items, self._clean, root=self.context.voices)

    def sealed(self, outcomes: Sequence[Cleaned | Filtered | Reject]) -> None:
        """Removes the files from which a shard's sound was copied."""
        for one in outcomes:
            if isinstance(one, Cleaned) and one.sound is not None and one.sound.name.endswith(_SPOOLED):
                one.sound.unlink(missing_ok=True)

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:
        """Writes how many recordings were cleaned, and the mean scores before and after; logs both."""
        rows = [Cleaned.from_json(row) for row in rows_of(folder, shards)]
        taken = [row for row in rows if row.kept is None]
        told: dict[str, Any] = {"cleaned": len(taken), "kept": len(rows) - len(taken), "cleaner": self._identity}
        for name in ("sig", "bak", "ovrl"):
            pairs = [(getattr(row.before, name), getattr(row.after, name)) for row in taken if row.before and row.after]
            if pairs:
                told[name] = np.mean(pairs, axis=0).round(3).tolist()
        write_text(folder / SUMMARY, json.dumps(told, indent=1) + "\n")
        scores = "".join(
            f"; {name} {told[name][0]} -> {told[name][1]}" for name in ("sig", "bak", "ovrl") if name in told
        )
        _log.warning("cleaned %d recordings, %d stay as they are%s", len(taken), told["kept"], scores)
        return [SUMMARY]

    def _clean(self, recording: Recording) -> list[Cleaned | Filtered | Reject]:
        place = place_of(self.context.voices, recording.id, self.context.raw)
        sides: tuple[Channel, ...] = ("left", "right") if audio.channels_in(place) == 2 else ("mix",)
        heard = [audio.listen(replace(place, channel=side), named_by=recording.transcript) for side in sides]
        if all(one.silent for one in heard):
            heard[0].check_speakable()
        rate, samples = heard[0].sample_rate, len(heard[0].wave)
        about = {name: getattr(recording, name) for name in Recording.__match_args__}
        row = Cleaned(**about, source=recording.digest, cleaner=self._identity, sample_rate=rate, samples=samples)
        waves = [one.wave for one in heard]
        before = self._scores(lambda start, end: np.mean([wave[start:end] for wave in waves], axis=0), row)
        sound = self.context.dataset / self.name / f".{uuid.uuid4().hex}{_SPOOLED}"
        digest, gain_db = self._write(sound, waves, rate)
        after = self._scores(lambda start, end: audio.read(Place(sound), start, end)[0], row)
        row = replace(row, channels=len(sides), before=before, after=after)
        least = self.config.min_gain
        if least is not None and before and after and after.ovrl - before.ovrl < least:
            sound.unlink()
            why = f"ovrl {before.ovrl:.2f} -> {after.ovrl:.2f}, under `clean.min_gain` ({least:g})"
            return [replace(row, kept=why)]
        return [replace(row, digest=digest, gain_db=gain_db, sound=sound)]

    def _write(self, sound: Path, waves: Sequence[Samples], rate: int) -> tuple[str, float]:
        """Writes the cleaned channels, turned down where they would be clipped; returns their digest and the gain."""
        sound.parent.mkdir(parents=True, exist_ok=True)
        peak, channels = 0.0, len(waves)
        with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(sound.parent)) as spool:
            for block in cleaned(waves, rate, self._cleaner, self.config.strength):
                peak = max(peak, float(np.abs(block).max(initial=0)))
                spool.write(np.ascontiguousarray(block).tobytes())
            spool.seek(0)
            gain = np.float32(1 / peak) if peak > 1 else np.float32(1)
            seen = hashlib.sha256(f"{rate} {channels}".encode())

            def blocks() -> Iterator[Block]:
                while content := spool.read(4 * channels * _TURN):
                    block = np.frombuffer(content, np.float32).reshape(-1, channels) * gain
                    seen.update(audio.twenty_four_bit(block).tobytes())
                    yield block

            audio.write_flac(sound, blocks(), rate, channels)
        return seen.hexdigest(), round(20 * float(np.log10(gain)), 4)

    def _scores(self, read: Callable[[int, int], Wave], row: Cleaned) -> Scores | None:
        """Returns the mean scores of windows spread evenly over a recording; None without DNSMOS."""
        if self._dnsmos is None:
            return None
        window, rate = -(-round(1000 * _WINDOW_S) * row.sample_rate // 1000), row.sample_rate
        count = min(_MOST_WINDOWS, max(1, -(-row.samples // window)))
        starts = np.linspace(0, max(row.samples - window, 0), count).astype(int).tolist()
        waves = (audio.resample(read(at, min(at + window, row.samples)), rate, SAMPLE_RATE) for at in starts)
        found = [self._dnsmos.score(np.asarray(wave, np.float32)) for wave in waves]
        return Scores(*(round(float(np.mean([one[name] for one in found])), 3) for name in ("sig", "bak", "ovrl")))


STAGE = Clean
