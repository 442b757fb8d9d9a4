"""A file of each transcript format, shaped as the programs write it. Made by hand, a few lines each.

All say `Well, hello there.` from 0.5 to 2.25 s and `How are you?` from 3 to 4.5 s.
"""

# ruff: noqa: E501 (lines of files)

import json
import re
from typing import Any

FIRST, SECOND = (0.5, 2.25, "Well, hello there."), (3.0, 4.5, "How are you?")

WORDS = [
    ("Well,", 0.5, 1.0),
    ("hello", 1.0, 1.5),
    ("there.", 1.75, 2.25),
    ("How", 3.0, 3.5),
    ("are", 3.5, 4.0),
    ("you?", 4.0, 4.5),
]


def _plain(word: str) -> str:
    return word.strip(",.?").lower()


def dump(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False)


WHISPER = {
    "text": " Well, hello there. How are you?",
    "segments": [
        {
            "id": number,
            "seek": 0,
            "start": start,
            "end": end,
            "text": f" {text}",
            "tokens": [50364, 1042],
            "temperature": 0.0,
            "avg_logprob": -0.2,
            "compression_ratio": 1.1,
            "no_speech_prob": 0.01,
            "words": [
                {"word": f" {word}", "start": at, "end": to, "probability": 0.98}
                for word, at, to in WORDS
                if start <= at < end
            ],
        }
        for number, (start, end, text) in enumerate((FIRST, SECOND))
    ],
    "language": "en",
}

WHISPER_CPP = {
    "systeminfo": "AVX = 1",
    "model": {"type": "base", "multilingual": True},
    "params": {"model": "ggml-base.bin", "language": "en", "translate": False},
    "result": {"language": "en"},
    "transcription": [
        {
            "timestamps": {"from": "00:00:00,500", "to": "00:00:02,250"},
            "offsets": {"from": 500, "to": 2250},
            "text": " Well, hello there.",
            "tokens": [
                {
                    "text": "[_BEG_]",
                    "timestamps": {"from": "00:00:00,500", "to": "00:00:00,500"},
                    "offsets": {"from": 500, "to": 500},
                    "id": 50364,
                    "p": 0.9,
                    "t_dtw": -1,
                },
                {"text": " Well", "offsets": {"from": 500, "to": 900}, "id": 1042, "p": 0.9, "t_dtw": -1},
                {"text": ",", "offsets": {"from": 900, "to": 1000}, "id": 11, "p": 0.9, "t_dtw": -1},
                {"text": " hel", "offsets": {"from": 1000, "to": 1250}, "id": 5, "p": 0.9, "t_dtw": -1},
                {"text": "lo", "offsets": {"from": 1250, "to": 1500}, "id": 6, "p": 0.9, "t_dtw": -1},
                {"text": " there", "offsets": {"from": 1750, "to": 2200}, "id": 456, "p": 0.9, "t_dtw": -1},
                {"text": ".", "offsets": {"from": 2200, "to": 2250}, "id": 13, "p": 0.9, "t_dtw": -1},
                {"text": "[_TT_87]", "offsets": {"from": 2250, "to": 2250}, "id": 50451, "p": 0.2, "t_dtw": -1},
            ],
        },
        {
            "timestamps": {"from": "00:00:03,000", "to": "00:00:04,500"},
            "offsets": {"from": 3000, "to": 4500},
            "text": " How are you?",
        },
    ],
}

VOSK = "\n".join(
    json.dumps(
        {
            "result": [
                {"conf": 1.0, "end": to, "start": at, "word": _plain(word)}
                for word, at, to in WORDS
                if start <= at < end
            ],
            "text": " ".join(_plain(word) for word, at, _ in WORDS if start <= at < end),
        },
        indent=2,
    )
    for start, end, _ in (FIRST, SECOND)
)

ASSEMBLYAI = {
    "id": "6b1f",
    "language_model": "assemblyai_default",
    "acoustic_model": "assemblyai_default",
    "language_code": "en_us",
    "status": "completed",
    "audio_url": "https://example.com/a.wav",
    "text": "Well, hello there. How are you?",
    "words": [
        {"text": word, "start": round(at * 1000), "end": round(to * 1000), "confidence": 0.98, "speaker": "AB"[at >= 3]}
        for word, at, to in WORDS
    ],
    "utterances": None,
    "confidence": 0.95,
    "audio_duration": 5,
}


def _aws_items() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for word, at, to in WORDS:
        items.append(
            {
                "start_time": str(at),
                "end_time": str(to),
                "alternatives": [{"confidence": "0.99", "content": word.strip(",.?")}],
                "type": "pronunciation",
            }
        )
        if word[-1] in ",.?":
            items.append({"alternatives": [{"confidence": "0.0", "content": word[-1]}], "type": "punctuation"})
    return items


