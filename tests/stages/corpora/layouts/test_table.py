"""Writes a small corpus in every layout and reads it back; then tests faulty tables."""

import gzip
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from stages.base import Context, Filtered, Reject
from stages.config import load_config
from stages.corpora.layouts.layout import Piece, lines_of
from stages.corpora.layouts.table import LAYOUTS
from stages.corpora.scan import scan
from stages.errors import ConfigError, ExitCode, UsageError, ValleError
from stages.records import Transcript, Utterance
from stages.slice import Slice, SliceConfig
from stages.transcribe import STAGE, TranscribeConfig
from tests.stages.corpora.layouts.shapes import RATE, SHAPES, Said, packed, tone, write, write_shape


@dataclass(frozen=True)
class Clip:
    """A clip that any corpus could hold."""

    name: str
    speaker: str
    text: str
    language: str = "en"


CLIPS = (
    Clip("84-121123-0000", "84", "GO DO YOU HEAR"),
    Clip("84-121123-0001", "84", 'IT SAID "HE WENT" AND NO MORE THAN THAT'),
    Clip("174-50561-0003", "174", "FORGOTTEN TOO THE NAME OF GILLIAN THE LOVELY CAPTIVE"),
)


def ljspeech(root: Path, clips: Sequence[Clip]) -> None:
    write(root / "set" / "metadata.csv", *(f"{c.name}|{c.text.lower()}, 1.|{c.text}" for c in clips))
    for clip in clips:
        tone(root / "set" / "wavs" / f"{clip.name}.wav")


def librispeech(root: Path, clips: Sequence[Clip]) -> None:
    for clip in clips:
        speaker, chapter, _ = clip.name.split("-")
        folder = root / "set" / speaker / chapter
        tone(folder / f"{clip.name}.flac")
        write(folder / f"{speaker}-{chapter}.trans.txt", *(f"{c.name} {c.text}" for c in clips if c.speaker == speaker))


def libritts(root: Path, clips: Sequence[Clip]) -> None:
    for clip in clips:
        speaker, chapter, number = clip.name.split("-")
        stem = root / "set" / speaker / chapter / f"{speaker}_{chapter}_{number}_000000"
        tone(stem.with_suffix(".wav"))
        write(stem.with_suffix(".normalized.txt"), clip.text)
        write(stem.with_suffix(".original.txt"), f"“{clip.text}”")


def vctk(root: Path, clips: Sequence[Clip]) -> None:
    for clip in clips:
        write(root / "set" / "txt" / clip.speaker / f"{clip.name}.txt", clip.text)
        for mic in ("mic1", "mic2"):
            tone(root / "set" / "wav48_silence_trimmed" / clip.speaker / f"{clip.name}_{mic}.flac")


def commonvoice(root: Path, clips: Sequence[Clip]) -> None:
    header = "client_id\tpath\tsentence_id\tsentence\tup_votes\tlocale\tsegment"
    rows = [f"{c.speaker}\t{c.name}.mp3\t0a1b\t{c.text}\t2\t{c.language}\t" for c in clips]
    write(root / "set" / "validated.tsv", header, *rows)
    write(root / "set" / "train.tsv", header, rows[0].replace(clips[0].text, "SOMETHING ELSE"))
    for name in (*(c.name for c in clips), "not-validated"):
        tone(root / "set" / "clips" / f"{name}.mp3")


def kaldi(root: Path, clips: Sequence[Clip]) -> None:
    folder = root / "set"
    paths = {c.name: f"audio/{c.speaker}/{c.name}.flac" for c in clips}
    sources = [f"{name} {root / path}" for name, path in paths.items()]  # an absolute path, a pipe, a relative path
    sources[1] = f"{clips[1].name} flac -c -d -s /elsewhere/{paths[clips[1].name]} |"
    sources[2] = f"{clips[2].name} {paths[clips[2].name]}"
    write(folder / "wav.scp", *sources)
    write(folder / "text", *(f"{c.name} {c.text}" for c in clips))
    write(folder / "utt2spk", *(f"{c.name} {c.speaker}" for c in clips))
    write(folder / "utt2lang", *(f"{c.name} {c.language}" for c in clips))
    for path in paths.values():
        tone(root / path)


