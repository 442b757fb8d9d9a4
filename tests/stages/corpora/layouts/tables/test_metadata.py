"""Tables of trainers in all their shapes: which column is which, and which tables are refused."""

from pathlib import Path

import pytest

from stages.corpora.layouts.tables.contents import Unclear, by_content
from stages.corpora.scan import scan
from stages.errors import UsageError
from tests.stages.corpora.layouts.shapes import tone, write
from tests.stages.corpora.layouts.test_table import texts, transcripts

SENTENCES = (
    "Six spoons of fresh snow peas, five thick slabs of blue cheese.",
    "These take the shape of a long round arch.",
    "She can scoop these things into three red bags.",
    "The rainbow is a division of white light.",
    "We also need a small plastic snake.",
    "Ask her to bring these things with her from the store.",
)
NAMES = [f"c{n}" for n in range(len(SENTENCES))]
SPEAKERS = ["p225", "p225", "p226", "p226", "p225", "p226"]


def rows(form: str) -> list[str]:
    """Returns a row per sentence: `{n}` its name, `{t}` the text, `{s}` the speaker, `{i}` 0 or 1, `{d}` seconds."""
    return [
        form.format(
            n=name, t=text, s=speaker, i=int(speaker[-1]) - 5, l=len(text) // 20, d=f"{n + 2}.{n}5", g="mf"[n % 2]
        )
        for n, (name, text, speaker) in enumerate(zip(NAMES, SENTENCES, SPEAKERS, strict=True))
    ]


def corpus(root: Path, table: str, lines: list[str], folder: str = "wavs", suffix: str = ".wav") -> Path:
    for name in NAMES:
        tone(root / "set" / folder / f"{name}{suffix}")
    return write(root / "set" / table, *lines)


def found(root: Path) -> dict[str, tuple[str, str, str]]:
    """Returns speaker, group and text of each recording by its stem."""
    return {Path(t.id).stem: (t.speaker, t.group, *(s.text for s in t.segments)) for t in transcripts(root)}


