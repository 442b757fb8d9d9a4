import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.corpora.scan import language_in, scan
from stages.errors import UsageError
from stages.ids import path_of
from tests.stages.corpora.layouts.shapes import write_tar


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def by_id(folder: Path) -> dict[str, tuple[str, str, str]]:
    return {r.id: (r.group, r.speaker, r.transcript) for r in scan(folder).recordings}


def test_depth_says_whose_a_recording_is(tmp_path):
    voices = tree(tmp_path / "anna", "a.wav", "bob/b.FLAC", "vctk/p226/c.mp3", "libri/103/1240/1/d.opus")
    assert by_id(voices) == {
        "a.wav": ("", "anna", ""),
        "bob/b.FLAC": ("", "bob", ""),
        "libri/103/1240/1/d.opus": ("libri", "103", ""),
        "vctk/p226/c.mp3": ("vctk", "p226", ""),
    }


def test_transcript_of_the_same_stem_timed_before_untimed(tmp_path):
    names = ["a.wav", "a.wma", "a.lab", "a.TXT", "b.wav", "b.txt", "b.json", "a.b.wav", "a.b.txt", "x/b.lab", "x/c.wav"]
    scanned = by_id(tree(tmp_path, *names))
    transcripts = {name: transcript for name, (_, _, transcript) in scanned.items()}
    assert transcripts == {"a.wav": "a.TXT", "a.wma": "a.TXT", "b.wav": "b.json", "a.b.wav": "a.b.txt", "x/c.wav": ""}


def test_a_transcript_may_carry_the_whole_name_or_a_language(tmp_path):
    names = ["a.wav", "a.wav.json", "b.mp3", "b.en.vtt", "b.en-US.srt", "c.wav", "c.en.vtt", "c.de.vtt", "e.wav"]
    names += ["d.wav", "d.en-orig.vtt", "d.fr.vtt", "e.de.vtt", "e.txt", "f.wav", "f.notes.txt"]
    found = scan(tree(tmp_path, *names))
    transcripts = {recording.id: recording.transcript for recording in found.recordings}
    assert transcripts == {
        "a.wav": "a.wav.json",
        "b.mp3": "b.en.vtt",
        "c.wav": "",
        "d.wav": "d.en-orig.vtt",
        "e.wav": "e.txt",
        "f.wav": "",
    }
    assert found.ignored == {".vtt in several languages": 2, ".txt": 1}
    names = [(transcript, recording) for recording, transcript in transcripts.items() if transcript]
    assert [language_in(*pair) for pair in names] == ["", "en", "en", ""]
    assert language_in("x/de.fr.srt", "x/de.wav") == "fr"


def test_the_rest_is_counted(tmp_path):
    tree(tmp_path, "a.wav", "a.txt", "a.json", "orphan.txt", "README", "b.TSV", "c.tsv", ".hidden.wav", ".cache/d.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    found = scan(tmp_path)
    assert [recording.id for recording in found.recordings] == ["a.wav"]
    assert found.ignored == {".tsv": 2, ".txt": 1, "": 1, "no file": 1}


def test_links_are_followed_but_not_round_and_round(tmp_path):
    corpus = tree(tmp_path / "corpus", "p1/a.wav", "p1/a.txt")
    voices = tree(tmp_path / "voices", "q/b.wav")
    (voices / "linked").symlink_to(corpus)
    (voices / "q" / "c.wav").symlink_to(corpus / "p1" / "a.wav")
    (voices / "q" / "gone.wav").symlink_to(tmp_path / "nowhere")
    (voices / "q" / "up").symlink_to(voices)
    (corpus / "p1" / "round").symlink_to(corpus)
    assert list(by_id(voices)) == ["linked/p1/a.wav", "q/b.wav", "q/c.wav", "q/gone.wav"]


def test_a_name_that_is_not_utf8_has_an_id_that_is(tmp_path):
    tree(tmp_path, "a.wav")
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    for name in (b"\xff.wav", b"\xff.txt"):
        (folder / os.fsdecode(name)).touch()
    assert by_id(tmp_path) == {
        "a.wav": ("", tmp_path.name, ""),
        r"caf\xe9/\xff.wav": ("", r"caf\xe9", r"caf\xe9/\xff.txt"),
    }


@pytest.mark.parametrize(
    ("names", "target", "message"),
    [
        ([], "none", "is not there"),
        (["a.wav"], "a.wav", "is a file"),
        (["a.tsv", "b.tsv", "s/c"], "", "holds 2 .tsv, 1 without suffix"),
        ([], "", "holds no files"),
    ],
)
def test_nothing_to_scan(tmp_path, names, target, message):
    with pytest.raises(UsageError, match=message) as caught:
        scan(tree(tmp_path, *names) / target)
    assert caught.value.exit_code == 2


NAMES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="/\0"), min_size=1, max_size=20).filter(
    lambda name: not name.startswith(".") and len(name.encode()) < 100
)


