"""`valle-prep doctor`: checks what the configured pipeline needs, and names the command that gets what is missing.

It downloads and starts nothing. Libraries that may crash are imported in a subprocess. To add a check: write a function
that takes a `Setup` and returns rows, and add it to `CHECKS`.
"""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import TYPE_CHECKING, Any

from pipeline.doctor import machine as doctor_machine
from pipeline.doctor import weights as doctor_weights
from pipeline.doctor.check import ALWAYS, GROUPS, PHONEMES, SETUP, WHISPER, Check, Setup, Status, probe
from stages.codecs.table import CODECS
from stages.errors import ExitCode, ValleError
from stages.machine import cores
from stages.text import espeak

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_TORCHAUDIO = "import torchaudio; print(torchaudio.__version__)"
_ESPEAK = """
import json
from stages.text.phonemes import phonemize
words = {"en": "hello", "de": "Straße", "fr": "bonjour", "zh": "你好"}
spoken = {code: phonemize([word], code)[0] for code, word in words.items()}
from phonemizer.backend.espeak.wrapper import EspeakWrapper
print(json.dumps([".".join(map(str, EspeakWrapper().version)), spoken]))
"""
_KAKASI = """
import json
from stages.text.phonemes import phonemize
from stages.text.kana import to_kana
print(json.dumps([to_kana("日本語"), phonemize(["日本語"], "ja")[0]]))
"""


def examine(setup: Setup) -> list[Check]:
    """Runs all checks in a thread pool and returns their rows, sorted by group."""
    with ThreadPoolExecutor(cores()) as pool:
        rows = [row for rows in pool.map(lambda check: check(setup), CHECKS) for row in rows]
    return sorted(rows, key=lambda row: GROUPS.index(row.group))


def result(checks: Sequence[Check]) -> dict[str, Any]:
    """Returns the checks as plain JSON values.

    Returns:
        `checks`: a list of objects with the keys
            `name`: what is checked,
            `group`: `packages`, `devices`, `weights`, `phonemes`, `disk` or `cluster`,
            `status`: `ok`, `note` or `problem`; only what the configured pipeline needs is a problem,
            `value`: what was found,
            `hint`: the command or setting that fixes it; empty if all is well;
        `exit_code`: 1 if there is a problem, else 0.
    """
    bad = any(check.status == "problem" for check in checks)
    return {
        "checks": [check.to_json() for check in checks],
        "exit_code": int(ExitCode.FAILED if bad else ExitCode.DONE),
    }


def show(checks: Sequence[Check]) -> None:
    """Prints the checks as a table on standard error."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("group", "check", "status"):
        table.add_column(column, no_wrap=True)
    table.add_column("found", overflow="fold")
    colours = {"ok": "green", "note": "yellow", "problem": "bold red"}
    group = ""
    for check in checks:
        found = Text(check.value + (f"\n→ {check.hint}" if check.hint else ""))
        name = check.group if check.group != group else ""
        table.add_row(name, check.name, Text(check.status, style=colours[check.status]), found)
        group = check.group
    counts = {status: sum(check.status == status for check in checks) for status in ("problem", "note")}
    console = Console(stderr=True)
    console = console if console.is_terminal else Console(stderr=True, width=160)
    console.print(table)
    console.print(f"{counts['problem']} problems, {counts['note']} notes", highlight=False)


def _packages(setup: Setup) -> list[Check]:
    ranges = _ranges()
    names = [*ALWAYS, "torchaudio", *WHISPER, *(name for codec in CODECS.values() for name in codec.packages)]
    names += [*PHONEMES, "librosa", "dask", "distributed", *sorted(setup.needed)]
    rows = [Check("Python", "packages", "ok", f"{sys.version.split()[0]} ({sys.executable})")]
    return rows + [_package(setup, name, ranges.get(name)) for name in dict.fromkeys(["valle-prep", *names])]


def _requirements() -> "list[Requirement]":
    """Returns the requirements of this package, including those of its extras."""
    try:
        from packaging.requirements import Requirement

        return [Requirement(line) for line in metadata.requires("valle-prep") or []]
    except (ImportError, metadata.PackageNotFoundError):
        return []


def _ranges() -> dict[str, Any]:
    """Returns package -> the versions that this package requires."""
    return {required.name: required.specifier for required in _requirements() if not required.marker}


def _extra_of(name: str) -> str:
    """Returns the extra that installs a package; "" if it is no extra's."""
    markers = [required.marker for required in _requirements() if required.name == name and required.marker]
    extras = metadata.metadata("valle-prep").get_all("Provides-Extra") or [] if markers else []
    found = (extra for extra in extras if extra != "dev" and any(m.evaluate({"extra": extra}) for m in markers))
    return next(found, "")


