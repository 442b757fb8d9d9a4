"""Small corpora in the shape of the real ones: their files, what they say, and a row of each that is broken.

The lines are written for these tests; file names and columns are those of the corpora.
"""

import gzip
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile

RATE = 8_000
TEXTS = (
    "Six spoons of fresh snow peas and five slabs of cheese.",
    "These take the shape of a long round arch.",
    "She can scoop these things into three red bags.",
    "Ask her to bring these things with her from the store.",
)


@dataclass(frozen=True)
class Said:
    """What is said in a recording."""

    id: str
    speaker: str
    group: str
    language: str
    text: str
    """Of several segments, with ` | ` between them."""


@dataclass(frozen=True)
class Shape:
    """A corpus."""

    files: dict[str, Sequence[str]]
    """Lines of each file that isn't audio."""
    said: tuple[Said, ...]
    broken: tuple[str, str, str]
    """A file, a line to append to it, and what is logged of it."""
    besides: tuple[str, ...] = ()
    """Audio that the corpus holds besides, and that isn't a recording of it."""
    tars: dict[str, dict[str, str]] = field(default_factory=dict)
    """Members of each tar file: the text of a member, "" for audio."""
    seconds: float = 1.0


def tone(path: Path, seconds: float = 1.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav(seconds))  # the contents are a WAV's whatever the name says


def wav(seconds: float = 1.0) -> bytes:
    file = BytesIO()
    soundfile.write(file, 0.1 * np.sin(np.arange(round(seconds * RATE)) / 5), RATE, format="WAV")
    return file.getvalue()


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed(path, "".join(f"{line}\n" for line in lines)))
    return path


def packed(path: Path, text: str) -> bytes:
    return gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode()


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, BytesIO(content))
    return path


def write_shape(shape: Shape, root: Path) -> None:
    for name, lines in shape.files.items():
        write(root / name, *lines)
    for name, held in shape.tars.items():
        write_tar(root / name, {key: text.encode() or wav(shape.seconds) for key, text in held.items()})
    for name in (*(said.id for said in shape.said), *shape.besides):
        if ".tar/" not in name:
            tone(root / name, shape.seconds)


def _mls() -> Shape:
    folder = "mls_german/train"
    said = [
        Said(f"{folder}/audio/{s}/{b}/{s}_{b}_{n:06d}.flac", s, "mls_german", "de", text)
        for s, b, n, text in (("4422", "9100", 0, "die tannen standen dunkel"), ("7150", "12", 3, "und es war still"))
    ]
    files = {
        f"{folder}/transcripts.txt": [f"{Path(one.id).stem}\t{one.text}" for one in said],
        "mls_german/metainfo.txt": ["  SPEAKER   |   GENDER   |   PARTITION", "4422 | M | train | 12.5 | 9100 | Buch"],
    }
    return Shape(
        files, tuple(said), (f"{folder}/transcripts.txt", "4422-9100 ein satz", "must hold `speaker_book_number`")
    )


def _aishell3() -> Shape:
    said = (
        Said("AISHELL-3/train/wav/SSB0005/SSB00050001.wav", "SSB0005", "AISHELL-3", "zh", "广州女大学生"),
        Said("AISHELL-3/test/wav/SSB0139/SSB01390007.wav", "SSB0139", "AISHELL-3", "zh", "你好"),
    )
    files = {
        "AISHELL-3/train/content.txt": ["SSB00050001.wav\t广 guang3 州 zhou1 女 nv3 大 da4 学 xue2 生 sheng1"],
        "AISHELL-3/test/content.txt": ["SSB01390007.wav\t你 ni3 好 hao3"],
        "AISHELL-3/spk-info.txt": ["# Speaker Info", "SSB0005\tA\tfemale\tsouth"],
        "AISHELL-3/train/label_train-set.txt": ["SSB00050001|guang3 zhou1 nv3 da4 xue2 sheng1|广州%女大学生$"],
    }
    return Shape(
        files, said, ("AISHELL-3/test/content.txt", "SSB01390008.wav\t你 ni3 好", "that alternate with their pinyin")
    )


