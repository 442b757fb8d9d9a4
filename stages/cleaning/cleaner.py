"""What a cleaner is, and its row in the table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stages.errors import WeightsError
from stages.records import Wave


class Cleaner(Protocol):
    """Takes noise out of speech. Holds no state between two calls: what it returns depends on the wave alone."""

    @property
    def sample_rate(self) -> int | None:
        """Hz that it works at; None: any."""

    @property
    def piece_s(self) -> float:
        """Seconds of a long recording that it cleans at a time."""

    @property
    def context_s(self) -> float:
        """Seconds before and after a piece that it hears too."""

    def clean(self, wave: Wave, sample_rate: int) -> Wave:
        """Cleans a mono wave.

        Args:
            wave: `[samples]` float32, finite.
            sample_rate: Hz; its own if it has one.

        Returns:
            The cleaned wave, as long as the given one and not shifted against it.
        """


@dataclass(frozen=True, slots=True)
class CleanerRow:
    """A row of the table."""

    name: str
    """The name that users give."""
    help: str
    """What it does, in a line."""
    licence: str
    """Of the package, and of the weights if it has any."""
    load: Callable[[Path | None], Cleaner]
    """Loads it; takes the path of its weights, None for its own. Raises `WeightsError`."""
    identify: Callable[[Path | None], str]
    """Returns package, version and digest of the weights, without loading them. Raises `WeightsError`."""


def package_version(package: str, cleaner: str) -> str:
    """Returns the version of the package that a cleaner needs.

    Raises:
        WeightsError: if it isn't installed; names the command.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError as error:
        raise WeightsError(
            f"`clean.cleaner` = {cleaner} needs the package {package}, which isn't there. Run `make setup"
            f" EXTRAS=dev,clean`, or `pip install {package}`."
        ) from error


def without_weights(weights: Path | None, cleaner: str) -> None:
    """Raises `WeightsError` if weights are given to a cleaner that has none."""
    if weights is not None:
        raise WeightsError(
            f"`clean.weights` = `{weights}` must be left out with `clean.cleaner` = {cleaner}, which has no weights."
        )
