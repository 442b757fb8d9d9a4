"""What a stage is: `setup` once per worker, then `process` batches of items.

A stage is pure: the same items give the same outcomes, in order, whatever the batch; a bad item rejects itself and
never its neighbours. It knows nothing of files, shards or Dask: those belong to `pipeline.runner.runner`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from stages.artefacts.formats import Format
from stages.config import StageConfig
from stages.errors import AudioError, MachineError, TextError, ValleError
from stages.ids import path_of
from stages.machine import on_gpu
from stages.records import Record, Utterance

In = TypeVar("In")
Out = TypeVar("Out")
Conf = TypeVar("Conf", bound=StageConfig)


class Identified(Protocol):
    """What has an id: every item of a stage."""

    @property
    def id(self) -> str:
        """The item's id."""


Item = TypeVar("Item", bound=Identified)


@dataclass(frozen=True, slots=True)
class Reject(Record):
    """An item, or a piece of one, that can't be used: something is wrong with it."""

    id: str
    reason: str
    """A short name in CamelCase, the same for the same cause: rejects are counted by it."""
    message: str
    """What was found, in a line."""
    hint: str = ""
    """What to do about it."""


@dataclass(frozen=True, slots=True)
class Filtered(Record):
    """A sound item, or a piece of one, that the configuration leaves out."""

    id: str
    reason: str
    """The name of the rule, such as `TooShort`."""
    message: str
    """The value found and the bound it crossed."""
    cut: Utterance | None = None
    """The row as it would be, with what was measured of it, where there is one: another threshold may let it in."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds the record and its row."""
        cut = data.get("cut")
        return cls(**(data if cut is None else {**data, "cut": Utterance.from_json(cut)}))


@dataclass(frozen=True, slots=True)
class Context:
    """What a stage may know of the world around it."""

    voices: Path
    """The folder of recordings; never written to."""
    dataset: Path = Path("dataset")
    """The folder of the dataset; a stage reads the finished output of earlier stages from it."""
    device: str = "cpu"
    """`cpu`, `cuda` or `cuda:N`."""
    weights: str | None = None
    """The codec's weights, where `encode.weights` names them."""
    layout: str = "auto"
    """`transcribe.layout`: whose tables tell who speaks in the recordings."""

    def source(self, item_id: str) -> Path:
        """Returns where a recording or a transcript lies."""
        return self.voices / path_of(item_id)


