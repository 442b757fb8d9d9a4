import json
from pathlib import Path

import pytest

from model.evaluation.curve import draw_curve, milestones
from stages.errors import MissingInputError


def test_the_validations_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    records = [
        {"step": 10, "train/loss": 6.0, "lr": 1e-3},
        {"step": 1000, "validation/loss": 5.1234, "validation/loss_0": 4.0, "validation/wer": 1.0},
        {"step": 2000, "validation/loss": 4.5, "validation/alignment": 0.25},
    ]
    log.write_text("".join(f"{json.dumps(record)}\n" for record in records) + '{"step": 30, "val')
    found = milestones(log)
    assert [row["step"] for row in found.rows] == [1000, 2000]
    assert found.table().splitlines() == [
        "| step | loss | codebook 0 | alignment | WER of samples |",
        "| --- | --- | --- | --- | --- |",
        "| 1,000 | 5.123 | 4.000 | - | 1.00 |",
        "| 2,000 | 4.500 | - | 0.250 | - |",
    ]
    draw_curve(log, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(MissingInputError, match="must be the log of `valle train`"):
        milestones(tmp_path / "none.jsonl")
