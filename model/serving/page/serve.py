"""Runs the page."""

import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from model.inference.synthesizer import Synthesizer
from model.serving.page.runs import LOG, Runs
from model.serving.server import Served, serve
from model.serving.settings import Settings


def serve_page(
    synthesizer: Synthesizer,
    settings: Settings,
    *,
    runs: Path | None = None,
    quiet: bool = False,
    ready: Callable[[str], None] = print,
) -> None:
    """Serves the page until a signal (SIGINT, SIGTERM) ends it.

    Args:
        synthesizer: The model.
        settings: Address and limits.
        runs: A run's folder, or a folder of them; by default the run of the model.
        quiet: Log errors only.
        ready: Told the model's name and address, once it listens there; by default prints them.

    Raises:
        UsageError: if the address can't be listened at, or the voices or runs are wrong.
    """
    from model.serving.page.app import create_page

    # The default handler would end the process before its files are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    found = Runs(runs or run_of(synthesizer.checkpoint.folder))
    with tempfile.TemporaryDirectory(prefix="valle-ui-") as folder:
        served = Served(
            lambda service, own: create_page(service, own, found, Path(folder).resolve()),
            log_level="error" if quiet else "warning",
            patience_s=3,  # a page that is open keeps its connection
        )
        serve(synthesizer, settings, ready=ready, served=served)


def run_of(checkpoint: Path) -> Path | None:
    """Returns the folder of the run that a checkpoint belongs to; None for one that stands alone."""
    return next((folder for folder in checkpoint.resolve().parents[:2] if (folder / LOG).is_file()), None)
