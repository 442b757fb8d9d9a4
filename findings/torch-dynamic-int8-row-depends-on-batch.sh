#!/usr/bin/env bash
# torch 2.13.0: a linear layer quantized by `torch.ao.quantization.quantize_dynamic` rounds all rows of a batch by one
# scale. So what a row comes out as depends on the rows beside it: a small row beside a large one loses nearly all of
# its digits, without a warning. Seen: the row alone is within 2 % of the float layer, beside a row a thousand times as
# large it is wholly wrong.
# What we do instead: a scale for each row (model/decoding/engine/matrices.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.0
"$folder/venv/bin/python" -W ignore - <<'PY'
import torch

torch.manual_seed(0)
layer = torch.nn.Linear(64, 64, bias=False)
quantized = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(layer), {torch.nn.Linear}, dtype=torch.qint8)
row = torch.randn(1, 64)
large = torch.randn(1, 64) * 1000
with torch.inference_mode():
    exact = layer(row)
    alone = quantized(row)
    beside = quantized(torch.cat([row, large]))[:1]
errors = [((found - exact).norm() / exact.norm()).item() for found in (alone, beside)]
print(f"torch {torch.__version__}: relative error of a row alone {errors[0]:.3f}, beside a large row {errors[1]:.3f}")
assert errors[0] < 0.05, "the row alone was close"
assert errors[1] > 0.5, "the row beside a large one was wholly off: has this changed?"
PY