def _jsut() -> Shape:
    said = (
        Said("jsut_ver1.1/basic5000/wav/BASIC5000_0001.wav", "jsut_ver1.1", "", "ja", "水をマレーシアから買う。"),
        Said("jsut_ver1.1/loanword128/wav/LOANWORD128_001.wav", "jsut_ver1.1", "", "ja", "また、東寺のように。"),
    )
    files = {
        "jsut_ver1.1/basic5000/transcript_utf8.txt": ["BASIC5000_0001:水をマレーシアから買う。"],
        "jsut_ver1.1/loanword128/transcript_utf8.txt": ["LOANWORD128_001:また、東寺のように。"],
    }
    return Shape(
        files, said, ("jsut_ver1.1/basic5000/transcript_utf8.txt", "BASIC5000_0002", "must hold `recording:text`")
    )


def _jvs() -> Shape:
    folder = "jvs_ver1/jvs001/parallel100"
    said = (
        Said(f"{folder}/wav24kHz16bit/VOICEACTRESS100_001.wav", "jvs001", "jvs_ver1", "ja", "また、東寺のように。"),
        Said(
            "jvs_ver1/jvs002/nonpara30/wav24kHz16bit/BASIC5000_0235.wav",
            "jvs002",
            "jvs_ver1",
            "ja",
            "授業がある。",
        ),
    )
    files = {
        f"{folder}/transcripts_utf8.txt": ["VOICEACTRESS100_001:また、東寺のように。"],
        "jvs_ver1/jvs002/nonpara30/transcripts_utf8.txt": ["BASIC5000_0235:授業がある。"],
        "jvs_ver1/gender_f0range.txt": ["speaker Male_or_Female minf0 maxf0", "jvs001 M 70 280"],
    }
    return Shape(files, said, (f"{folder}/transcripts_utf8.txt", "VOICEACTRESS100_002 x", "must hold `recording:text`"))


def _kss() -> Shape:
    said = (
        Said("kss/1/1_0000.wav", "kss", "", "ko", "그는 괜찮은 것 같았다."),
        Said("kss/2/2_0007.wav", "kss", "", "ko", "저는 열두 살이에요."),
    )
    rows = [
        "1/1_0000.wav|그는 괜찮은 것 같았다.|그는 괜찮은 것 같았다.|그는|3.5|He seemed to be okay.",
        "2/2_0007.wav|저는 12살이에요.|저는 열두 살이에요.|저는|2.1|I am twelve.",
    ]
    return Shape({"kss/transcript.v.1.4.txt": rows}, said, ("kss/transcript.v.1.4.txt", "1/x.wav|a|b", "expanded text"))


def _css10() -> Shape:
    said = (
        Said("css10/german/buch/buch_0001.wav", "german", "css10", "de", "es waren zwölf hunde."),
        Said("css10/chinese/buch/buch_0001.wav", "chinese", "css10", "zh", "医者探了一下。"),
    )
    files = {
        "css10/german/transcript.txt": ["buch/buch_0001.wav|Es waren 12 Hunde.|es waren zwölf hunde.|9.47"],
        "css10/chinese/transcript.txt": ["buch/buch_0001.wav|医者探了一下。|yi1 zhe3 tan4 le5 yi2 xia4|6.9"],
    }
    return Shape(
        files, said, ("css10/german/transcript.txt", "buch/buch_0002.wav|Nur das.", "must hold `file|text|norm")
    )


def _mailabs() -> Shape:
    book = "de_DE/by_book/female/eva_k/grune_haus"
    said = (
        Said(f"{book}/wavs/haus_01_f000001.wav", "eva_k", "de_DE", "de", "Das Haus Nummer zwölf."),
        Said("en_US/by_book/male/elliot_miller/sky/wavs/sky_01_f000002.wav", "elliot_miller", "en_US", "en", TEXTS[0]),
    )
    files = {
        f"{book}/metadata.csv": ["haus_01_f000001|Das Haus Nr. 12.|Das Haus Nummer zwölf."],
        "en_US/by_book/male/elliot_miller/sky/metadata.csv": [f"sky_01_f000002|{TEXTS[0]}|{TEXTS[0]}"],
        f"{book}/metadata_mls.json": ["{", '"haus_01_f000001.wav": {"clean": "das haus", "key": "x"}', "}"],
    }
    return Shape(files, said, (f"{book}/metadata.csv", "haus_01_f000002", "must hold `id|text|normalised text`"))


