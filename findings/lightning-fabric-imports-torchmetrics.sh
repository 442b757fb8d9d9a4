#!/usr/bin/env bash
# lightning-fabric 2.6.6: to import it imports all of torchmetrics 1.9.0, where that is installed, only to compare its
# version; a class that nobody asked for is the one user. torchmetrics imports what it finds: Matplotlib, SciPy,
# transformers. So a program that wants a device and a strategy waits for them: 1,020 modules more here, and in an
# environment for speech, with transformers, over two seconds of processor time in every process of every run.
# Where torchmetrics isn't installed, nothing is missed.
# What we do instead: while Fabric is imported, torchmetrics has its version alone (model/training/parallel/fabric.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet lightning-fabric==2.6.6 torch==2.13.0 numpy==2.4.6
cat >"$folder/seen.py" <<'PY'
import sys

import torch  # noqa: F401

before = set(sys.modules)
import lightning_fabric

new = set(sys.modules) - before
others = sorted({"torchmetrics", "matplotlib", "scipy"} & new)
print(f"lightning-fabric {lightning_fabric.__version__}: {len(new)} modules, of others {others}")
PY
"$folder/venv/bin/python" -W ignore "$folder/seen.py" | tee "$folder/without"
"$folder/venv/bin/pip" install --quiet torchmetrics==1.9.0 matplotlib==3.11.2 scipy==1.17.1
"$folder/venv/bin/python" -W ignore "$folder/seen.py" | tee "$folder/with"
grep -q "of others \[\]$" "$folder/without" || {
  echo "without torchmetrics it imports something else: has this changed?"
  exit 1
}
grep -q "of others \['matplotlib', 'scipy', 'torchmetrics'\]$" "$folder/with" || {
  echo "it imports no torchmetrics: has this changed?"
  exit 1
}
