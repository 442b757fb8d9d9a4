"""How a command line of this project ends: one clear line for a user's mistake, and an honest exit code."""

import sys
from collections.abc import Callable

from stages.errors import ExitCode, StoppedError, ValleError


def run_app(app: Callable[[], object]) -> int:
    """Runs a Typer application.

    A `ValleError` is shown as its message alone; Ctrl-C ends with 130; anything else is our bug and is raised.

    Args:
        app: The application; it reads the command line and ends with `SystemExit`.

    Returns:
        The exit code.
    """
    try:
        app()
    except SystemExit as end:
        if end.code == ExitCode.INTERRUPTED:
            sys.stderr.write("interrupted: what is done is kept. Run the same command to go on.\n")
        return end.code if isinstance(end.code, int) else ExitCode.FAILED
    except StoppedError as stopped:
        sys.stderr.write(f"{stopped}\n")
        return stopped.exit_code
    except ValleError as error:
        sys.stderr.write("".join(f"error: {line}\n" for line in str(error).splitlines()))
        return error.exit_code
    return ExitCode.DONE
