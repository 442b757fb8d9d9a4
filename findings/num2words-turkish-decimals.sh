#!/usr/bin/env bash
# num2words 0.5.14 says some numbers as others, without an error. Turkish drops the zeros behind the comma, so that 3.05 is
# three comma five (and 3.5 three comma fifty); it leaves out the one of a million inside a greater number. Italian 118 is
# `centodicotto`. Spanish has no apocope: 71,000 is `setenta y uno mil`. Polish and Czech raise on -2.5, Hungarian on 0.4006.
# What we do instead: whole numbers only are taken from it, Turkish and the languages with a module of their own count for
# themselves, and what stands behind a comma is said by us (stages/text/spoken/european/numbers.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet num2words==0.5.14
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

from num2words import num2words

print(f"num2words {version('num2words')}")
said = {
    (3.05, "tr"): "üçvirgülbeş",
    (3.5, "tr"): "üçvirgülelli",
    (5_001_000_001, "tr"): "beşmilyarmilyonbir",
    (118, "it"): "centodicotto",
    (71_000, "es"): "setenta y uno mil",
}
for (number, language), words in said.items():
    found = num2words(number, lang=language)
    print(f"{language} {number}: {found}")
    assert found == words, f"{words} before: has this changed?"
for number, language, error in ((-2.5, "pl", ValueError), (-2.5, "cs", ValueError), ("0.4006", "hu", KeyError)):
    try:
        print(language, number, num2words(number, lang=language))
    except error as raised:
        print(f"{language} {number}: {raised!r}")
    else:
        raise SystemExit(f"{language} {number} is said now: has this changed?")
PY
