"""The voices that a server offers: the recordings and kept voices of one folder, and nothing outside it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.serving.errors import RefusedError
from stages.audio.files import SUFFIXES
from stages.errors import ArtefactError, TextError, UsageError

if TYPE_CHECKING:
    from model.config import DataConfig
    from model.inference.voices import Voice

MAX_TEXT_BYTES = 100_000
KEPT_SUFFIX = ".safetensors"
"""`model.inference.voices.SUFFIX`, without loading what that module needs."""


@dataclass(frozen=True, slots=True)
class FoundVoice:
    """A voice of the folder."""

    name: str
    kind: str
    path: Path
    text_path: Path | None
    """What the recording says."""

    def prompt(self) -> "Path | Voice":
        """Returns the voice as the model takes it; raises `RefusedError` if it is a damaged file of `valle voice`."""
        try:
            return _PROMPTS[self.kind](self.path)
        except ArtefactError as error:
            raise RefusedError(422, str(error), param="voice", code="damaged_voice") from error

    def text(self) -> str | None:
        """Returns what the recording says, if it is known; raises `TextError` if its file isn't UTF-8."""
        if self.text_path is None:
            return None
        try:
            with self.text_path.open("rb") as file:
                return file.read(MAX_TEXT_BYTES).decode("utf-8-sig").strip() or None
        except UnicodeDecodeError as error:
            raise TextError(f"`voice` {self.name}: its text must be UTF-8. Save it so.") from error

    def given(self, trained: "DataConfig") -> "tuple[Path | Voice, str | None]":
        """Returns the voice as a model takes it, and what its recording says, if the model can continue that.

        Args:
            trained: The section `data` of the model's training. A model that can't continue a recording speaks in its
                voice all the same.
        """
        prompt = self.prompt()
        if trained.continuation_probability > 0:
            return prompt, self.text()
        return (prompt if isinstance(prompt, Path) else prompt.untold(trained.prompt_s)), None

    def has_text(self) -> bool:
        """Returns whether it is known what the voice says; raises `ArtefactError` if its file is damaged."""
        return self.text_path is not None if self.kind != KEPT else _kept(self.path).texts is not None


def _kept(path: Path) -> "Voice":
    from model.inference.voices import Voice

    return Voice.load(path)


KEPT = "kept"
_PROMPTS: "Mapping[str, Callable[[Path], Path | Voice]]" = {"recording": lambda path: path, KEPT: _kept}


def kind_of(path: Path) -> str | None:
    """Tells what kind of voice a file is; None for a file that is none."""
    if path.suffix == KEPT_SUFFIX:
        return KEPT
    return "recording" if path.suffix.lower() in SUFFIXES else None


class Voices:
    """The voices of a folder; looked up anew for each request, so that new ones are there at once.

    A name is only ever compared with the names of the files there: it never becomes a path.

    Args:
        folder: The folder; None for no voices.

    Raises:
        UsageError: if it isn't there, or two files there have the same name.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder is not None and not folder.is_dir():
            raise UsageError(f"`--voices` must be a folder of recordings, but `{folder}` is none.")
        self._folder = None if folder is None else folder.resolve()
        if self._folder is not None and (twice := _twice(self._files())):
            raise UsageError(f"`{folder}` holds two voices of the name `{twice}`. Rename one.")

    def all(self) -> list[FoundVoice]:
        """Returns the voices, by name, also those whose files are damaged."""
        return [_found(path) for path in self._files()]

    def listed(self) -> list[dict[str, Any]]:
        """Returns the voices as the server lists them: without damaged files of `valle voice`."""
        rows: list[dict[str, Any]] = []
        for one in self.all():
            with suppress(ArtefactError):  # told when it is asked for
                rows.append({"id": one.name, "name": one.name, "kind": one.kind, "text": one.has_text()})
        return rows

    def find(self, name: str) -> FoundVoice:
        """Returns a voice; raises `RefusedError` if there is none of that name, or two."""
        matching = [path for path in self._files() if path.stem == name]
        if len(matching) == 1:
            return _found(matching[0])
        what = "is the name of two files there" if matching else "isn't among those of GET /v1/audio/voices"
        raise RefusedError(422, f"`voice` must be a voice of this server, but `{name}` {what}.", param="voice")

    def _files(self) -> list[Path]:
        folder = self._folder
        if folder is None:
            return []
        files = [path for path in sorted(folder.iterdir()) if kind_of(path)]
        return [path for path in files if not path.name.startswith(".") and _is_inside(path, folder)]


def _found(path: Path) -> FoundVoice:
    text, kind = path.with_suffix(".txt"), kind_of(path) or ""
    return FoundVoice(path.stem, kind, path, text if kind != KEPT and _is_inside(text, path.parent) else None)


def _is_inside(path: Path, folder: Path) -> bool:
    """Returns whether a path is a file of the folder, also where it is a link."""
    return path.is_file() and path.resolve().is_relative_to(folder)


def _twice(paths: list[Path]) -> str | None:
    names = [path.stem for path in paths]
    return next((name for name in names if names.count(name) > 1), None)