AWS = {
    "jobName": "job",
    "accountId": "123456789012",
    "results": {
        "transcripts": [{"transcript": "Well, hello there. How are you?"}],
        "speaker_labels": {
            "speakers": 2,
            "segments": [
                {
                    "start_time": str(start),
                    "end_time": str(end),
                    "speaker_label": f"spk_{number}",
                    "items": [
                        {"start_time": str(at), "end_time": str(to), "speaker_label": f"spk_{number}"}
                        for _, at, to in WORDS
                        if start <= at < end
                    ],
                }
                for number, (start, end, _) in enumerate((FIRST, SECOND))
            ],
        },
        "items": _aws_items(),
        "language_code": "en-US",
    },
    "status": "COMPLETED",
}

GOOGLE = {
    "name": "123",
    "metadata": {"progressPercent": 100},
    "done": True,
    "response": {
        "@type": "type.googleapis.com/google.cloud.speech.v1.LongRunningRecognizeResponse",
        "results": [
            {
                "alternatives": [
                    {
                        "transcript": text,
                        "confidence": 0.97,
                        "words": [
                            {"startTime": f"{at:.3f}s", "endTime": f"{to:.3f}s", "word": word}
                            for word, at, to in WORDS
                            if start <= at < end
                        ],
                    }
                ],
                "resultEndTime": f"{end}s",
                "languageCode": "en-us",
            }
            for start, end, text in (FIRST, SECOND)
        ],
    },
}

DEEPGRAM = {
    "metadata": {"request_id": "1", "duration": 5.0, "channels": 1, "models": ["nova-3"]},
    "results": {
        "channels": [
            {
                "alternatives": [
                    {
                        "transcript": "Well, hello there. How are you?",
                        "confidence": 0.99,
                        "words": [
                            {
                                "word": _plain(word),
                                "start": at,
                                "end": to,
                                "confidence": 0.99,
                                "punctuated_word": word,
                                "speaker": int(at >= 3),
                            }
                            for word, at, to in WORDS
                        ],
                    }
                ],
                "detected_language": "en",
            }
        ]
    },
}

AZURE = {
    "source": "https://example.com/a.wav",
    "timestamp": "2024-01-01T00:00:00Z",
    "durationInTicks": 50000000,
    "duration": "PT5S",
    "combinedRecognizedPhrases": [{"channel": 0, "display": "Well, hello there. How are you?"}],
    "recognizedPhrases": [
        {
            "recognitionStatus": "Success",
            "channel": 0,
            "speaker": number + 1,
            "offset": f"PT{start}S",
            "duration": f"PT{end - start}S",
            "offsetInTicks": start * 1e7,
            "durationInTicks": (end - start) * 1e7,
            "nBest": [
                {
                    "confidence": 0.9,
                    "lexical": text.lower(),
                    "display": text,
                    "words": [
                        {
                            "word": _plain(word),
                            "offset": f"PT{at}S",
                            "duration": f"PT{to - at}S",
                            "offsetInTicks": at * 1e7,
                            "durationInTicks": (to - at) * 1e7,
                        }
                        for word, at, to in WORDS
                        if start <= at < end
                    ],
                }
            ],
        }
        for number, (start, end, text) in enumerate((FIRST, SECOND))
    ],
}

REV = {
    "monologues": [
        {
            "speaker": number,
            "elements": [
                element
                for word, at, to in WORDS
                if start <= at < end
                for element in (
                    {"type": "text", "value": word.strip(",.?"), "ts": at, "end_ts": to, "confidence": 1.0},
                    {"type": "punct", "value": (word[-1] if word[-1] in ",.?" else "") + " "},
                )
            ],
        }
        for number, (start, end, _) in enumerate((FIRST, SECOND))
    ]
}

TRANSFORMERS = {
    "text": " Well, hello there. How are you?",
    "chunks": [{"timestamp": [start, end], "text": f" {text}"} for start, end, text in (FIRST, SECOND)],
}

EMILIA = [
    {"text": text, "start": start, "end": end, "language": "en", "dnsmos": 3.4, "speaker": f"SPEAKER_0{number}"}
    for number, (start, end, text) in enumerate((FIRST, SECOND))
]