def lhotse(root: Path, clips: Sequence[Clip]) -> None:
    recordings, supervisions = [], []
    for clip in clips:
        path = f"audio/{clip.speaker}/{clip.name}.flac"
        tone(root / path)
        source = {"type": "file", "channels": [0], "source": path}
        shape = {"sampling_rate": RATE, "num_samples": RATE, "duration": 1.0, "channel_ids": [0]}
        recordings.append({"id": clip.name, "sources": [source], **shape})
        word = [[word, 0.1 * i, 0.09, 0.5] for i, word in enumerate(clip.text.split())]
        told = {"id": clip.name, "recording_id": clip.name, "start": 0.0, "duration": 1.0, "channel": 0}
        told |= {"text": clip.text, "language": "English", "speaker": clip.speaker, "alignment": {"word": word}}
        supervisions.append(told)
    (root / "set").mkdir()
    with gzip.open(root / "set" / "x_recordings_all.jsonl.gz", "wt") as file:
        file.writelines(f"{json.dumps(one)}\n" for one in recordings)
    with gzip.open(root / "set" / "x_supervisions_all.jsonl.gz", "wt") as file:
        file.writelines(f"{json.dumps(one)}\n" for one in supervisions)


def voices(root: Path, clips: Sequence[Clip]) -> None:
    for clip in clips:
        tone(root / "set" / clip.speaker / f"{clip.name}.wav")
        write(root / "set" / clip.speaker / f"{clip.name}.txt", clip.text)


WRITERS: dict[str, Callable[[Path, Sequence[Clip]], None]] = {
    "lhotse": lhotse,
    "kaldi": kaldi,
    "commonvoice": commonvoice,
    "vctk": vctk,
    "libritts": libritts,
    "librispeech": librispeech,
    "ljspeech": ljspeech,
    "voices": voices,
}


def write_corpus(layout: str, root: Path) -> None:
    """Writes `CLIPS` in a layout."""
    assert layout in WRITERS, f"write a function for `{layout}` in WRITERS"
    WRITERS[layout](root, CLIPS)


def transcripts(root: Path, layout: str = "auto") -> list[Transcript | Reject]:
    stage = STAGE(TranscribeConfig(transcripts="require", layout=layout, languages={"*": "en"}), Context(root))
    return [outcome for outcomes in stage.process(scan(root, layout).recordings) for outcome in outcomes]


def texts(outcomes: Sequence[Transcript | Reject]) -> dict[str, str]:
    return {
        Path(o.id).stem: o.message if isinstance(o, Reject) else " | ".join(s.text for s in o.segments)
        for o in outcomes
    }


@pytest.mark.parametrize("given", ["auto", "by name"])
@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_gives_back_what_was_written(tmp_path, layout, given):
    write_corpus(layout, tmp_path)
    found = transcripts(tmp_path, layout if given == "by name" else "auto")
    assert all(isinstance(one, Transcript) for one in found), found
    own_speaker = layout == "ljspeech"
    group = "" if own_speaker else "set"
    assert {(t.speaker, t.group, t.language, *[s.text for s in t.segments]) for t in found} == {
        ("set" if own_speaker else clip.speaker, group, "en", clip.text) for clip in CLIPS
    }
    assert {t.source for t in found} <= {layout, "txt"}
    assert {t.timed for t in found} == {layout == "lhotse"}
    assert {s.speaker for t in found for s in t.segments} == {""}
    if layout == "lhotse":
        hear = next(w for t in found for s in t.segments for w in s.words if w.text == "HEAR")
        assert (hear.start_samples, hear.end_samples) == (2_400, 3_120)


