import numpy as np
import pytest

from stages.audio.files import AudioInfo
from stages.hearing import batches
from stages.hearing.batches import Batches
from stages.records import Recording


def test_a_full_batch_is_transcribed_and_the_rest_when_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_BATCH_S", 2.0)
    sizes: list[int] = []

    def hear(heard):
        sizes.append(len(heard))
        return [recording.id.upper() for recording, _, _ in heard]

    made = Batches(hear)
    made.flush()
    for name in "abc":
        made.add(Recording(name, "", "s", ""), AudioInfo(8_000, 8_000, 1), np.zeros(16_000, np.float32))
    assert sizes == [2]
    assert made.results == {"a": "A", "b": "B"}
    made.flush()
    made.flush()
    assert sizes == [2, 1]
    assert made.results == {"a": "A", "b": "B", "c": "C"}