def _arctic() -> Shape:
    folder = "cmu_us_bdl_arctic"
    said = (
        Said(
            f"arctic/{folder}/wav/arctic_a0001.wav",
            "bdl",
            "arctic",
            "en",
            "Author of the danger trail, Philip Steels.",
        ),
        Said("arctic/cmu_us_slt_arctic/wav/arctic_a0002.wav", "slt", "arctic", "en", 'He said "no" at once.'),
    )
    files = {
        f"arctic/{folder}/etc/txt.done.data": ['( arctic_a0001 "Author of the danger trail, Philip Steels." )'],
        "arctic/cmu_us_slt_arctic/etc/txt.done.data": ['( arctic_a0002 "He said \\"no\\" at once." )'],
    }
    return Shape(
        files, said, (f"arctic/{folder}/etc/txt.done.data", "arctic_a0003 Hello", 'must hold `( recording "text" )`')
    )


def _esd() -> Shape:
    said = (
        Said("ESD/0001/Angry/0001_000351.wav", "0001", "ESD", "zh", "打远一看，它们的确很是美丽。"),
        Said("ESD/0011/Neutral/train/0011_000001.wav", "0011", "ESD", "en", "The nine the eggs, I keep."),
    )
    files = {
        "ESD/0001/0001.txt": ["0001_000351\t打远一看，它们的确很是美丽。\t生气"],
        "ESD/0011/0011.txt": ["0011_000001\tThe nine the eggs, I keep.\tNeutral"],
    }
    return Shape(
        files,
        said,
        ("ESD/0011/0011.txt", "0011_000002 no tabs", "must hold `speaker_number`, the text and the emotion"),
    )


def _tedlium() -> Shape:
    folder, talk = "TEDLIUM_release-3/legacy/train", "AaronHuey_2010X"
    text = "i 'm going to talk {NOISE} about my <unk>"
    rows = [
        f"{talk} 1 {talk} 0.10 0.80 <o,f0,male> ignore_time_segment_in_scoring",
        f"{talk} 1 {talk} 1.05 3.50 <o,f0,male> i 'm going to talk {{NOISE}} about it ({talk}-1.05-3.50-0)",
        f"{talk} 1 {talk} 3.60 5.00 <o,f0,male> {text}",
        f"{talk} 1 {talk} 5.00 7.25 <o,f0,male> so there it is",
    ]
    said = (Said(f"{folder}/sph/{talk}.sph", talk, "train", "en", "i'm going to talk about it | so there it is"),)
    files = {f"{folder}/stm/{talk}.stm": rows}
    return Shape(
        files,
        said,
        (f"{folder}/stm/{talk}.stm", "nothing of it", "2 of 4 rows can't be used; row 3: must hold words only"),
        seconds=9.0,
    )


def _gigaspeech() -> Shape:
    def segment(number: int, text: str, speaker: str = "N/A") -> dict[str, object]:
        times = {"begin_time": 2.0 * number, "end_time": 2.0 * number + 1.5}
        return {"sid": f"S{number}", "speaker": speaker, **times, "text_tn": text, "subsets": ["{XS}"]}

    audio = {
        "title": "A podcast",
        "path": "audio/podcast/P0001/POD0000000001.opus",
        "aid": "POD0000000001",
        "duration": 9.0,
        "segments": [
            segment(0, "IT'S TIME <COMMA> IS IT <QUESTIONMARK>"),
            segment(1, "<MUSIC>"),
            segment(2, "YES <PERIOD>"),
        ],
    }
    broken = {"title": "B", "path": "audio/x.opus"}
    held = json.dumps({"dataset": "GigaSpeech", "language": "EN", "audios": [audio, broken]}, indent=1)
    said = (
        Said("giga/audio/podcast/P0001/POD0000000001.opus", "POD0000000001", "giga", "en", "IT'S TIME, IS IT? | YES."),
    )
    wrong = "1 of 3 rows can't be used; row 2: an object of `audios` must hold `path` and `segments`"
    return Shape({"giga/GigaSpeech.json": held.split("\n")}, said, ("giga/GigaSpeech.json", "", wrong), seconds=9.0)