@pytest.mark.parametrize("layout", [name for name in WRITERS if name != "voices"])
def test_a_changed_row_affects_only_its_recording(tmp_path, layout):
    write_corpus(layout, tmp_path)
    before = scan(tmp_path).recordings
    for table in (path for path in tmp_path.rglob("*") if path.is_file()):
        packed = table.suffix == ".gz"
        content = gzip.decompress(table.read_bytes()) if packed else table.read_bytes()
        if b"GO DO YOU HEAR" in content and not table.name.endswith((".wav", ".flac", ".mp3")):
            content = content.replace(b"GO DO YOU HEAR", b"GO ON")
            table.write_bytes(gzip.compress(content) if packed else content)
    after = scan(tmp_path).recordings
    own_file = layout in {"vctk", "libritts"}  # there the digest of the transcript changes
    changed = [a for a, b in zip(after, before, strict=True) if a != b]
    assert ["GO ON" in recording.told for recording in changed] == ([] if own_file else [True])
    assert "GO ON" in texts(transcripts(tmp_path)).values()


def test_recordings_that_a_complete_table_leaves_out_are_counted(tmp_path):
    commonvoice(tmp_path, CLIPS)
    found = scan(tmp_path)
    assert (len(found.recordings), found.ignored) == (3, {".mp3 that no table names": 1, ".tsv": 1})
    vctk(tmp_path / "other", CLIPS)
    tone(tmp_path / "plain" / "carla" / "a.wav")
    assert "plain/carla/a.wav" in {recording.id for recording in scan(tmp_path).recordings}


def test_segments_of_several_speakers_in_one_recording(tmp_path):
    tone(tmp_path / "calls" / "call1.wav", 9.0)
    write(tmp_path / "train" / "wav.scp", "call1 calls/call1.wav")
    write(tmp_path / "train" / "segments", "a1 call1 0.5 3.5", "b1 call1 3.6 6.0", "a2 call1 6.0 -1", "x call1 8 8.5")
    write(tmp_path / "train" / "text", "a1 hello there", "b1 who is it", "a2 it is me", "x")
    write(tmp_path / "train" / "utt2spk", "a1 anna", "b1 ben", "a2 anna")
    (found,) = transcripts(tmp_path)
    assert [(s.speaker, s.start_samples, s.end_samples, s.text) for s in found.segments] == [
        ("anna", 4_000, 28_000, "hello there"),
        ("ben", 28_800, 48_000, "who is it"),
        ("anna", 48_000, 72_000, "it is me"),
    ]
    assert (found.group, found.speaker, found.timed) == ("train", "calls", True)
    (cuts,) = Slice(SliceConfig(), Context(tmp_path)).process([found])
    assert [(cut.speaker, cut.text) for cut in cuts] == [(s.speaker, s.text) for s in found.segments]


def test_names_in_a_transcript_are_speakers_where_there_are_several(tmp_path):
    tone(tmp_path / "show" / "one.wav", 9.0)
    cues = ["00:00:00,0 --> 00:00:03,0\n[SPEAKER_00]: Hi.\n", "00:00:03,0 --> 00:00:06,0\n[Ben]: Hello.\n"]
    path = write(tmp_path / "show" / "one.srt", "\n".join(cues))
    (found,) = transcripts(tmp_path)
    assert [segment.speaker for segment in found.segments] == ["show/one:SPEAKER_00", "Ben"]
    path.write_text(cues[1])
    assert [segment.speaker for segment in transcripts(tmp_path)[0].segments] == [""]
    overlapping = cues[0].replace("03,0", "04,0") + "\n" + cues[1]
    path.write_text(overlapping)
    ((cut,),) = Slice(SliceConfig(), Context(tmp_path)).process(transcripts(tmp_path))
    assert isinstance(cut, Filtered)
    assert cut.reason == "MixedSpeakers"


def test_a_layout_with_a_hyphen_in_its_name_is_like_any_other(tmp_path, monkeypatch):
    monkeypatch.setattr("stages.corpora.corpus.LAYOUTS", {"x-y": LAYOUTS["ljspeech"]})
    monkeypatch.setattr("stages.corpora.corpus._RANK", {"x-y": 0})
    ljspeech(tmp_path, CLIPS)
    found = transcripts(tmp_path)
    assert {one.source for one in found} == {"x-y"}
    assert [Transcript.from_json(one.to_json()) for one in found] == found
    rows = [row for rows in Slice(SliceConfig(), Context(tmp_path)).process(found) for row in rows]
    assert len(rows) == len(CLIPS)
    assert all(isinstance(row, Utterance) for row in rows)