def _package(setup: Setup, name: str, wanted: Any) -> Check:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        extra = _extra_of(name)
        hint = f"Run `make setup EXTRAS=dev,{extra}`." if extra else SETUP
        return Check(name, "packages", setup.missing(name), "missing", hint)
    if wanted is not None and not wanted.contains(found, prereleases=True):
        hint = f"It must be {wanted}. {SETUP}"
        return Check(name, "packages", setup.missing(name), found, hint)
    return Check(name, "packages", "ok", found)


def _torchaudio(setup: Setup) -> list[Check]:
    _, problem = probe(_TORCHAUDIO)
    hint = "It must fit torch: `make setup` pairs them."
    if problem:
        return [Check("import torchaudio", "packages", setup.missing("torchaudio"), problem, hint)]
    return [Check("import torchaudio", "packages", "ok", "works")]


def _espeak(setup: Setup) -> list[Check]:  # noqa: ARG001 (every pipeline needs phonemes)
    try:
        library, data = espeak.locate()
    except (ValleError, OSError, AttributeError) as error:
        return [Check("espeak-ng", "phonemes", "problem", "missing", str(error))]
    found, problem = probe(_ESPEAK)
    where = f"`{library}`, data in `{data}`"
    if problem:
        hint = "Run `pip install --force-reinstall espeakng-loader phonemizer`."
        return [Check("espeak-ng", "phonemes", "problem", f"{where}: {problem}", hint)]
    version, spoken = found
    rows = [Check("espeak-ng", "phonemes", "ok", f"{version}, {where}")]
    silent = [code for code, phonemes in spoken.items() if not any(map(str.isalpha, phonemes))]
    status: Status = "problem" if silent else "ok"
    hint = "Run `pip install --force-reinstall espeakng-loader`." if silent else ""
    words = ", ".join(f"{code} {phonemes or 'nothing'}" for code, phonemes in spoken.items())
    return [*rows, Check("speaking", "phonemes", status, words, hint)]


def _kakasi(setup: Setup) -> list[Check]:  # noqa: ARG001 (Japanese may turn up in any corpus)
    found, problem = probe(_KAKASI)
    if problem or not all(found):
        hint = "Run `pip install --force-reinstall pykakasi`."
        return [Check("pykakasi", "phonemes", "problem", problem or "it returns no reading", hint)]
    return [Check("pykakasi", "phonemes", "ok", f"ja {found[0]} {found[1]}")]


CHECKS: tuple[Callable[[Setup], list[Check]], ...] = (
    _packages,
    _torchaudio,
    doctor_weights.aligners,
    doctor_weights.cleaners,
    doctor_weights.codecs,
    doctor_weights.hearing,
    _espeak,
    _kakasi,
    lambda _: doctor_machine.processor(),
    lambda setup: doctor_machine.cuda(setup.device),
    lambda setup: doctor_machine.disk(setup.out, write=setup.write),
    lambda _: doctor_machine.scratch(),
    lambda setup: doctor_machine.open_files(setup.scheduler, setup.jobs),
    lambda setup: doctor_machine.scheduler(setup.scheduler, jobs=setup.jobs, device=setup.device),
)
"""The checks, in any order; none raises."""
