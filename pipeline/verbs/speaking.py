"""The verb `voices --voice piper`: recordings of a list of texts, with its progress."""

import sys
from pathlib import Path

from stages.corpora.sentences import Sentence, read_list
from stages.corpora.speaking import LANGUAGE, write_spoken
from stages.corpora.voices import SENTENCES


def speak_texts(folder: Path, texts: Path | None, *, weights: Path | None, seed: int, jobs: int, quiet: bool) -> None:
    """Writes recordings of the texts of a list, or of the demo's, and tells how many; raises as `write_spoken`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    chosen = read_list(texts) if texts else _demo()
    console = Console(stderr=True, quiet=quiet)
    columns = TextColumn("recordings"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("recordings", total=len(chosen))

        def show(done: int, _all: int) -> None:
            bar.update(task, completed=done)

        made = write_spoken(folder, chosen, weights=weights, seed=seed, jobs=jobs, show=show)
    if not quiet:
        kept = f", {len(chosen) - made:,} were there" if made < len(chosen) else ""
        sys.stderr.write(f"{made:,} recordings made{kept} in {folder}. Next: valle-prep run {folder}\n")


def _demo() -> list[Sentence]:
    return [Sentence(f"demo-{number:02d}", text) for number, text in enumerate(SENTENCES[LANGUAGE], 1)]