READ = {
    "id|text": ("metadata.csv", "", "{n}|{t}", False),
    "id|raw|normalised": ("metadata.csv", "", "{n}|{t}, 1|{t}", False),
    "id|text|seconds": ("metadata.csv", "", "{n}|{t}|{d}", False),
    "id|text|whole seconds": ("metadata.csv", "", "{n}|{t}|{l}", False),
    "file|whole seconds|text": ("metadata.csv", "", "wavs/{n}.wav|{l}|{t}", False),
    "id|text|emotion": ("metadata.csv", "", "{n}|{t}|neutral", False),
    "id|text|language": ("metadata.csv", "", "{n}|{t}|en", False),
    "piper": ("metadata.csv", "", "{n}.wav|{t}", False),
    "piper, speakers": ("metadata.csv", "", "{n}.wav|{s}|{t}", True),
    "file|text|speaker": ("metadata.csv", "", "wavs/{n}.wav|{t}|{s}", True),
    "speaker|file|text": ("metadata.csv", "", "{s}|wavs/{n}.wav|{t}", True),
    "file|speaker|language|text": ("metadata.csv", "", "wavs/{n}.wav|{s}|EN|{t}", True),
    "a speaker of two words": ("metadata.csv", "", "wavs/{n}.wav|Anna {s}|{t}", True),
    "speaker and emotion": ("metadata.csv", "", "wavs/{n}.wav|{s}|happy|{t}", True),
    "speaker and gender": ("metadata.csv", "", "wavs/{n}.wav|{s}|{g}|{t}", True),
    "vits": ("filelist_train.txt", "", "wavs/{n}.wav|{i}|{t}", True),
    "xtts": ("metadata_train.csv", "audio_file|text|speaker_name", "wavs/{n}.wav|{t}|{s}", True),
    "coqui": ("metadata.csv", "audio_file|text|speaker_name|emotion_name", "wavs/{n}.wav|{t}|{s}|neutral", True),
    "f5": ("metadata.csv", "audio_file|text", "/elsewhere/set/wavs/{n}.wav|{t}", False),
    "f5, by name": ("metadata.csv", "audio_file|text", "/elsewhere/{n}.wav|{t}", False),
    "windows": ("metadata.csv", "audio_file|text", "C:\\data\\set\\wavs\\{n}.wav|{t}", False),
    "windows, relative": ("metadata.csv", "", "wavs\\{n}.wav|{t}", False),
    "without suffix": ("metadata.csv", "audio_file|text", "wavs/{n}|{t}", False),
    "audiofolder": ("metadata.csv", "file_name,transcription", 'wavs/{n}.wav,"{t}"', False),
    "audiofolder, speakers": ("metadata.csv", "file_name,speaker_id,gender,text", 'wavs/{n}.wav,{s},{g},"{t}"', True),
    "tabs": ("metadata.tsv", "path\tspeaker\tduration\tsentence", "wavs/{n}.wav\t{s}\t{d}\t{t}", True),
    "tabs, no header": ("metadata.tsv", "", "wavs/{n}.wav\t{s}\t{d}\t{t}", True),
    "semicolons": ("metadata.csv", "file;text", 'wavs/{n}.wav;"{t}"', False),
    "all quoted": ("metadata.csv", '"file","text"', '"wavs/{n}.wav","{t}"', False),
    "deepspeech": ("train.csv", "wav_filename,wav_filesize,transcript", 'wavs/{n}.wav,1234,"{t}"', False),
    "gpt-sovits": ("slicer.list", "", "D:\\voice\\wavs\\{n}.wav|{s}|EN|{t}", True),
    "nemo": (
        "train_manifest.json",
        "",
        '{{"audio_filepath":"/x/set/wavs/{n}.wav","text":"{t}","duration":{d}}}',
        False,
    ),
    "nemo, speakers": ("m.json", "", '{{"audio_filepath":"wavs/{n}.wav","speaker":"{s}","text":"{t}"}}', True),
    "voxcpm": ("train.jsonl", "", '{{"audio":"wavs/{n}.wav","text":"{t}","ref_audio":"wavs/c0.wav"}}', False),
    "omnivoice": ("t.jsonl", "", '{{"id":"{n}","audio_path":"wavs/{n}.wav","text":"{t}","language_id":"en"}}', False),
    "hugging face": ("metadata.jsonl", "", '{{"file_name":"wavs/{n}.wav","transcription":"{t}","x":1}}', False),
    "hugging face, dict": (
        "d.jsonl",
        "",
        '{{"audio":{{"path":"wavs/{n}.wav"}},"speaker_id":"{s}","text":"{t}"}}',
        True,
    ),
}


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("bytes_", ["plain", "windows"])
def test_the_text_and_the_speaker_are_told(tmp_path, kind, bytes_):
    name, header, form, speakers = READ[kind]
    table = corpus(tmp_path, name, [*filter(None, [header]), *rows(form)])
    if bytes_ == "windows":  # a byte order mark, and line ends of Windows
        table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n"))
    given = {name: (speaker, "set", text) for name, speaker, text in zip(NAMES, SPEAKERS, SENTENCES, strict=True)}
    own = {name: ("set", "", text) for name, text in zip(NAMES, SENTENCES, strict=True)}
    told = found(tmp_path)
    if kind == "vits":
        given = {name: (str(int(row[0][-1]) - 5), *row[1:]) for name, row in given.items()}
    if kind == "a speaker of two words":
        given = {name: (f"Anna {row[0]}", *row[1:]) for name, row in given.items()}
    assert told == (given if speakers else own)


