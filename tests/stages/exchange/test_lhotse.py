"""The manifests of lhotse name recordings that lhotse itself reads."""

import io

import numpy as np
import pytest
import soundfile

from stages.exchange.lhotse import _recording
from stages.exchange.source import Source
from stages.records import Utterance
from tests.stages.corpora.layouts.shapes import RATE, write_tar


def test_lhotse_reads_a_recording_inside_a_tar(tmp_path):
    lhotse = pytest.importorskip("lhotse")
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, wave, RATE, format="FLAC")
    write_tar(tmp_path / "it's here" / "x.tar", {"before.json": b"{}" * 400, "a b.flac": file.getvalue(), "z": b"1"})
    utterance = Utterance("it's here/x.tar/a b.flac", "it's here/x.tar/a b.flac", "", "", "en", 0, 1, RATE, "Hello.")
    found = lhotse.Recording.from_dict(_recording(Source(tmp_path / "dataset", tmp_path), utterance))
    np.testing.assert_allclose(found.load_audio()[0], wave, atol=1e-4)
    assert found.num_samples == len(wave)
