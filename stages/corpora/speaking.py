"""Writes recordings of given texts, spoken by a voice of Piper, on several processes.

    <folder>/.voice.json             which voice, seed and version spoke; another one is refused
    <folder>/<speaker>/<name>.wav    with the text beside it as .txt

Each text is spoken by one speaker, chosen by a hash of its name. What is there already is kept, so that an interrupted
call can be continued. The bytes depend on voice, seed and text, and not on the other texts or the number of processes.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.artefacts.disk import atomic, write_text
from stages.artefacts.identity import differences, write_identity
from stages.audio.files import wav_of
from stages.corpora.piper import SPEAKERS, Piper, Speaker, digest_of, find_voice, seed_of
from stages.corpora.sentences import Sentence
from stages.errors import ArtefactError, MachineError, TextError, UsageError
from stages.text.phonemes import phonemize, reader_packages

LANGUAGE = "en"
"""What the voice speaks."""
IDENTITY = ".voice.json"
PAUSE_S = 0.1
"""Silence before and after each text."""

_VERSION = "3"
"""Raise it when the speech changes."""
_AT_A_TIME = 8
"""Texts that a process is given together."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A text with its speaker."""

    sentence: Sentence
    speaker: Speaker
    phonemes: str

    def path(self, folder: Path) -> Path:
        """Returns the recording's path."""
        return folder / self.speaker.name / f"{self.sentence.name}.wav"

    def is_there(self, folder: Path) -> bool:
        """Returns whether recording and text are there. The recording is renamed into its place last."""
        text = self.path(folder).with_suffix(".txt")
        return self.path(folder).is_file() and text.is_file() and text.read_text(encoding="utf-8") == self._written

    def write(self, folder: Path, voice: Piper, seed: int) -> None:
        """Writes the text, then the recording."""
        wave = voice.speak(self.phonemes, self.speaker, seed_of(seed, self.speaker.name, self.sentence.text))
        wave = np.pad(wave, round(PAUSE_S * voice.sample_rate))
        path = self.path(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path.with_suffix(".txt"), self._written)
        with atomic(path) as temporary:
            temporary.write_bytes(wav_of(wave, voice.sample_rate))

    @property
    def _written(self) -> str:
        return f"{self.sentence.text}\n"


def speaker_of(name: str) -> Speaker:
    """Returns who speaks a text, by a hash of its name."""
    return SPEAKERS[seed_of(0, name) % len(SPEAKERS)]


def write_spoken(
    folder: Path,
    sentences: Sequence[Sentence],
    *,
    weights: Path | None = None,
    seed: int = 0,
    jobs: int = 1,
    show: Callable[[int, int], None] = lambda _done, _all: None,
) -> int:
    """Writes a recording of each text that has none yet.

    Args:
        folder: Created if missing. It may hold recordings that this function wrote with the same voice and seed.
        sentences: English texts, with names that differ.
        weights: The voice's ONNX file; not given: that of the extra `piper`.
        seed: Of the voice's intonation.
        jobs: Processes.
        show: Told after each few how many of all recordings are there.

    Returns:
        How many recordings were made; the others were there already.

    Raises:
        UsageError: if the folder holds anything else, or recordings of another voice or seed.
        WeightsError: if the voice or a package isn't there.
        TextError: if a text can't be spoken; nothing is written then.
        MachineError: if the disk is full, or a process is killed.
    """
    voice = find_voice(weights)
    clips = _clips(sentences, Piper(voice))
    _check_folder(folder, clips, _identity(voice, seed))
    missing = [clip for clip in clips if not clip.is_there(folder)]
    batches = [missing[at : at + _AT_A_TIME] for at in range(0, len(missing), _AT_A_TIME)]
    done = len(clips) - len(missing)
    show(done, len(clips))
    try:
        for count in _spoken(batches, folder, voice, seed, min(jobs, len(batches))):
            done += count
            show(done, len(clips))
    except BrokenProcessPool as error:
        raise MachineError(
            f"a process that speaks was killed, perhaps for want of memory; {done:,} of {len(clips):,} recordings are"
            f" in `{folder}`. Run the same command again, with fewer `--jobs`."
        ) from error
    except OSError as error:
        raise MachineError(f"`{folder}` can't be written to: {error.strerror}. Mend it, and run again.") from error
    return len(missing)


def _clips(sentences: Sequence[Sentence], voice: Piper) -> list[Clip]:
    """Returns the clips; raises `TextError` for the first text that the voice can't say."""
    read = phonemize([one.text for one in sentences], LANGUAGE)
    for one, phonemes in zip(sentences, read, strict=True):
        try:
            voice.ids(phonemes)
        except TextError as error:
            raise TextError(f"`{one.name}`: {error}") from error
    return [Clip(one, speaker_of(one.name), phonemes) for one, phonemes in zip(sentences, read, strict=True)]


def _identity(voice: Path, seed: int) -> dict[str, str]:
    told = {"voice": f"{voice.name} {digest_of(voice)}", "seed": str(seed), "version": _VERSION}
    return {**told, "phonemes": reader_packages()}


def _check_folder(folder: Path, clips: Sequence[Clip], identity: dict[str, str]) -> None:
    """Checks that a folder holds nothing else, and writes the identity if it has none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"`{folder}` can't be created: {error.strerror}. Give another folder.") from error
    about = folder / IDENTITY
    ours = {about, *(clip.path(folder).with_suffix(end) for clip in clips for end in (".wav", ".txt"))}
    others = (path for path in folder.rglob("*") if path not in ours and not path.is_dir() and path.suffix != ".tmp")
    if other := min(others, default=None):
        raise UsageError(
            f"`{folder}` must be empty or hold only recordings of these texts, but holds `{other}`. Give a new folder."
        )
    if not about.exists():
        if any(clip.path(folder).exists() for clip in clips):
            raise UsageError(
                f"`{folder}` has recordings, but no `{IDENTITY}` that tells their voice. Give a new folder."
            )
        write_identity(about, identity)
        return
    try:
        told = differences(about, identity)
    except (OSError, ValueError) as error:
        raise ArtefactError(
            f"`{about}` must tell the recordings' voice, but can't be read. Give a new folder."
        ) from error
    if told:
        raise UsageError(f"`{folder}` holds recordings made otherwise ({told}). Give a new folder.")


def _spoken(batches: Sequence[list[Clip]], folder: Path, voice: Path, seed: int, jobs: int) -> Iterator[int]:
    """Speaks batches, and yields the number of texts of each when it is written."""
    if jobs <= 1:
        worker = _Worker(Piper(voice), folder, seed)
        yield from map(worker.speak, batches)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of the parent's threads
    with ProcessPoolExecutor(jobs, context, _begin, (voice, folder, seed)) as pool:
        try:
            for done in as_completed([pool.submit(_speak, batch) for batch in batches]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Worker:
    voice: Piper
    folder: Path
    seed: int

    def speak(self, batch: list[Clip]) -> int:
        for clip in batch:
            clip.write(self.folder, self.voice, self.seed)
        return len(batch)


_workers: list[_Worker] = []
"""The worker of a process, which keeps the voice loaded."""


def _begin(voice: Path, folder: Path, seed: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it lets each process end its batch
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _workers.append(_Worker(Piper(voice), folder, seed))


def _end_with_parent() -> None:
    """Ends this process when its parent was killed; it would wait for work for ever."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _speak(batch: list[Clip]) -> int:
    return _workers[0].speak(batch)