TEXTGRID = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 5\ntiers? <exists>\nsize = 1\nitem []:\n'
    '    item [1]:\n        class = "IntervalTier"\n        name = "utterances"\n        xmin = 0\n        xmax = 5\n'
    "        intervals: size = 2\n        intervals [1]:\n            xmin = 0.5\n            xmax = 2.25\n"
    '            text = "Well, hello there."\n        intervals [2]:\n            xmin = 3\n            xmax = 4.5\n'
    '            text = "How are you?"\n'
)

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-01-01T00:00:00+01:00" FORMAT="3.0" VERSION="3.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
    <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR MEDIA_URL="file:///a.wav" MIME_TYPE="audio/x-wav"/></HEADER>
    <TIME_ORDER>
        <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="500"/>
        <TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2250"/>
        <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="3000"/>
        <TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="4500"/>
    </TIME_ORDER>
    <TIER LINGUISTIC_TYPE_REF="default-lt" PARTICIPANT="Anna" TIER_ID="Anna-speech">
        <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2"><ANNOTATION_VALUE>Well, hello there.</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    </TIER>
    <TIER LINGUISTIC_TYPE_REF="default-lt" PARTICIPANT="Ben" TIER_ID="Ben-speech">
        <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4"><ANNOTATION_VALUE>How are you?</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    </TIER>
    <TIER LINGUISTIC_TYPE_REF="tr" PARENT_REF="Anna-speech" TIER_ID="translation">
        <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a1"><ANNOTATION_VALUE>Hallo.</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
    </TIER>
</ANNOTATION_DOCUMENT>
"""

CTM = ";; made by a recogniser\n" + "\n".join(
    f"talk 1 {at} {to - at:.2f} {_plain(word)} 0.98" for word, at, to in WORDS
)

STM = (
    ";; a comment\ntalk 1 inter_segment_gap 0 0.5 <o,,unknown> \n"
    "talk 1 anna 0.5 2.25 <o,f0,female> Well, hello there. {NOISE} (talk-anna-1)\n"
    "talk 1 ben 3.00 4.50 <o,f0,male> How are(2) you?\n"
    "talk 1 talk 4.5 5.0 <o,,unknown> ignore_time_segment_in_scoring\n"
)

VTT = """WEBVTT
Kind: captions
Language: en

STYLE
::cue { color: red }

NOTE not said

intro
00:00.500 --> 00:02.250 align:start position:0%
<v Anna>Well, <i>hello</i>
there.</v>

00:00:03.000 --> 00:00:04.500
<v Ben>How are you?
"""

SRT = """1
00:00:00,500 --> 00:00:02,250
<i>Well</i>, hello
there.

2
00:00:03,000 --> 00:00:04,500
{\\an8}How are you?
"""

ASS = r"""[Script Info]
Title: talk
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,20,&H00FFFFFF,&H000000FF,&H00000000,&H00000000,0,0,0,0,100,100,0,0,1,2,2,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:05.00,Default,,0,0,0,,not said
Dialogue: 0,0:00:00.50,0:00:02.25,Default,Anna,0,0,0,,{\an8}Well, {\i1}hello{\i0}\Nthere.
Dialogue: 1,0:00:00.50,0:00:02.25,Default,Anna,0,0,0,,Well, hello\Nthere.
Dialogue: 0,0:00:03.00,0:00:04.50,Default,Ben,0,0,0,,How are you?
Dialogue: 0,0:00:03.00,0:00:04.50,Default,,0,0,0,,{\p1}m 0 0 l 100 0{\p0}
"""

TTML = """<?xml version="1.0" encoding="utf-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttm="http://www.w3.org/ns/ttml#metadata" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" ttp:frameRate="24" xml:lang="en">
  <head><metadata><ttm:agent xml:id="a" type="person"><ttm:name type="full">Anna</ttm:name></ttm:agent></metadata></head>
  <body>
    <div>
      <p begin="00:00:00.500" end="00:00:02.250" ttm:agent="a">Well, <span>hello</span><br/>there.</p>
      <p begin="3s" dur="1500ms">How are
        you?</p>
    </div>
  </body>