def _voxpopuli() -> Shape:
    first, second = "20100210-0900-PLENARY-3-en_20100210-09:06:43_3", "20121024-0900-PLENARY-4-en_20121024-10:11:12_0"
    folder = "vp/transcribed_data/en"
    said = (
        Said(f"{folder}/2010/{first}.ogg", "124", "en", "en", "Mr President, it is 2010."),
        Said(f"{folder}/2012/{second}.ogg", "28115", "en", "en", "thank you very much"),
    )
    header = "id\traw_text\tnormalized_text\tspeaker_id\tsplit\tgender\tis_gold_transcript\taccent"
    rows = [
        f"{first}\tMr President, it is 2010.\tmr president it is twenty ten\t124\ttrain\tmale\tTrue\tNone",
        f"{second}\t\tthank you very much\t28115\ttrain\tfemale\tFalse\tNone",
    ]
    files = {f"{folder}/asr_train.tsv": [header, *rows]}
    return Shape(files, said, (f"{folder}/asr_train.tsv", "x\ty", "must hold 8 columns, the first of them an `id`"))


def _hifitts() -> Shape:
    audio = "audio/92_clean/10425/carnival_01_0001.flac"
    row = {
        "audio_filepath": audio,
        "text": "it was the fourth",
        "duration": 1.0,
        "text_no_preprocessing": "It was the 4th.",
        "text_normalized": "It was the fourth.",
    }
    other = {**row, "audio_filepath": "audio/9017_other/9017_02.flac", "text_normalized": "", "text": "and so on"}
    said = (
        Said(f"hi_fi_tts_v0/{audio}", "92", "hi_fi_tts_v0", "en", "It was the fourth."),
        Said("hi_fi_tts_v0/audio/9017_other/9017_02.flac", "9017", "hi_fi_tts_v0", "en", "and so on"),
    )
    files = {
        "hi_fi_tts_v0/92_manifest_clean_train.json": [json.dumps(row)],
        "hi_fi_tts_v0/9017_manifest_other_dev.json": [json.dumps(other)],
    }
    return Shape(files, said, ("hi_fi_tts_v0/92_manifest_clean_train.json", '{"x": 1}', "with `audio_filepath` and"))


def _emilia_row(key: str, language: str, text: str) -> dict[str, object]:
    speaker = "_".join(key.split("_")[:3])
    wav = f"{key[:9]}/{speaker}/mp3/{key}.mp3"
    about = {"duration": 1.0, "speaker": speaker, "language": language, "dnsmos": 3.3697, "phone_count": 35}
    return {"id": key, "wav": wav, "text": f" {text}", **about}


def _emilia() -> Shape:
    german, english = "DE_B00000_S00000_W000029", "EN_B00000_S00012_W000003"
    tarred = _emilia_row(german, "de", "Und das war es.")
    said = (
        Said(f"DE/DE-B000000.tar/{german}.mp3", "DE_B00000_S00000", "DE", "de", "Und das war es."),
        Said(f"EN/EN_B00000/EN_B00000_S00012/mp3/{english}.mp3", "EN_B00000_S00012", "EN", "en", TEXTS[0]),
        Said("in_processed/show/show_000000.mp3", "show", "in_processed", "en", TEXTS[1]),
        Said("in_processed/show/show_000001.mp3", "show", "in_processed", "en", TEXTS[2]),
    )
    pipe = [
        {"text": text, "start": 1.0 * n, "end": n + 0.9, "language": "en", "dnsmos": 3.1}
        for n, text in enumerate(TEXTS[1:3])
    ]
    files = {
        "EN/EN_B00000.jsonl": [json.dumps(_emilia_row(english, "en", TEXTS[0]))],
        "in_processed/show/show.json": [json.dumps(pipe)],
    }
    tars = {"DE/DE-B000000.tar": {f"{german}.mp3": "", f"{german}.json": json.dumps(tarred)}}
    return Shape(files, said, ("EN/EN_B00000.jsonl", "{", "must be an object with `wav`, `text`"), tars=tars)


