"""`metadata.parquet`, as the `datasets` library reads it beside audio files."""

import pyarrow
import pyarrow.parquet
import pytest

from stages.corpora.scan import scan
from stages.errors import UsageError
from tests.stages.corpora.layouts.shapes import TEXTS, tone
from tests.stages.corpora.layouts.test_table import transcripts


def test_columns(tmp_path):
    rows = [
        {"file_name": f"data/{n}.wav", "speaker_id": n % 2, "transcription": text, "up_votes": 3}
        for n, text in enumerate(TEXTS)
    ]
    for row in rows:
        tone(tmp_path / "set" / row["file_name"])
    table = tmp_path / "set" / "metadata.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), table)
    assert [(t.id, t.group, t.speaker, t.segments[0].text) for t in transcripts(tmp_path)] == [
        (f"set/data/{n}.wav", "set", str(n % 2), text) for n, text in enumerate(TEXTS)
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows).drop(["transcription"]), table)
    with pytest.raises(UsageError, match="it holds `file_name`, `speaker_id`, `up_votes`"):
        scan(tmp_path)
    table.write_bytes(b"PAR1")
    with pytest.raises(UsageError, match=r"metadata\.parquet` can't be read: .* Repair it, or move it away"):
        scan(tmp_path)
