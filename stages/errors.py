"""The errors a user can cause, exit codes, and how a command ends with them.

Each error is shown as one line; anything else is our bug and shows its traceback.
"""

import errno
import json
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum

_INTERRUPTED = "interrupted: what is done is kept. Run the same command to go on."


def run_app(
    app: Callable[..., object],
    arguments: Sequence[str] | None = None,
    *,
    alone: bool = True,
    interrupted: str = _INTERRUPTED,
) -> int:
    """Runs a Typer application.

    A `ValleError` is shown as its message alone; Ctrl-C ends with 130; anything else is our bug and is raised. With
    `--json` among the arguments each of these ends is one object on standard output too: see `tell_end`.

    Args:
        app: The application; it ends with `SystemExit`, or returns.
        arguments: Of the command line; None where the application reads `sys.argv`.
        interrupted: What Ctrl-C is answered with where the command has no better answer (`StoppedError`).
        alone: Whether this process speaks for itself: of several that work together only the first prints JSON.

    Returns:
        The exit code.
    """
    given = sys.argv[1:] if arguments is None else arguments
    as_json = alone and asks_json(given)
    try:
        if arguments is None:
            app()
        else:
            app(list(arguments))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else ExitCode.FAILED
        if code == ExitCode.INTERRUPTED:
            tell_end(interrupted, code, as_json=as_json)
        elif mistake := _mistake(end):
            tell_end(mistake, code, as_json=as_json, shown="")
        return code
    except StoppedError as stopped:
        tell_end(str(stopped), stopped.exit_code, as_json=as_json)
        return stopped.exit_code
    except ValleError as error:
        shown = "\n".join(f"error: {line}" for line in str(error).splitlines())
        tell_end(str(error), error.exit_code, as_json=as_json, shown=shown)
        return error.exit_code
    return ExitCode.DONE


def asks_json(arguments: Sequence[str]) -> bool:
    """Returns whether `--json` is among the options; what comes after `--` is none."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def tell_end(message: str, code: int, *, as_json: bool, shown: str | None = None) -> None:
    """Says on standard error why a command ends before its time; for JSON also on standard output.

    Args:
        message: Why; for JSON `{"error": message, "exit_code": code}`.
        code: What the shell is told.
        as_json: Whether JSON was asked for.
        shown: What standard error is given, where that isn't the message itself; "" where it shows it already.
    """
    if line := message if shown is None else shown:
        sys.stderr.write(f"{line}\n")
    if as_json:
        sys.stdout.write(json.dumps({"error": message, "exit_code": int(code)}) + "\n")
        sys.stdout.flush()


def _mistake(end: SystemExit) -> str:
    """Returns what is wrong with a command line that Typer refused; "" where it ended otherwise.

    Typer ends the program while it handles the exception that knows it.
    """
    told = getattr(end.__context__, "format_message", None)
    return str(told()) if told else ""


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
