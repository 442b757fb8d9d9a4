"""The base class of the stages: `setup` once per worker, then `process` batches of items.

A stage is pure: the same items give the same outcomes, in order, whatever the batch. A bad item is rejected without
affecting its neighbours. Shards and Dask are the business of `pipeline.runner`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from stages.artefacts.formats import Format
from stages.cleaning.cleaned import FOLDER as CLEAN
from stages.cleaning.cleaned import sound_of
from stages.config import StageConfig
from stages.errors import AudioError, MachineError, TextError, ValleError
from stages.ids import Place, path_of
from stages.machine import on_gpu
from stages.records import Record, Utterance

In = TypeVar("In")
Out = TypeVar("Out")
Did = TypeVar("Did")
Conf = TypeVar("Conf", bound=StageConfig)


class Identified(Protocol):
    """Anything with an id: every item of a stage."""

    @property
    def id(self) -> str:
        """The item's id."""


Item = TypeVar("Item", bound=Identified)


@dataclass(frozen=True, slots=True)
class Reject(Record):
    """An item, or a piece of one, that can't be used: something is wrong with it."""

    id: str
    reason: str
    """A short name in CamelCase for the cause; rejects are counted by it."""
    message: str
    """What is wrong, in one line."""
    hint: str = ""
    """What the user can do about it."""


@dataclass(frozen=True, slots=True)
class Filtered(Record):
    """A sound item, or a piece of one, that the configuration leaves out."""

    id: str
    reason: str
    """The name of the rule, such as `TooShort`."""
    message: str
    """The value, and the bound that it breaks."""
    cut: Utterance | None = None
    """The utterance with its measures, where there is one, so that another threshold can let it in."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Builds the record and its utterance."""
        cut = data.get("cut")
        return cls(**(data if cut is None else {**data, "cut": Utterance.from_json(cut)}))


@dataclass(frozen=True, slots=True)
class Context:
    """The folders, device and settings that a stage may use besides its own section."""

    voices: Path
    """The folder of recordings; never written to."""
    dataset: Path = Path("dataset")
    """The folder of the dataset; a stage reads the finished output of earlier stages from it."""
    device: str = "cpu"
    """`cpu`, `cuda` or `cuda:N`."""
    weights: str | None = None
    """`encode.weights`: the path of the codec's weights."""
    exact: bool = False
    """`encode.exact`: whether the codec computes as its library does."""
    layout: str = "auto"
    """`transcribe.layout`: the corpus layout, which names the recordings' speakers."""
    columns: tuple[tuple[str, str], ...] = ()
    """`transcribe.columns`: the columns of a table, and what each is."""
    raw: str = ""
    """`transcribe.raw`: the format of recordings without a header."""
    verify: str = ""
    """`transcribe.verify`: the whisper model that hears every cut again; "" for none."""
    cleaner: str = ""
    """`clean.cleaner`: what cleaned the recordings; "" if they are used as they are."""

    def source(self, item_id: str) -> Path:
        """Returns the path of a recording or a transcript."""
        return self.voices / path_of(item_id)

    def place(self, item_id: str) -> Place:
        """Returns where a recording's sound lies. Raises `AudioError` if it should be cleaned, but isn't."""
        return sound_of(self.voices, self.dataset, item_id, raw=self.raw, is_cleaned=bool(self.cleaner))


