"""How a command line of this project ends: one clear line for a user's mistake, and an honest exit code."""

import json
import sys
from collections.abc import Callable, Sequence

from stages.errors import ExitCode, StoppedError, ValleError

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