def test_a_table_on_which_a_reader_fails_is_one_line(tmp_path, monkeypatch):
    def naive(table):
        for _, line in lines_of(table):
            audio, speaker, text = line.split("\t")
            yield Piece(audio, text, speaker=speaker)

    monkeypatch.setitem(LAYOUTS, "ljspeech", replace(LAYOUTS["ljspeech"], read=naive))
    write(tmp_path / "set" / "metadata.csv", "a.wav\tanna\tHello.", "b.wav")
    with pytest.raises(ValleError, match=r"^layout `ljspeech` failed on `set/metadata\.csv`: ValueError: .*") as caught:
        scan(tmp_path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == ExitCode.FAILED


def test_a_table_in_a_folder_whose_name_is_no_utf8(tmp_path):
    ljspeech(tmp_path, CLIPS)
    (tmp_path / "set").rename(tmp_path / os.fsdecode(b"caf\xe9"))
    found = transcripts(tmp_path)
    assert {(one.speaker, one.segments[0].text) for one in found} == {("caf\\xe9", clip.text) for clip in CLIPS}


def test_the_json_of_a_row_keeps_its_form(tmp_path):
    """These lines are part of fingerprints: changing their form would transcribe every recording again."""
    lhotse(tmp_path / "a", [Clip("u", "s", 'A "B" é')])
    ljspeech(tmp_path / "b", CLIPS[:1])
    one, other = scan(tmp_path).recordings
    assert one.told == (
        '{"layout":"lhotse","table":"a/set/x_supervisions_all.jsonl.gz","content":{"language":"English","segments":['
        '{"start":0.0,"end":1.0,"text":"A \\"B\\" é","words":[{"word":"A","start":0.0,"end":0.09},'
        '{"word":"\\"B\\"","start":0.1,"end":0.19},{"word":"é","start":0.2,"end":0.29000000000000004}]}]},"problem":""}'
    )
    assert other.told == (
        '{"layout":"ljspeech","table":"b/set/metadata.csv","content":{"text":"GO DO YOU HEAR"},"problem":""}'
    )


def test_bad_rows_are_rejected_or_logged(tmp_path, caplog):
    for name in ("a", "b", "c", "d"):
        tone(tmp_path / "wavs" / f"{name}.wav")
    write(tmp_path / "metadata.csv", "a|yes|", "b|  ", "|nobody", "c|one", "c|two", "gone|there is no such file")
    with caplog.at_level(logging.WARNING):
        found = texts(transcripts(tmp_path))
    assert found["a"] == "yes"
    assert "`metadata.csv`: must hold the text" in found["b"]
    assert "must tell one text of it, but tells 2" in found["c"]
    assert "it has no transcript" in found["d"]
    assert "`wavs/gone.wav` can't be read: No such file" in found["gone"]
    assert found["gone"].endswith("`metadata.csv` names it: add the file, or correct the row.")
    (line,) = {record.getMessage() for record in caplog.records if record.name == "stages.corpora.corpus"}
    assert line == "`metadata.csv`: 1 of 6 rows can't be used; row 3: must name a recording, but names none"


@pytest.mark.parametrize(
    ("table", "bad"),
    [
        *(("recordings", {"sources": sources}) for sources in (["a.wav"], [1], 5, "x", {"a": 1}, [{"type": "file"}])),
        *(("recordings", {"sources": [{"type": "file", "source": source}]}) for source in ("a\0", "\ud83d", "x" * 300)),
        *(("supervisions", {"alignment": {"word": word}}) for word in ([5], "a", [["a", 10**400, 1]])),
        *(("supervisions", {"alignment": alignment}) for alignment in ([1], 5, "a")),
        *(("supervisions", {"start": start}) for start in (float("nan"), float("inf"), 10**400, None)),
        *(("supervisions", {name: "hi \ud83d"}) for name in ("text", "speaker", "language", "recording_id")),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_a_bad_row_rejects_only_its_recording(tmp_path, table, bad):
    lhotse(tmp_path, CLIPS)
    path = tmp_path / "set" / f"x_{table}_all.jsonl.gz"
    first, *rest = gzip.decompress(path.read_bytes()).decode().splitlines()
    path.write_bytes(gzip.compress("\n".join([json.dumps(json.loads(first) | bad), *rest]).encode()))
    found = transcripts(tmp_path)
    assert sorted(one.segments[0].text for one in found if isinstance(one, Transcript)) == sorted(
        clip.text for clip in CLIPS[1:]
    )


def test_a_bad_supervision_names_its_manifest(tmp_path):
    lhotse(tmp_path, CLIPS)
    path = tmp_path / "set" / "x_supervisions_all.jsonl.gz"
    *most, last = gzip.decompress(path.read_bytes()).decode().splitlines()
    path.write_bytes(gzip.compress("\n".join([*most, json.dumps(json.loads(last) | {"start": None})]).encode()))
    (bad,) = (one for one in transcripts(tmp_path) if isinstance(one, Reject))
    assert bad.message.startswith(f"`set/{path.name}`: line 3 must hold `start`")


def test_a_damaged_table_is_one_line(tmp_path):
    lhotse(tmp_path, CLIPS)
    path = tmp_path / "set" / "x_supervisions_all.jsonl.gz"
    told = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(b"[" * 100_000 + b"\n" + told.partition(b"\n")[2]))
    assert len(scan(tmp_path).recordings) == 2
    path.write_bytes(gzip.compress(told)[:10] + b"\xff" * 100)
    with pytest.raises(UsageError, match=r"can't be read: Error -3 while decompressing.*Repair it, or move it away"):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("sox x.wav -t wav - speed 0.9 |", "must name the file of `u`, but holds `sox x.wav"),
        ("/nowhere/else/x.wav", "`/nowhere/else/x.wav` isn't inside"),
    ],
)
def test_audio_that_is_not_a_file_here(tmp_path, caplog, source, message):
    tone(tmp_path / "plain" / "a.wav")
    write(tmp_path / "data" / "wav.scp", f"u {source}")
    write(tmp_path / "data" / "text", "u hello")
    assert [recording.id for recording in scan(tmp_path).recordings] == ["plain/a.wav"]
    assert message in caplog.text
    assert "`data/text`: 1 of 1 rows can't be used; row 1: " in caplog.text