def _webdataset() -> Shape:
    said = (
        Said("wds/train-000000.tar/000000001.flac", "anna", "wds", "en", TEXTS[0]),
        Said("wds/train-000000.tar/000000002.flac", "wds", "", "en", TEXTS[1]),
    )
    told = {"text": TEXTS[0], "speaker": "anna", "language": "en", "duration_s": 1.0}
    tars = {
        "wds/train-000000.tar": {
            "000000001.json": json.dumps(told),
            "000000001.flac": "",
            "000000002.txt": TEXTS[1],
            "000000002.flac": "",
        }
    }
    return Shape({}, said, ("", "", ""), tars=tars)


def _cuts() -> Shape:
    source = "download/librilight/large/100/sea_64kb/sea_01_64kb.flac"

    def cut(number: int, text: str) -> str:
        recording = {
            "id": "large/100/sea_01_64kb",
            "sources": [{"type": "file", "channels": [0], "source": source}],
            **{"sampling_rate": RATE, "num_samples": 9 * RATE, "duration": 9.0, "channel_ids": [0]},
        }
        supervision = {
            **{"id": f"sea_{number}", "recording_id": recording["id"], "start": 0, "duration": 2.0, "channel": 0},
            **{"language": "English", "speaker": "100"},
            "custom": {"texts": [text, text.upper()], "begin_byte": 0, "end_byte": 9},
        }
        about = {"id": f"sea_{number}", "start": 3.0 * number, "duration": 2.0, "channel": 0}
        return json.dumps({**about, "supervisions": [supervision], "recording": recording, "type": "MonoCut"})

    said = (Said("large/100/sea_64kb/sea_01_64kb.flac", "100", "heavy", "en", f"{TEXTS[0]} | {TEXTS[1]}"),)
    table = "heavy/libriheavy_cuts_small.jsonl"
    return Shape(
        {table: [cut(0, TEXTS[0]), cut(1, TEXTS[1])]},
        said,
        (table, '{"id": "x", "type": "MixedCut"}', "must be a cut of one recording"),
        seconds=9.0,
    )


def _shar() -> Shape:
    def cut(name: str, text: str) -> str:
        source = {"type": "shar", "channels": [0], "source": ""}
        shape = {"sampling_rate": RATE, "num_samples": RATE, "duration": 1.0, "channel_ids": [0]}
        supervision = {"id": "s", "recording_id": "r", "start": 0.25, "duration": 0.5, "channel": 0, "text": text}
        supervision |= {"language": "en", "speaker": "anna"}
        about = {"id": name, "start": 0, "duration": 1.0, "channel": 0, "supervisions": [supervision]}
        return json.dumps({**about, "recording": {"id": "r", "sources": [source], **shape}, "type": "MonoCut"})

    said = (
        Said("shar/recording.000000.tar/talk-1.flac", "anna", "shar", "en", TEXTS[0]),
        Said("shar/recording.000000.tar/talk-2.original", "anna", "shar", "en", TEXTS[1]),
    )
    members = {"talk-1.flac": "", "talk-1.json": '{"id": "r"}', "talk-2.original": "", "talk-2.json": '{"id": "r"}'}
    table = "shar/cuts.000000.jsonl.gz"
    return Shape(
        {table: [cut("talk-1", TEXTS[0]), cut("talk-2", TEXTS[1])]},
        said,
        (table, cut("talk-9", TEXTS[2]), "must be one file without transforms, or a member of the shard's tar"),
        tars={"shar/recording.000000.tar": members},
    )


