"""The errors that a user can fix, the exit codes, and `run_app`, which shows them.

Each of these errors is shown as one line. Any other exception is a bug and shows its traceback.
"""

import atexit
import errno
import gc
import json
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NoReturn

_INTERRUPTED = "interrupted: what is done is kept. Run the same command to go on."


def run_program(app: Callable[..., object], *, alone: bool = True, interrupted: str = _INTERRUPTED) -> NoReturn:
    """Runs a Typer application as all of a process, and ends it with the exit code that `run_app` returns."""
    atexit.register(gc.freeze)  # as it ends, Python would look for garbage in all that was imported: 0.1 to 0.3 s
    sys.exit(run_app(app, alone=alone, interrupted=interrupted))


def run_app(
    app: Callable[..., object],
    arguments: Sequence[str] | None = None,
    *,
    alone: bool = True,
    interrupted: str = _INTERRUPTED,
) -> int:
    """Runs a Typer application and shows how it ended.

    A `ValleError` is shown as its message only. Ctrl-C ends with exit code 130. Any other exception is a bug and is
    raised. With `--json` among the arguments, errors are printed as JSON too: see `tell_end`.

    Args:
        app: The application; it raises `SystemExit` or returns.
        arguments: The arguments of the command line; None: the application reads `sys.argv`.
        interrupted: The message for Ctrl-C, unless the command raises a `StoppedError` with a message of its own.
        alone: Whether this process may print JSON; of several that work together, only the first may.

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
    """Returns whether `--json` is among the options; arguments after `--` aren't options."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def tell_end(message: str, code: int, *, as_json: bool, shown: str | None = None) -> None:
    """Writes to standard error why a command failed; as JSON also to standard output.

    Args:
        message: The reason. As JSON: `{"error": message, "exit_code": code}`.
        code: The exit code.
        as_json: Whether to print JSON too.
        shown: Text for standard error in place of `message`; "" if it is shown already.
    """
    if line := message if shown is None else shown:
        sys.stderr.write(f"{line}\n")
    if as_json:
        sys.stdout.write(json.dumps({"error": message, "exit_code": int(code)}) + "\n")
        sys.stdout.flush()


def _mistake(end: SystemExit) -> str:
    """Returns what is wrong with a command line that Typer refused; "" if the program ended for another reason."""
    # Typer raises SystemExit while it handles the exception that holds the message.
    format_message = getattr(end.__context__, "format_message", None)
    return str(format_message()) if format_message else ""


class ExitCode(IntEnum):
    """Exit code of a command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SOME_REJECTED = 3
    INTERRUPTED = 130


class ValleError(Exception):
    """An error that the user can fix. The message says what is wrong, the rule, the value, the file and what to do."""

    exit_code = ExitCode.FAILED


class UsageError(ValleError):
    """The command line names something that doesn't exist or makes no sense."""

    exit_code = ExitCode.USAGE


class ConfigError(ValleError):
    """A configuration file or a `--set` has an unknown key, a wrong type or a value out of range."""

    exit_code = ExitCode.USAGE


class AudioError(ValleError):
    """A file can't be read as audio, or its audio can't be used.

    Args:
        message: The message.
        reason: A short name in CamelCase for the cause; rejects are counted by it.
    """

    def __init__(self, message: str, reason: str = "UnreadableAudio") -> None:
        super().__init__(message)
        self.reason = reason


class TextError(ValleError):
    """A text is empty, can't be read, or is in an unsupported language."""


class MissingInputError(ValleError):
    """A stage's input isn't there yet; the message names the command that makes it."""

    exit_code = ExitCode.USAGE


class ArtefactError(ValleError):
    """A file that this program wrote is truncated, altered, or from an incompatible version."""


class WeightsError(ValleError):
    """Weights are missing or unsuitable; the message names every way to get them."""


class NotFetchedError(WeightsError):
    """Weights aren't on this machine, and nothing may be downloaded now."""


class MachineError(ValleError):
    """The machine failed, not an item (disk full, too many open files): the work stops and can be resumed."""


class LockedError(ValleError):
    """Another run is working on the same dataset."""


class CodecError(ValleError):
    """Codes are from another codec than expected."""


class TrainingError(ValleError):
    """Training can't continue: the loss isn't finite, or the device is out of memory."""


class StoppedError(ValleError):
    """A signal stopped the work; what is done is kept, and the same command resumes it."""

    exit_code = ExitCode.INTERRUPTED


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Error numbers of a full disk, a full quota and a file over the size limit."""
_OF_THE_MACHINE = FULL | {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN}
"""Error numbers that don't mean that the file is bad: it may be read without error later."""


def blame_machine(error: OSError) -> None:
    """Raises a `MachineError` if an error is the machine's fault; returns if it may be the file's.

    Raises:
        MachineError: if the machine or its network failed, so that no item may be rejected.
    """
    if error.errno in _OF_THE_MACHINE:
        name = errno.errorcode[error.errno]
        raise MachineError(
            f"The system refused to go on: {error.strerror or error} ({name}{_of(error)})."
            " Mend that (`df`, `ulimit -n`, the mount) and run the same command: it goes on from here."
        ) from error


def _of(error: OSError) -> str:
    return f", `{error.filename}`" if error.filename else ""
