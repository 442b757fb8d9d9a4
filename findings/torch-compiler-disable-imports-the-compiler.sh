#!/usr/bin/env bash
# torch 2.13.0: `@torch.compiler.disable`, which says that a function is to be left uncompiled, imports the compiler when
# the decorator is applied: torch._dynamo, torch._inductor and SymPy, over 800 modules, even where nothing is ever
# compiled. One such line in a module that defines a network doubles the time that a program takes to start (1.4 s of
# processor time more).
# What we do instead: a method is wrapped when its network is about to be compiled (model/network/feedforward.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PY'
import sys

import torch

before = set(sys.modules)
assert not {"torch._dynamo", "torch._inductor", "sympy"} & before


@torch.compiler.disable
def doubled(x: float) -> float:
    return 2 * x


new = set(sys.modules) - before
brought = sorted({"torch._dynamo", "torch._inductor", "sympy"} & new)
print(f"torch {torch.__version__}: {len(new)} modules more, among them {brought}")
assert brought == ["sympy", "torch._dynamo", "torch._inductor"], "nothing was imported: has this changed?"
PY
