"""The errors a user can cause. Each is shown as one line; anything else is our bug and shows its traceback."""

import errno
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command tells the shell."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SOME_REJECTED = 3
    INTERRUPTED = 130


class ValleError(Exception):
    """A mistake the user can mend. The message says what, the rule, the value, the file and what to do."""

    exit_code = ExitCode.FAILED


class UsageError(ValleError):
    """The command line asks for something that isn't there or makes no sense."""

    exit_code = ExitCode.USAGE


class ConfigError(ValleError):
    """A configuration file or a `--set` holds an unknown key, a wrong type or a value out of range."""

    exit_code = ExitCode.USAGE


class AudioError(ValleError):
    """A file can't be read as audio, or what it holds can't be used.

    Args:
        message: The line.
        reason: A short name in CamelCase by which rejects are counted.
    """

    def __init__(self, message: str, reason: str = "UnreadableAudio") -> None:
        super().__init__(message)
        self.reason = reason


class TextError(ValleError):
    """A text is empty, or is in a language that the table doesn't hold."""


class MissingInputError(ValleError):
    """A stage's input isn't there yet; the message names the command that makes it."""

    exit_code = ExitCode.USAGE


class ArtefactError(ValleError):
    """A file that this project wrote is truncated, altered, or from an incompatible version."""


class WeightsError(ValleError):
    """Weights are missing or don't fit; the message names every way to get them."""


class NotFetchedError(WeightsError):
    """Weights aren't here yet, and nothing may be fetched now."""


class MachineError(ValleError):
    """The machine is at fault and not an item (disk full, no more open files): the work stops, and goes on later."""


class LockedError(ValleError):
    """Another run works on the same dataset."""


class CodecError(ValleError):
    """Codes don't fit the codec they are given to."""


class TrainingError(ValleError):
    """Training can't go on: the loss is no longer a number, or the device's memory is full."""


class StoppedError(ValleError):
    """A signal stopped the work; what was done is kept, and the same command goes on from there."""

    exit_code = ExitCode.INTERRUPTED


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a full disk, a used-up quota and a limit on the size of files say."""
_PASSING = FULL | {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN}
"""What says nothing of the file at hand: the same file may be read well a minute later."""


def blame_machine(error: OSError) -> None:
    """Tells the machine's failures from an item's.

    Raises:
        MachineError: if the machine or its network is at fault, and no item may be rejected for it.
    """
    if error.errno in _PASSING:
        name = errno.errorcode[error.errno]
        raise MachineError(
            f"The system refused to go on: {error.strerror or error} ({name}{_of(error)})."
            " Mend that (`df`, `ulimit -n`, the mount) and run the same command: it goes on from here."
        ) from error


def _of(error: OSError) -> str:
    return f", `{error.filename}`" if error.filename else ""