</tt>
"""

SBV = "0:00:00.500,0:00:02.250\nWell, hello\nthere.\n\n0:00:03.000,0:00:04.500\nHow are you?\n"

LRC = "[ar:Anna]\n[length: 0:05]\n\n[00:00.50]<00:00.50>Well, <00:01.00>hello <00:01.75>there. <00:02.25>\n[00:03.00]How are you?\n[00:04.50]\n"

JSON3 = {
    "wireMagic": "pb3",
    "pens": [{}],
    "events": [
        {"tStartMs": 0, "dDurationMs": 5000, "id": 1, "wpWinPosId": 1},
        {
            "tStartMs": 500,
            "dDurationMs": 1750,
            "wWinId": 1,
            "segs": [
                {"utf8": "Well,", "acAsrConf": 0},
                {"utf8": " hello", "tOffsetMs": 500},
                {"utf8": " there.", "tOffsetMs": 1250},
            ],
        },
        {"tStartMs": 2200, "dDurationMs": 800, "wWinId": 1, "aAppend": 1, "segs": [{"utf8": "\n"}]},
        {"tStartMs": 3000, "dDurationMs": 1500, "wWinId": 1, "segs": [{"utf8": "How are you?"}]},
    ],
}

SRV3 = (
    '<?xml version="1.0" encoding="utf-8" ?><timedtext format="3">\n<head><pen id="1"/></head>\n<body>\n'
    '<p t="500" d="1750"><s>Well,</s><s t="500"> hello</s><s t="1250"> there.</s></p>\n<p t="2200" d="800" a="1">\n</p>\n'
    '<p t="3000" d="1500">How are you?</p>\n</body>\n</timedtext>'
)
SRV1 = '<?xml version="1.0" encoding="utf-8" ?><transcript><text start="0.5" dur="1.75">Well, hello\nthere.</text><text start="3" dur="1.5">How are you?</text></transcript>'

TSV = "start\tend\ttext\n500\t2250\tWell, hello there.\n3000\t4500\tHow are you?\n"
AUDACITY = "0.500000\t2.250000\tWell, hello there.\n\\\t120.000000\t4000.000000\n3.000000\t4.500000\tHow are you?\n"
PRINTED = "[00:00:00.500 --> 00:00:02.250]  Well, hello there.\n[00:00:03.000 --> 00:00:04.500]  How are you?\n"

SHAPES: dict[str, list[tuple[str, str]]] = {
    "whisperx": [("a.json", dump(WHISPER))],
    "whisper.cpp": [("a.json", dump(WHISPER_CPP))],
    "transformers": [("a.json", dump(TRANSFORMERS))],
    "vosk": [("a.json", VOSK)],
    "assemblyai": [("a.json", dump(ASSEMBLYAI))],
    "aws transcribe": [("a.json", dump(AWS))],
    "google speech": [("a.json", dump(GOOGLE)), ("a.json", dump(GOOGLE["response"]))],
    "deepgram": [("a.json", dump(DEEPGRAM))],
    "azure speech": [("a.json", dump(AZURE))],
    "rev": [("a.json", dump(REV))],
    "segments": [("a.json", dump(EMILIA))],
    "textgrid": [("a.TextGrid", TEXTGRID)],
    "elan": [("a.eaf", EAF)],
    "ctm": [("a.ctm", CTM), ("a.txt", CTM)],
    "stm": [("a.stm", STM), ("a.txt", STM)],
    "webvtt": [("a.vtt", VTT), ("a.srt", VTT), ("a.txt", VTT)],
    "subrip": [("a.srt", SRT), ("a.txt", SRT)],
    "ass": [("a.ass", ASS), ("a.ssa", ASS)],
    "ttml": [("a.ttml", TTML), ("a.dfxp", TTML)],
    "sbv": [("a.sbv", SBV), ("a.txt", SBV)],
    "lrc": [("a.lrc", LRC)],
    "youtube json3": [("a.json3", dump(JSON3)), ("a.json", dump(JSON3))],
    "youtube srv": [("a.srv3", SRV3), ("a.srv1", SRV1)],
    "whisper tsv": [("a.tsv", TSV), ("a.txt", TSV)],
    "audacity labels": [("a.txt", AUDACITY), ("a.txt", re.sub(r"(\d)\.(\d)", r"\1,\2", AUDACITY))],
    "clock times": [
        ("a.txt", PRINTED),
        ("a.txt", PRINTED.replace("00:00:", "00:")),
        ("a.tsv", PRINTED.replace("[", "").replace(" --> ", "\t").replace("]  ", "\t")),
    ],
}
"""By format: names and contents of files in it."""

NAMED = {
    "assemblyai": ("A", "B"),
    "aws transcribe": ("spk_0", "spk_1"),
    "deepgram": ("0", "1"),
    "azure speech": ("1", "2"),
    "rev": ("speaker 0", "speaker 1"),
    "segments": ("SPEAKER_00", "SPEAKER_01"),
    "elan": ("Anna", "Ben"),
    "stm": ("anna", "ben"),
    "webvtt": ("Anna", "Ben"),
    "ass": ("Anna", "Ben"),
    "ttml": ("Anna", ""),
}
"""By format: the speakers of the two segments."""
WITH_WORDS = frozenset(
    {
        "whisperx",
        "whisper.cpp",
        "vosk",
        "assemblyai",
        "aws transcribe",
        "google speech",
        "deepgram",
        "azure speech",
        "rev",
    }
    | {"ctm", "lrc", "youtube json3", "youtube srv"}
)
UNPUNCTUATED = frozenset({"vosk", "ctm"})
"""Formats in which these recognisers write words in lower case without punctuation."""
LANGUAGES = {
    "whisperx": "en",
    "whisper.cpp": "en",
    "assemblyai": "en_us",
    "aws transcribe": "en-US",
    "google speech": "en-us",
    "deepgram": "en",
    "webvtt": "en",
    "ttml": "en",
}