class Stage(Generic[Conf, In, Out]):
    """Base of the stages. A subclass sets the class variables and writes `process`, and `setup` if it needs one.

    A stage's module has the same name as its command, its config section, its output folder and its test file. It
    assigns the class to `STAGE`.
    """

    name: ClassVar[str]
    needs: ClassVar[str]
    """The stage that makes this one's items; `recordings` for the first stage."""
    version: ClassVar[int]
    """Raise it when the same inputs and parameters give other outputs; part of every fingerprint."""
    format: ClassVar[Format[Any]]
    """File format of the outputs."""
    one_to_one: ClassVar[bool] = True
    """Whether every item gives exactly one outcome."""
    computes: ClassVar[bool] = False
    """Whether `process` runs a network on the context's device."""
    borrows: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Keys of other sections that the stage uses, as (section, key); a dataset remembers them with the stage's own."""
    joins: ClassVar[tuple[str, ...]] = ()
    """Other stages whose finished output `finish` reads."""
    optional: ClassVar[bool] = False
    """Whether `valle-prep run` skips the stage unless it is `wanted`."""

    def __init__(self, config: Conf, context: Context) -> None:
        self.config = config
        self.context = context

    @classmethod
    def follows(cls, cleaner: str) -> str:
        """Returns the stage whose outputs are this one's items: `needs`, or `clean` where recordings are cleaned.

        Args:
            cleaner: `Context.cleaner`.
        """
        return CLEAN if cleaner and cls.needs == "recordings" and cls.name != CLEAN else cls.needs

    @property
    def before(self) -> str:
        """The stage whose outputs are this one's items in its dataset."""
        return self.follows(self.context.cleaner)

    @property
    def batch_size(self) -> int:
        """Items per call of `process`."""
        return 16

    @property
    def on_gpu(self) -> bool:
        """Whether `process` computes on a GPU, and so runs only on workers that have one."""
        return self.computes and on_gpu(self.context.device)

    @property
    def imports(self) -> tuple[str, ...]:
        """The slow imports of `process`: the workers of one machine share them; what is missing here is no fault."""
        return ()

    def wanted(self) -> bool:
        """Returns whether the configuration asks for the stage."""
        return True

    def revision(self) -> str:
        """Returns the identity of the weights or tables that the outcomes depend on; "" for none.

        Part of every fingerprint. Must be cheap, and must not load the weights into memory.
        """
        return ""

    def parameters(self) -> Any:
        """Returns the parameters that affect the outcomes, as plain JSON values; part of a shard's fingerprint."""
        return [self.config.identity(), self.revision()]

    def item_parameters(self, item: In) -> Any:  # noqa: ARG002
        """Returns the parameters that affect one item's outcomes, as plain JSON values; part of a row's fingerprint.

        May be fewer than `parameters`: when the others change, the item's outcomes are carried over.
        """
        return self._parameters

    @cached_property
    def _parameters(self) -> Any:
        return self.parameters()

    def basis(self, item: In) -> Any:  # noqa: ARG002
        """Returns what the expensive result of an item depends on, for example everything but thresholds.

        These are plain JSON values. If they and the item are as before, `revise` reuses the stored outcomes and
        `process` isn't called. None: no such reuse.
        """
        return None

    def revise(self, item: In, earlier: Sequence[Out | Filtered | Reject]) -> list[Out | Filtered | Reject]:
        """Returns the outcomes that `process` would give, made from earlier ones with the same basis.

        Args:
            item: The item.
            earlier: Its outcomes under other parameters: first the outputs, then the filtered and rejected, in order.
        """
        raise NotImplementedError

    def check(self, items: Iterable[In]) -> list[str]:  # noqa: ARG002
        """Looks for problems that stop the whole stage, such as missing weights.

        Runs once, before the workers start, and may download weights for all of them.

        Args:
            items: For the first stage, a recording with a transcript and one without, where there are such; else none.

        Returns:
            One line per problem. A problem of some items only isn't listed: those will be rejected.
        """
        return []

    def setup(self) -> None:
        """Imports libraries and loads weights for `process`; called once per worker, before the first batch."""

    def inherit(self, tried: Self) -> None:
        """Takes over what another instance has loaded, before `setup`; nothing, unless a stage loads slowly.

        Args:
            tried: An instance with the same configuration and device, which was tried on a sample in this process.
        """

    def process(self, items: Sequence[In]) -> list[list[Out | Filtered | Reject]]:
        """Turns items into outcomes.

        Args:
            items: Outputs of the stage that `needs` names.

        Returns:
            For each item, in order, a non-empty list of outcomes; exactly one if `one_to_one`.
        """
        raise NotImplementedError

    def sealed(self, outcomes: Sequence[Out | Filtered | Reject]) -> None:
        """Removes what a shard's outcomes held aside, once they are written; by default there is nothing."""

    def finish_parameters(self) -> Any:
        """Returns anything else that `finish` reads and that could change, such as a setting of another stage.

        Returns:
            Plain JSON values. If they change, `finish` runs again. Changed shards, own parameters and joined stages
            are noticed without it. None: nothing else.

        Raises:
            MissingInputError: if it isn't known yet.
        """
        return None

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:  # noqa: ARG002
        """Writes files that cover all shards, such as an index or a summary, once the shards are sealed.

        Args:
            folder: The stage's folder. Each file must be written in one atomic step.
            shards: The names of the sealed shards, in order.

        Returns:
            The names of the files written.
        """
        return []


def single(outcomes: Sequence[Any]) -> list[list[Any]]:
    """Wraps one outcome per item in the lists that `process` returns."""
    return [[outcome] for outcome in outcomes]


def guarded(
    items: Sequence[Item], work: Callable[[Item], list[Did]], *, root: Path | None = None
) -> list[list[Did | Reject]]:
    """Applies `work` to each item; an item whose work raises a `ValleError` becomes one `Reject`.

    Args:
        items: The items.
        work: Turns one item into its outcomes.
        root: The voices folder, for work that reads recordings. Paths in messages are made relative to it, so that a
            dataset's bytes don't depend on where the recordings lie.

    Returns:
        The outcomes of each item, in order. The reason is that of an `AudioError`, `UnusableText` for a `TextError`,
        and otherwise the error's name without `Error`.

    Raises:
        MachineError: if the machine is at fault and not the item.
    """
    return [_outcomes(item, work, root) for item in items]


def _outcomes(item: Item, work: Callable[[Item], list[Did]], root: Path | None) -> list[Did | Reject]:
    try:
        return list(work(item))
    except MachineError:
        raise  # the item isn't at fault
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