@given(paths=st.sets(st.lists(NAMES, min_size=1, max_size=4).map(tuple), min_size=1, max_size=6))
def test_any_names(tmp_path_factory, paths):
    voices = tmp_path_factory.mktemp("voices")
    written = {"/".join([*(f"{part}_" for part in parts[:-1]), f"{parts[-1]}.wav"]) for parts in paths}
    tree(voices, *written)
    found = by_id(voices)
    assert {path_of(name) for name in found} == written
    for name, (group, speaker, _) in found.items():
        folders = name.split("/")[:-1]
        assert [part for part in (group, speaker) if part] == (folders[:2] or [voices.name])


def test_the_real_recordings(recordings):
    found = scan(recordings).recordings
    audio = {".wav", ".flac", ".mp3", ".opus", ".ogg", ".wma"}
    expected = sorted(str(p.relative_to(recordings)) for p in recordings.rglob("*") if p.suffix in audio)
    assert [recording.id for recording in found] == expected
    assert sum(bool(recording.transcript) for recording in found) == len(list(recordings.rglob("*.txt")))


def test_a_tar_counts_as_the_folder_that_holds_it(tmp_path, caplog):
    inside = {
        "a.wav": b"1",
        "a.txt": b"hello",
        "b/ben/c.mp3": b"2",
        "b/ben/c.srt": b"",
        ".hidden.wav": b"3",
        "x.md": b"",
    }
    write_tar(tmp_path / "DE" / "one.tar", inside)
    write_tar(tmp_path / "two.tar", {"anna/d.flac": b"1"})
    assert by_id(tmp_path) == {
        "DE/one.tar/a.wav": ("", "DE", "DE/one.tar"),
        "DE/one.tar/b/ben/c.mp3": ("DE", "b", "DE/one.tar/b/ben/c.srt"),
        "two.tar/anna/d.flac": ("", "anna", ""),
    }
    assert scan(tmp_path).ignored == {".md": 1}
    assert not caplog.records


def test_a_damaged_tar_is_told_once(tmp_path, caplog):
    tar = write_tar(tmp_path / "anna" / "x.tar", {"a.wav": b"1" * 5000, "b.wav": b"2" * 5000})
    tar.write_bytes(tar.read_bytes()[:8000])
    (tmp_path / "anna" / "y.tar").write_bytes(b"?" * 3000)
    (tmp_path / "anna" / "z.tar.gz").write_bytes(b"\x1f\x8b")
    assert list(by_id(tmp_path)) == ["anna/x.tar/a.wav", "anna/x.tar/b.wav"]
    *damaged, packed = [record.getMessage() for record in caplog.records]
    one, other = sorted(damaged)
    assert one.endswith("x.tar` is damaged: its end is missing; 2 files in it can be read. Copy it again.")
    assert "y.tar` is damaged" in other
    assert packed.startswith("1 compressed tar files aren't read, such as `anna/z.tar.gz`")