def _spontaneous() -> Shape:
    header = (
        "client_id\taudio_id\taudio_file\tduration_ms\tprompt_id\tprompt\ttranscription\tvotes\tage\tgender\taccents\tvariant"
        "\tlanguage\tprompt_upvotes\tprompt_reports\tis_edited\tsplit\tchar_per_sec\tquality_tags"
    )
    audio = [f"spontaneous-speech-en-{n}.mp3" for n in (1, 2, 3)]
    row = "{c}\t{n}\t{a}\t1000\t7\tWhat did you do?\t{t}\t2\t\t\t\t\tEnglish\t1\t0\t0\ttrain\t12\t"
    rows = [
        row.format(c="a1b2", n=1, a=audio[0], t="I went [disfluency] home early."),
        row.format(c="c3d4", n=2, a=audio[1], t="Not very much."),
        row.format(c="c3d4", n=3, a=audio[2], t=""),
    ]
    folder = "sps-corpus-1.0-2025-09-05-en"
    said = (
        Said(f"{folder}/audios/{audio[0]}", "a1b2", folder, "en", "I went home early."),
        Said(f"{folder}/audios/{audio[1]}", "c3d4", folder, "en", "Not very much."),
    )
    files = {f"{folder}/ss-corpus-en.tsv": [header, *rows], f"{folder}/ss-reported-audios-en.tsv": [header]}
    broken = (f"{folder}/ss-corpus-en.tsv", "x\t9\t", "must name a recording in its column `audio_file`")
    return Shape(files, said, broken, besides=(f"{folder}/audios/{audio[2]}",))


def _table(name: str, lines: Sequence[str], broken: tuple[str, str], *, speaker: str = "") -> Shape:
    """Returns four recordings `set/wavs/c0.wav` …, described by one table."""
    said = tuple(
        Said(f"set/wavs/c{n}.wav", (speaker and f"{speaker}{n % 2}") or "set", "set" if speaker else "", "en", text)
        for n, text in enumerate(TEXTS)
    )
    return Shape({f"set/{name}": lines}, said, (f"set/{name}", *broken))


def _each(form: str) -> list[str]:
    return [
        form.replace("<n>", f"c{n}").replace("<t>", text).replace("<s>", f"anna{n % 2}") for n, text in enumerate(TEXTS)
    ]


SHAPES: dict[str, Shape] = {
    "mls": _mls(),
    "aishell3": _aishell3(),
    "jsut": _jsut(),
    "jvs": _jvs(),
    "kss": _kss(),
    "css10": _css10(),
    "mailabs": _mailabs(),
    "arctic": _arctic(),
    "esd": _esd(),
    "tedlium": _tedlium(),
    "gigaspeech": _gigaspeech(),
    "voxpopuli": _voxpopuli(),
    "hifitts": _hifitts(),
    "emilia": _emilia(),
    "webdataset": _webdataset(),
    "cuts": _cuts(),
    "shar": _shar(),
    "commonvoice": _spontaneous(),
    "ljspeech": _table("metadata.csv", _each("<n>|<t>|<t>"), ("|nobody", "must name a recording")),
    "piper": _table("metadata.csv", _each("<n>.wav|<s>|<t>"), ("|anna0|no", "must name a recording"), speaker="anna"),
    "coqui": _table(
        "metadata_train.csv",
        ["audio_file|text|speaker_name", *_each("wavs/<n>.wav|<t>|<s>")],
        ("|No.|anna0", "must name a recording"),
        speaker="anna",
    ),
    "audiofolder": _table(
        "metadata.csv",
        ["file_name,speaker_id,transcription", *_each('wavs/<n>.wav,<s>,"<t>"')],
        ('wavs/c9.wav,anna0,"No end', "a quote in it must end"),
        speaker="anna",
    ),
    "nemo": _table(
        "manifest.json",
        _each('{"audio_filepath": "/data/set/wavs/<n>.wav", "text": "<t>", "duration": 1.0, "speaker": "<s>"}'),
        ('{"text": "x"}', "must name a recording"),
        speaker="anna",
    ),
    "jsonlines": _table(
        "train.jsonl",
        _each('{"audio": "wavs/<n>.wav", "text": "<t>", "ref_audio": "wavs/c0.wav"}'),
        ("{", "must name a recording"),
    ),
    "gptsovits": _table(
        "slicer.list", _each("wavs/<n>.wav|<s>|EN|<t>"), ("|anna0|EN|x", "must name a recording"), speaker="anna"
    ),
    "table": _table(
        "metadata.tsv",
        _each("wavs/<n>.wav\t<s>\t1.05\t<t>"),
        ("\tanna0\t1.0\tx", "must name a recording"),
        speaker="anna",
    ),
}
"""A corpus of each layout, by its name."""