REFUSED = {
    "no text": ("metadata.csv", "", "wavs/{n}.wav|{s}", "none is plainly the text; column 1 holds audio"),
    "no text, seconds": ("metadata.csv", "", "wavs/{n}.wav|{d}", "column 2 holds numbers"),
    "phonemes": ("metadata.csv", "", "wavs/{n}.wav|hɛlˈoʊ wˈɜːld|0", "column 2 holds phonemes"),
    "two texts": ("metadata.csv", "", "wavs/{n}.wav|{t}|Das ist {n} und noch ein Satz.", "several could be the text"),
    "speakers or lengths": ("metadata.csv", "", "wavs/{n}.wav|{t}|{i}", "column 3 could be speakers or lengths"),
    "speakers or ids": ("metadata.csv", "", "wavs/{n}.wav|{t}|x{d}", "column 3 could be speakers or ids"),
    "two speakers": ("metadata.csv", "", "wavs/{n}.wav|{s}|x{i}|{t}", "column 2 or column 3 could be the speaker"),
    "unknown header": ("metadata.csv", "datei|satz", "wavs/{n}.wav|{t}", "its header is `datei`, `satz`"),
    "label": ("metadata.csv", "file_name,label", "wavs/{n}.wav,{s}", "`file_name` is the audio"),
    "no text in json": ("x.jsonl", "", '{{"audio":"wavs/{n}.wav","label":"{s}"}}', "its objects hold `audio`, `label`"),
    "sovits without language": ("x.list", "", "wavs/{n}.wav|{s}|{t}", "it has 3 columns"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_table_whose_columns_cant_be_told_is_refused(tmp_path, kind):
    name, header, form, why = REFUSED[kind]
    corpus(tmp_path, name, [*filter(None, [header]), *rows(form)])
    with pytest.raises(UsageError, match="must tell which of its columns is the text, but") as caught:
        scan(tmp_path)
    assert why in str(caught.value)
    assert "transcribe.columns" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(scan(tmp_path, "voices").recordings) == len(NAMES)


@pytest.mark.parametrize(
    ("name", "header", "form", "columns"),
    [
        (
            "metadata.csv",
            "datei|satz|wer",
            "wavs/{n}.wav|{t}|{s}",
            {"datei": "audio", "satz": "text", "wer": "speaker"},
        ),
        ("metadata.csv", "", "wavs/{n}.wav|{t}|{s}", {"1": "audio", "2": "text", "3": "speaker"}),
        ("metadata.csv", "datei|satz|wer", "wavs/{n}.wav|{t}|{s}", {"1": "audio", "2": "text", "3": "speaker"}),
        ("metadata.csv", "", "1|wavs/{n}.wav|{t}|{s}|2", {"2": "audio", "3": "text", "4": "speaker"}),
        ("liste.txt", "", "{s};wavs/{n}.wav;{t}", {"2": "audio", "3": "text", "1": "speaker"}),
        ("x.json", "", '{{"a":"wavs/{n}.wav","b":"{t}","c":"{s}"}}', {"a": "audio", "b": "text", "c": "speaker"}),
    ],
)
def test_columns_that_are_named(tmp_path, name, header, form, columns):
    corpus(tmp_path, name, [*filter(None, [header]), *rows(form)])
    told = {Path(r.id).stem: (r.speaker, r.told) for r in scan(tmp_path, columns=columns).recordings}
    assert {name: speaker for name, (speaker, _) in told.items()} == dict(zip(NAMES, SPEAKERS, strict=True))
    assert all(text in told[name][1] for name, text in zip(NAMES, SENTENCES, strict=True))


def test_columns_that_no_table_has(tmp_path):
    corpus(tmp_path, "metadata.csv", rows("{n}|{t}"))
    with pytest.raises(UsageError, match="but none there has `a`, `b`"):
        scan(tmp_path, columns={"a": "audio", "b": "text"})


def test_start_and_end(tmp_path):
    tone(tmp_path / "talk.wav", 9.0)
    write(
        tmp_path / "metadata.csv",
        "file,start,end,speaker,text",
        "talk.wav,0.5,2,anna,Hello there.",
        "talk.wav,2,x,,No.",
    )
    assert (
        "row 3 must hold start and end in seconds, but holds start `2`, end `x`" in texts(transcripts(tmp_path))["talk"]
    )
    write(
        tmp_path / "metadata.csv", "file,start,end,speaker,text", "talk.wav,0.5,2,anna,Hello.", "talk.wav,2,5,ben,No."
    )
    (one,) = transcripts(tmp_path)
    assert [(s.start_samples, s.end_samples, s.speaker, s.text) for s in one.segments] == [
        (4_000, 16_000, "anna", "Hello."),
        (16_000, 40_000, "ben", "No."),
    ]


def test_rows_that_are_cut_by_their_delimiter_or_a_quote_are_logged(tmp_path, caplog):
    lines = rows('wavs/{n}.wav,"{t}"')
    lines[2] = 'wavs/c2.wav,"This quote has no end, and'
    lines[4] = "wavs/c4.wav,One, two, three."
    corpus(tmp_path, "metadata.csv", ["file_name,text", *lines])
    told = {Path(r.id).stem: r.told for r in scan(tmp_path).recordings}
    assert [name for name, text in told.items() if not text] == ["c2", "c4"]
    assert "2 of 7 rows can't be used" in caplog.text or "2 of 6 rows can't be used" in caplog.text


def test_quotes_of_csv_and_quotes_that_are_read(tmp_path):
    quoted = ['"He said ""now"", and left."', '"All of it is quoted."', '"Now," he said.', "no quotes, here"]
    for number in range(4):
        tone(tmp_path / "wavs" / f"c{number}.wav")
    write(tmp_path / "metadata.csv", "audio_file|text", *(f"wavs/c{n}.wav|{text}" for n, text in enumerate(quoted)))
    assert list(texts(transcripts(tmp_path)).values()) == ['He said "now", and left.', *quoted[1:]]


def test_a_table_of_no_recordings_is_left_alone(tmp_path):
    tone(tmp_path / "anna" / "a.wav")
    write(tmp_path / "metadata.csv", "anna,English,1980", "ben,German,1970")
    write(tmp_path / "notes.csv", "file,label", "a.wav,good")
    write(tmp_path / "data.json", '{"a": 1}', '{"b": 2}')
    assert [r.told for r in scan(tmp_path).recordings] == [""]


def test_a_title_is_no_speaker():
    rows = [(f"a{n}.wav", f"The Adventures of Alice in Part {n % 2}", f"{SENTENCES[n % 6]} {n}") for n in range(24)]
    with pytest.raises(Unclear, match=r"^column 2 could be speakers or titles"):
        by_content(rows, lambda _: lambda name: name if name.endswith(".wav") else None, first=True)


def test_nothing_is_told_of_an_empty_table():
    with pytest.raises(Unclear):
        by_content([], lambda _: lambda _: None, first=True)


def test_files_of_other_kinds_stop_nothing(tmp_path):
    """Whatever lies in the folder, in whatever encoding."""
    tone(tmp_path / "anna" / "a.wav")
    for name in (
        "notes.csv",
        "x.tsv",
        "x.json",
        "x.jsonl",
        "content.txt",
        "transcripts.txt",
        "transcript.txt",
        "x.list",
    ):
        (tmp_path / name).write_bytes(b"caf\xe9\xff,\t{\n" * 3)
    (tmp_path / "asr_x.tsv").write_bytes(b"\xff")
    (tmp_path / "y.json").write_text("[[1, 2], {")
    (tmp_path / "z.json").write_text("[" * 100_000)
    for name in ("gone.csv", "gone.json", "gone.jsonl", "gone.list"):
        (tmp_path / name).symlink_to(tmp_path / "nowhere")
    (tmp_path / "stm").mkdir()
    assert [recording.id for recording in scan(tmp_path).recordings] == ["anna/a.wav"]


def test_words_that_are_recorded_alone_are_texts(tmp_path):
    words = ["zero", "one", "two", "zero", "one", "two"]
    corpus(tmp_path, "metadata.csv", [f"{name}|{word}" for name, word in zip(NAMES, words, strict=True)])
    assert [text for _, _, text in found(tmp_path).values()] == words
