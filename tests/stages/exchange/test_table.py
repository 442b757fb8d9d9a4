"""Exports, opened with each format's own library: what goes in comes out."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stages.artefacts.manifest import METADATA
from stages.artefacts.parquet import write_records
from stages.audio import files as audio
from stages.errors import ArtefactError, AudioError, MissingInputError, UsageError
from stages.exchange.source import Source
from stages.exchange.table import EXPORTS, export
from stages.ids import split_of
from stages.metadata import MetadataRow
from stages.records import CodecIdentity, Encoded, Utterance
from stages.store.index import write_index
from stages.store.shards import StoreShards

CODEC = CodecIdentity("encodec", 24_000, 75.0, 8, 1024, "abc", licence="CC BY-NC 4.0")
RATE = 16_000
STEREO = "group/anna/b.wav"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Six utterances of three recordings (one is stereo) by two speakers, in three splits, each with a gain."""
    folder = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)
    waves = {name: rng.uniform(-0.5, 0.5, 2 * RATE).astype(np.float32) for name in ("group/anna/a.flac", "bert/c.wav")}
    for name, wave in waves.items():
        path = folder / "voices" / name
        path.parent.mkdir(parents=True)
        soundfile.write(path, wave, RATE, subtype="PCM_16")
    soundfile.write(folder / "voices" / STEREO, rng.uniform(-0.5, 0.5, (2 * RATE, 2)), RATE, subtype="PCM_16")
    items = []
    for recording in ("group/anna/a.flac", STEREO, "bert/c.wav"):
        group, speaker = ("group", "anna") if recording.startswith("group") else ("", "bert")
        for start in (0, RATE):
            codes = rng.integers(0, 1024, (8, 75), np.uint16)
            uid = f"{recording}#{start}-{start + RATE}"
            row = Utterance(uid, recording, group, speaker, "en", start, start + RATE, RATE, f"Ä „{uid}“", "ɐ", 75)
            items.append(Encoded(replace(row, gain_db=len(items) - 2.5), codes))
    dataset = folder / "dataset"
    for name in ("hdf5", "metadata"):
        (dataset / name).mkdir(parents=True)
    StoreShards().write({"h5": dataset / "hdf5" / "0.h5"}, items)
    write_index(dataset / "hdf5", ["0.h5"], CODEC, "fingerprint")
    write_records(dataset / "metadata" / METADATA, MetadataRow, [[metadata(item.utterance) for item in items]])
    return Source(dataset, folder / "voices")


def metadata(row: Utterance) -> MetadataRow:
    split = split_of(row.id, 0.3, 0.3)
    who = row.recording, row.group, row.speaker, row.language, row.text, row.phonemes
    return MetadataRow(row.id, *who, row.start_samples / RATE, row.duration_s, row.frames, split)


def wave_of(source: Source, index: int) -> np.ndarray:
    row = source.store.row(index)
    wave, _ = audio.read(source.voices / row.recording, row.start_samples, row.end_samples)
    return audio.amplified(wave, row.gain_db)


def test_lhotse_opens_it(source: Source, tmp_path: Path) -> None:
    lhotse = pytest.importorskip("lhotse", reason="lhotse isn't installed (extra `dev`)")
    assert export("lhotse", source, tmp_path / "out") == 6
    recordings = lhotse.RecordingSet.from_file(tmp_path / "out" / "recordings.jsonl.gz")
    supervisions = lhotse.SupervisionSet.from_file(tmp_path / "out" / "supervisions.jsonl.gz")
    cuts = lhotse.CutSet.from_file(tmp_path / "out" / "cuts.jsonl.gz")
    lhotse.validate_recordings_and_supervisions(recordings, supervisions)
    cuts, supervisions = cuts.to_eager(), supervisions.to_eager()
    lhotse.validate(cuts)
    assert len(recordings) == 3
    for index, uid in enumerate(source.store.ids):
        cut, row = cuts[uid], source.row(index)
        [said] = cut.supervisions
        assert (said.text, said.language, said.speaker) == (row["text"], row["language"], row["speaker"])
        assert (said.custom["phonemes"], cut.subset, cut.group) == (row["phonemes"], row["split"], row["group"])
        assert supervisions[uid].start == row["start_s"]
        if row["recording"] != STEREO:
            np.testing.assert_allclose(cut.load_audio()[0], wave_of(source, index), atol=1e-6)
        np.testing.assert_array_equal(cut.load_codes().T, source.store.codes(index))
        np.testing.assert_array_equal(
            cut.truncate(offset=0.2, duration=0.4).load_codes().T, cut.load_codes().T[:, 15:45]
        )
    together = lhotse.CutSet.from_manifests(recordings=recordings, supervisions=supervisions)
    assert sum(len(cut.supervisions) for cut in together) == 6