def test_a_transcript_is_preferred_to_the_table(tmp_path):
    ljspeech(tmp_path, CLIPS)
    write(tmp_path / "set" / "wavs" / f"{CLIPS[0].name}.txt", "mine")
    assert texts(transcripts(tmp_path))[CLIPS[0].name] == "mine"
    assert set(texts(transcripts(tmp_path, "voices")).values()) > {"mine"}
    assert not any(recording.told for recording in scan(tmp_path, "voices").recordings)


def test_a_missing_or_unknown_layout(tmp_path):
    tone(tmp_path / "a.wav")
    write(tmp_path / "metadata.csv", "name,born", "anna,1980")
    assert scan(tmp_path).ignored == {".csv": 1}
    with pytest.raises(UsageError, match=r"`kaldi`, but .* holds no table of that kind \(wav\.scp\)"):
        scan(tmp_path, "kaldi")
    (tmp_path / "metadata.csv").write_bytes(b"a|caf\xe9\n")
    with pytest.raises(UsageError, match=r"metadata\.csv` must be UTF-8, but its byte 5 is 0xe9"):
        scan(tmp_path)
    with pytest.raises(ConfigError, match="must be auto, columns, lhotse, cuts"):
        load_config(TranscribeConfig, sets=["layout=vctc"])