class Stage(Generic[Conf, In, Out]):
    """Base of the stages. A subclass sets the class variables and writes `process`; `setup` where it needs one.

    The module of a stage is named as its command, its config section, its output folder and its test file, and holds
    one class named `STAGE`.
    """

    name: ClassVar[str]
    needs: ClassVar[str]
    """The stage whose output this one takes; `recordings` for the first."""
    version: ClassVar[int]
    """Raised when the same inputs and parameters would give other outputs; part of every fingerprint."""
    format: ClassVar[Format[Any]]
    """How the outputs lie on disk."""
    one_to_one: ClassVar[bool] = True
    """Whether every item gives exactly one outcome."""
    computes: ClassVar[bool] = False
    """Whether `process` runs a network, on the device that the context names."""
    joins: ClassVar[tuple[str, ...]] = ()
    """Other stages whose finished output `finish` reads."""
    optional: ClassVar[bool] = False
    """Whether a dataset may do without it: `valle-prep run` leaves it out unless it is `wanted`."""

    def __init__(self, config: Conf, context: Context) -> None:
        self.config = config
        self.context = context

    @property
    def batch_size(self) -> int:
        """Items for one call of `process`."""
        return 16

    @property
    def on_gpu(self) -> bool:
        """Whether `process` computes on a GPU: it then runs only on a worker that has one."""
        return self.computes and on_gpu(self.context.device)

    def wanted(self) -> bool:
        """Returns whether the configuration asks for it."""
        return True

    def revision(self) -> str:
        """Returns the identity of the weights or tables the stage depends on beyond its parameters ("" for none).

        Part of every fingerprint; must be cheap and must not load the weights into memory.
        """
        return ""

    def parameters(self) -> Any:
        """Returns what beyond the items decides the outcomes, as plain JSON values; part of a shard's fingerprint."""
        return [self.config.identity(), self.revision()]

    def item_parameters(self, item: In) -> Any:  # noqa: ARG002
        """Returns what beyond the item decides its own outcomes, as plain JSON values; part of a row's fingerprint.

        Narrower than `parameters` where some items don't depend on all of them: those are carried over.
        """
        return self._parameters

    @cached_property
    def _parameters(self) -> Any:
        return self.parameters()

    def basis(self, item: In) -> Any:  # noqa: ARG002
        """Returns what of `item_parameters` decides the costly part of the work, as plain JSON values.

        Outcomes that have the item and its basis in common are given to `revise` and not made anew; None, where there
        is nothing to gain, never is.
        """
        return None

    def revise(self, item: In, earlier: Sequence[Out | Filtered | Reject]) -> list[Out | Filtered | Reject]:
        """Returns what `process` would give, from outcomes of the item that have the same basis.

        Args:
            item: The item.
            earlier: Its outcomes under other parameters: the outputs in order, then what was left out in order.
        """
        raise NotImplementedError

    def check(self, items: Iterable[In]) -> list[str]:  # noqa: ARG002
        """Looks for what would stop the stage as a whole (missing weights); may download them, once for all workers.

        Args:
            items: Of the first stage a recording with a transcript and one without, where there are such; else none.

        Returns:
            One line a problem. What stops some of the items only is no problem here: those will be rejected.
        """
        return []

    def setup(self) -> None:
        """Imports and loads what `process` needs; called once per worker, before the first batch."""

    def process(self, items: Sequence[In]) -> list[list[Out | Filtered | Reject]]:
        """Turns items into outcomes.

        Args:
            items: What `needs` gave.

        Returns:
            For each item, in order, a non-empty list of outcomes: exactly one where `one_to_one`.
        """
        raise NotImplementedError

    def finish_parameters(self) -> Any:
        """Returns what beyond the shards, the parameters and the joined stages decides what `finish` writes.

        Returns:
            Plain JSON values; None for nothing.

        Raises:
            MissingInputError: if it can't be told yet.
        """
        return None

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:  # noqa: ARG002
        """Makes what needs all of the shards (an index, a summary), once they are sealed.

        Args:
            folder: The stage's folder; files are written into it in one atomic step each.
            shards: The names of the sealed shards, in order.

        Returns:
            The names of the files written.
        """
        return []


def single(outcomes: Sequence[Any]) -> list[list[Any]]:
    """Wraps one outcome per item in the lists that `process` returns."""
    return [[outcome] for outcome in outcomes]


def guarded(
    items: Sequence[Item], work: Callable[[Item], list[Out | Filtered | Reject]], *, root: Path | None = None
) -> list[list[Out | Filtered | Reject]]:
    """Applies `work` to each item; an item whose work raises a `ValleError` becomes one `Reject`.

    Args:
        items: What the stage was given.
        work: Turns one item into its outcomes.
        root: The voices folder, for work that reads recordings: paths in a message are shown relative to it, so that
            what a dataset says of its rejects doesn't depend on where the recordings lie.

    Returns:
        The outcomes of each item, in order. The reason is that of an `AudioError`, `UnusableText` for a `TextError`,
        and otherwise the error's name without `Error`.

    Raises:
        MachineError: if the machine is at fault and not the item.
    """
    return [_outcomes(item, work, root) for item in items]


def _outcomes(
    item: Item, work: Callable[[Item], list[Out | Filtered | Reject]], root: Path | None
) -> list[Out | Filtered | Reject]:
    try:
        return work(item)
    except MachineError:
        raise  # the item is as sound as it was
    except ValleError as error:
        message = str(error).replace(f"{root}/", "") if root else str(error)
        message = message.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return [Reject(item.id, _reason(error), message)]


def _reason(error: ValleError) -> str:
    match error:
        case AudioError():
            return error.reason
        case TextError():
            return "UnusableText"
    return type(error).__name__.removesuffix("Error")