@pytest.mark.parametrize("sound", [True, False], ids=["audio", "no audio"])
def test_codes_of_parts_and_joined_cuts_load(source: Source, tmp_path: Path, *, sound: bool) -> None:
    lhotse = pytest.importorskip("lhotse", reason="lhotse isn't installed (extra `dev`)")
    assert export("lhotse", Source(source.dataset, source.voices if sound else None), tmp_path / "out") == 6
    cuts = lhotse.CutSet.from_file(tmp_path / "out" / "cuts.jsonl.gz").to_eager()
    lhotse.validate(cuts)
    for index, uid in enumerate(source.store.ids):
        cut, codes = cuts[uid], source.store.codes(index)
        assert cut.sampling_rate == RATE
        assert cut.recording.is_placeholder != sound
        assert (tmp_path / "out" / "recordings.jsonl.gz").exists() == sound
        assert cut.recording.num_samples == 2 * RATE
        np.testing.assert_array_equal(cut.load_codes().T, codes)
        middle = cut.truncate(offset=0.2, duration=0.4)
        np.testing.assert_array_equal(middle.load_codes().T, codes[:, 15:45])
        np.testing.assert_array_equal(middle.truncate(offset=0.2).load_codes().T, codes[:, 30:45])
        np.testing.assert_array_equal(cut.truncate(offset=0.6).load_codes().T, codes[:, 45:])
        parts = cut.cut_into_windows(0.4).to_eager()
        np.testing.assert_array_equal(np.concatenate([part.load_codes() for part in parts]).T, codes)
    windows = cuts.cut_into_windows(0.5).to_eager()
    assert len(windows) == 12
    loaded = lhotse.CutSet.from_cuts(windows).filter(lambda cut: cut.duration > 0.4)
    assert all(len(cut.load_codes()) in {37, 38} for cut in loaded)
    windows.to_file(tmp_path / "windows.jsonl.gz")
    assert len(lhotse.CutSet.from_file(tmp_path / "windows.jsonl.gz").to_eager()) == 12


def test_datasets_opens_it(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="datasets isn't installed (extra `dev`)")
    assert export("parquet", source, tmp_path / "out") == 6
    opened = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in opened.items()} == {s: source.splits.count(s) for s in source.splits}
    seen = set()
    for split, rows in opened.items():
        assert isinstance(rows.features["audio"], datasets.Audio)
        for row in rows.cast_column("audio", datasets.Audio(decode=False)):
            index = source.store.ids.index(row["id"])
            expected = source.row(index)
            assert expected.pop("split") == split
            assert {key: row[key] for key in expected} == expected
            np.testing.assert_array_equal(row["codes"], source.store.codes(index))
            wave, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
            assert rate == RATE
            np.testing.assert_allclose(wave, wave_of(source, index), atol=1e-4)
            seen.add(row["id"])
    assert seen == set(source.store.ids)


def test_webdataset_opens_it(source: Source, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="webdataset isn't installed (extra `dev`)")
    assert export("webdataset", source, tmp_path / "out") == 6
    shards = sorted(str(path) for path in (tmp_path / "out").glob("*.tar"))
    assert len(shards) == len(set(source.splits)) == 3
    found = list(webdataset.WebDataset(shards, shardshuffle=False).decode())
    for sample in found:
        index = int(sample["__key__"])
        assert sample["json"] == source.row(index)
        assert Path(sample["__url__"]).name.startswith(source.splits[index])
        np.testing.assert_array_equal(sample["codes.npy"], source.store.codes(index))
        wave, rate = soundfile.read(io.BytesIO(sample["flac"]), dtype="float32")
        assert rate == RATE
        np.testing.assert_allclose(wave, wave_of(source, index), atol=1e-4)
    assert {sample["json"]["id"] for sample in found} == set(source.store.ids)


@pytest.mark.parametrize("kind", [kind for kind in EXPORTS if kind not in {"filelist", "whisperx"}])
def test_the_same_dataset_gives_the_same_bytes_and_audio_may_be_left_out(
    source: Source, tmp_path: Path, kind: str
) -> None:
    def contents(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    made = []
    for _ in range(2):
        export(kind, source, tmp_path / kind)
        made.append(contents(tmp_path / kind))
        (tmp_path / kind).rename(tmp_path / f"{kind}{len(made)}")
    assert made[0] == made[1]
    assert export(kind, Source(source.dataset, None), tmp_path / "silent") == 6
    silent = contents(tmp_path / "silent")
    assert sum(map(len, silent.values())) < sum(map(len, made[0].values()))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_refused_export_leaves_nothing(source: Source, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lhotse, parquet, webdataset"):
        export("kaldi", source, tmp_path / "out")
    (tmp_path / "full" / "something").mkdir(parents=True)
    with pytest.raises(UsageError, match="must be a new or empty folder"):
        export("lhotse", source, tmp_path / "full")
    with pytest.raises(UsageError, match="can't be written"):
        export("lhotse", source, source.dataset / "metadata" / METADATA / "out")
    bare = tmp_path / "bare"
    (bare / "metadata").mkdir(parents=True)
    (bare / "hdf5").symlink_to(source.dataset / "hdf5")
    with pytest.raises(MissingInputError, match="Run `valle-prep metadata"):
        export("lhotse", Source(bare, None), tmp_path / "out")
    write_records(bare / "metadata" / METADATA, MetadataRow, [[metadata(source.store.row(0))]])
    with pytest.raises(ArtefactError, match="has no row"):
        export("lhotse", Source(bare, None), tmp_path / "out")
    with pytest.raises(AudioError, match="No such file"):
        export("parquet", Source(source.dataset, tmp_path), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare", "full"]