def heard(root: Path, layout: str = "auto") -> set[Said]:
    found = transcripts(root, layout)
    assert all(isinstance(one, Transcript) for one in found), found
    return {
        Said(t.id, t.speaker, t.group, t.language, " | ".join(s.text for s in t.segments))
        for t in found
        if isinstance(t, Transcript)
    }


@pytest.mark.parametrize("given", ["auto", "by name"])
@pytest.mark.parametrize("layout", SHAPES)
def test_a_corpus_in_the_shape_of_the_real_one(tmp_path, layout, given):
    shape = SHAPES[layout]
    write_shape(shape, tmp_path)
    assert heard(tmp_path, layout if given == "by name" else "auto") == set(shape.said)
    assert {json.loads(r.told)["layout"] for r in scan(tmp_path).recordings if r.told} == {layout}


@pytest.mark.parametrize("layout", SHAPES)
def test_a_corpus_given_as_the_voices_folder_itself(tmp_path, layout):
    """Nobody is named as a folder inside the corpus, such as `wavs`, nor grouped by one outside."""
    shape = SHAPES[layout]
    write_shape(shape, tmp_path / "above")
    top = Path(shape.said[0].id).parts[0]
    inside = {said.id.partition("/")[2]: said for said in shape.said if said.id.startswith(f"{top}/")}
    tables = [name for name in (*shape.files, *shape.tars) if not name.startswith(f"{top}/")]
    if tables and layout not in {"emilia", "mailabs", "css10"}:
        pytest.skip("its tables lie elsewhere")
    found = {one.id: one for one in heard(tmp_path / "above" / top)}
    assert {name: (one.language, one.text) for name, one in found.items()} == {
        name: (said.language, said.text) for name, said in inside.items()
    }
    for name, said in inside.items():
        assert found[name].speaker == said.speaker
        assert found[name].group in {said.group, ""} - ({top} if said.group == top else set())


@pytest.mark.parametrize("layout", SHAPES)
def test_a_broken_row_is_logged_and_costs_only_itself(tmp_path, caplog, layout):
    shape = SHAPES[layout]
    write_shape(shape, tmp_path)
    table, line, message = shape.broken
    if not table:
        pytest.skip("its rows are files of their own")
    with (tmp_path / table).open("ab") as file:
        file.write(packed(tmp_path / table, f"{line}\n") if line else b"")
    with caplog.at_level(logging.WARNING):
        assert heard(tmp_path) == set(shape.said)
    (logged,) = {one.getMessage() for one in caplog.records if one.name == "stages.corpora.corpus"}
    assert message in logged
    assert logged.startswith(f"`{table}`: ")


@pytest.mark.parametrize("layout", SHAPES)
def test_a_changed_row_of_a_corpus_affects_only_its_recording(tmp_path, layout):
    shape = SHAPES[layout]
    write_shape(shape, tmp_path)
    before = {r.id: r for r in scan(tmp_path).recordings}
    said = shape.said[0].text.split(" | ")[0]
    changed = replace(
        shape,
        files={name: [line.replace(said, "x x x") for line in lines] for name, lines in shape.files.items()},
        tars={
            name: {key: text.replace(said, "x x x") for key, text in held.items()} for name, held in shape.tars.items()
        },
    )
    write_shape(changed, tmp_path)
    after = {r.id: r for r in scan(tmp_path).recordings}
    assert after.keys() == before.keys()
    if changed != shape:  # else the text is put together from what the table holds
        assert {name for name, one in after.items() if one != before[name]} == {shape.said[0].id}


def test_the_voices_folder_may_be_the_current_one(tmp_path, monkeypatch):
    write_shape(SHAPES["mls"], tmp_path)
    monkeypatch.chdir(tmp_path / "mls_german")
    assert {(r.speaker, json.loads(r.told)["content"]["language"]) for r in scan(Path()).recordings} == {
        (said.speaker, "german") for said in SHAPES["mls"].said
    }


def test_every_layout_has_a_test():
    assert {*WRITERS, *SHAPES, "columns", "parquet"} == set(LAYOUTS)
