"""What isn't speech isn't read; what is stays."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.records import Taken
from stages.transcripts.cleaning import spoken
from stages.transcripts.whisperx import from_whisperx, untimed

TEN_MINUTES = AudioInfo(1_000, 600_000, 1)


def captions(*texts, style="captions", **more):
    """Returns the segments of captions, two seconds each."""
    segments = [{"start": 2.0 * n, "end": 2.0 * n + 1.9, "text": text, **more} for n, text in enumerate(texts)]
    return from_whisperx({"segments": segments}, TEN_MINUTES, style=style)


def caption(text, style="captions"):
    """Returns what is left of one caption among others."""
    return captions("First of all.", text, style=style).segments[1].text


def prose(text):
    return untimed(text, TEN_MINUTES).segments[0].text


BOTH = [
    ("[MUSIC] Hello.", "Hello."),
    ("Hello [LAUGHTER] there.", "Hello there."),
    ("Hello (clears throat) there.", "Hello there."),
    ("(laughs) Hello.", "Hello."),
    ("Hello (Applause.)", "Hello"),
    ("*laughs* Hello.", "Hello."),
    ("Hello. *sighs heavily*", "Hello."),
    ("♪ la la la ♪ Hello.", "Hello."),
    ("Hello. ♪", "Hello."),
    ("<NOISE> Hello <sil> there.", "Hello there."),
    ("{LG} Hello {NOISE} there.", "Hello there."),
    ("++NOISE++ Hello.", "Hello."),
    ("<i>Hello</i> <font color='#fff'>th</font>ere.<br/>You.", "Hello there. You."),
    ("{\\an8}Hello {\\i1}there{\\i0}.", "Hello there."),
    ("Tom &amp; I &#39;ve gone.&nbsp;", "Tom & I 've gone."),
    ("[laughter-yes] Hello.", "yes Hello."),
    ("{UH} Hello.", "uh Hello."),
    ("ein [Lachen] Wort (räuspert sich).", "ein Wort ."),
    ("（笑）そうです（拍手）ね。", "そうですね。"),
    ("Hello <unk> there.", "Hello <unk> there."),
    ("Hello <UNK> [UNK] there.", "Hello <unk> <unk> there."),
    ("Hello spn there.", "Hello <unk> there."),
    ("Hello [inaudible 00:01:02] there.", "Hello <unk> there."),
    ("Hello (inaudible) there.", "Hello <unk> there."),
    ("So I [ __ ] went.", "So I <unk> went."),
    ("So I **** went.", "So I <unk> went."),
    ("Speaker 1: Hello.", "Hello."),
    ("MAN: Hello.", "Hello."),
    (">> ANNA: Hello.", "Hello."),
    (">>Hello.", "Hello."),
    ("[Anna]: Hello.", "Hello."),
    ("- Hello.", "Hello."),
    # what is said stays
    ("Look (see page 5) there.", "Look (see page 5) there."),
    ("The price (in dollars) rose.", "The price (in dollars) rose."),
    ("He came (as he always did) late.", "He came (as he always did) late."),
    ("I am (being honest) tired.", "I am (being honest) tired."),
    ("Die Zahl (siehe oben) ist groß.", "Die Zahl (siehe oben) ist groß."),
    ("The agency (NASA) said so.", "The agency (NASA) said so."),
    ("猫（ねこ）がいる。", "猫（ねこ）がいる。"),
    ("It is *really* good.", "It is *really* good."),
    ("If a < b and c > d, stop.", "If a < b and c > d, stop."),
    ("Note: this is it.", "Note: this is it."),
    ("Dr.: yes.", "Dr.: yes."),
    ("WARNING: do not open.", "WARNING: do not open."),
    ("She said: go.", "She said: go."),
    ("Remember: two things.", "Remember: two things."),
    ("It is 10:30 now.", "It is 10:30 now."),
    ("-5 degrees.", "-5 degrees."),
    ("AT&T; and R&D", "AT&T; and R&D"),
    ("Music and laughter filled the room.", "Music and laughter filled the room."),
    ("so (?) what", "so (?) what"),
]
CAPTIONS = [
    ("(people chattering)", ""),
    ("(door opens)\nHello there.", "Hello there."),
    ("(DOOR SLAMS) Hello.", "Hello."),
    ("(in French) Bonjour.", "Bonjour."),
    ("[door opens] Hello.", "Hello."),
    ("[speaking French]", "<unk>"),
    ("*clearing his throat* Hello.", "Hello."),
    ("# La la la #", ""),
    ("NASA: we have lift-off.", "we have lift-off."),
    ("Hello <blink>there</blink>.", "Hello there."),
]
PROSE = [
    ("[The] king (the wind) [sic] came.", "[The] king (the wind) came."),
    ("NASA: we have lift-off.", "NASA: we have lift-off."),
    ("He saw [Anna] (people chattering) there.", "He saw [Anna] (people chattering) there."),
    ("Hello (unclear) there (the bell rings).", "Hello (unclear) there (the bell rings)."),
    ("Press it (click) once.", "Press it (click) once."),
    ("a <blink> of an eye", "a <blink> of an eye"),
    ("Question: what is it?\nAnswer: nothing.", "Question: what is it? Answer: nothing."),
    ("1: one\n2: two\n3: three", "1: one 2: two 3: three"),
]


@pytest.mark.parametrize(("text", "left"), BOTH + CAPTIONS)
def test_captions(text, left):
    assert caption(text) == left
    assert caption(text, "heard") == left


@pytest.mark.parametrize(("text", "left"), BOTH + PROSE)
def test_prose(text, left):
    assert prose(text) == left


def test_what_was_taken_is_counted_by_kind_with_examples():
    found = captions("[Music]", "[Music] MAN: Hello ♪ la ♪ <i>you</i>", "(laughs) [inaudible]").taken
    assert found == (
        Taken("labels", 1, ("MAN:",)),
        Taken("markup", 2, ("<i>",)),
        Taken("songs", 1, ("♪ la ♪",)),
        Taken("sounds", 3, ("[Music]", "(laughs)")),
        Taken("unknown", 1, ("[inaudible]",)),
    )


def test_a_caption_of_sounds_alone_is_a_segment_without_text():
    script = captions("[Music]", "Hello.")
    assert [(s.start_samples, s.text) for s in script.segments] == [(0, ""), (2000, "Hello.")]
    with pytest.raises(TextError, match=r"holds only sounds, such as `\[Music\]`"):
        captions("[Music]", "(applause)")
    with pytest.raises(TextError, match=r"holds only `\[MUSIC\]`"):
        untimed("[MUSIC]", TEN_MINUTES)


def test_a_song_may_go_on_over_several_captions():
    found = captions("♪ It begins", "it goes on", "and ends ♪", "Hello.", "♪ Another", "Hello again.").segments
    assert [segment.text for segment in found] == ["", "", "", "Hello.", "", "Hello again."]


def test_words_keep_their_times_where_something_was_taken_beside_them():
    text, words = "[Music] MAN: Well, (laughs) you <b>see</b>.", []
    for place, word in enumerate(text.split()):
        words.append({"word": word, "start": place / 10, "end": place / 10 + 0.1})
    [segment] = captions(text, words=words).segments
    assert segment.text == "Well, you see."
    assert [(word.text, word.start_samples) for word in segment.words] == [("Well,", 200), ("you", 400), ("see.", 500)]


class TestSpeakers:
    """Who speaks, by the labels."""

    @staticmethod
    def of(*texts, style="captions"):
        return [(segment.text, segment.speaker) for segment in captions(*texts, style=style).segments]

    def test_labels_name_the_speakers_and_hold_until_the_next(self):
        assert self.of("Speaker 1: Hello.", "And more.", "Speaker 2: Hi.", "Speaker 1: So.") == [
            ("Hello.", "Speaker 1"),
            ("And more.", "Speaker 1"),
            ("Hi.", "Speaker 2"),
            ("So.", "Speaker 1"),
        ]

    def test_names_count_if_the_file_uses_them_throughout(self):
        assert self.of("Anna: Hello.", "Ben: Hi.", "Anna: Note: this.", "Note: that.") == [
            ("Hello.", "Anna"),
            ("Hi.", "Ben"),
            ("Note: this.", "Anna"),
            ("Note: that.", "Anna"),
        ]
        alone = ["One thing: go.", "So it is.", "And more.", "Anna: she came.", "And went."]
        assert [text for text, _ in self.of(*alone)] == alone

    def test_two_people_in_one_caption_cant_be_told_apart(self):
        assert self.of("- Hello.\n- Hi.", "Yes. >> No.", "ANNA: Hello.\nBEN: hi.", "Alone.")[:3] == [
            ("Hello. Hi.", None),
            ("Yes. No.", None),
            ("Hello. hi.", None),
        ]

    def test_a_new_speaker_without_a_name_isnt_the_last_one(self):
        assert self.of(">> ANNA: Hello.", ">> Hi.", "And more.", ">> BEN: So.") == [
            ("Hello.", "ANNA"),
            ("Hi.", None),
            ("And more.", None),
            ("So.", "BEN"),
        ]

    def test_a_dialogue_in_prose_is_of_several(self):
        script = untimed("Anna: Hello there.\nBen: Hi.\nAnna: So.", TEN_MINUTES)
        assert [(segment.text, segment.speaker) for segment in script.segments] == [("Hello there. Hi. So.", None)]

    def test_text_in_capitals_has_no_labels_but_roles(self):
        assert self.of("THIS IS SO: GO.", "MAN: HELLO.") == [("THIS IS SO: GO.", ""), ("HELLO.", "MAN")]


PIECES = st.sampled_from(
    [
        "Hello",
        "[MUSIC]",
        "<unk>",
        "♪",
        "MAN:",
        "\n",
        "- ",
        ">>",
        "*laughs*",
        "&amp;",
        "it's",
        "猫",
        "{x}",
        "((",
        "]",
        "<b>",
        ":",
    ]
)


@given(st.lists(PIECES, min_size=1, max_size=12), st.sampled_from(["captions", "heard", "plain"]))
@example(["Hello", "MAN:", "\n", "MAN:"], "captions")
def test_nothing_is_made_up_and_prose_is_kept(pieces, style):
    written = " ".join(pieces)
    script = captions("So it is.", written, style=style)
    left = " ".join(segment.text for segment in script.segments[1:])
    assert set(left.replace("<unk>", "").split()) <= {*written.split(), "&", "-", ">>", "b>", "x"} | set("[](){}<>:♪")
    a_name = re.search("Hello[^\n]*:", written)  # before a colon it may be a speaker's, by itself or with what follows
    assert left.count("Hello") == written.count("Hello") or a_name or any(mark in written for mark in "♪[(")
    assert json.dumps([taken.to_json() for taken in script.taken])


MARKS = "&<[［【{(（*#%♪♫\u200b\ufeff\u00ad+>]］】})）;/- \nspnhesitation@_A1.:"


@given(st.text(st.sampled_from(MARKS), max_size=40))
def test_a_text_without_any_mark_holds_no_match(text: str) -> None:
    """Texts that hold none of the marks are passed by, so no pattern may match without one."""
    patterns = [value for name, value in vars(spoken).items() if isinstance(value, re.Pattern) and name in TAKEN]
    assert len(patterns) == len(TAKEN)
    if not spoken._ANY.search(text):
        assert not [pattern for pattern in patterns if pattern.search(text)]


TAKEN = {
    *("_ENTITY", "_INVISIBLE", "_TIME_TAG", "_RUBY", "_HTML", "_ASS", "_SUNG", "_NOTE", "_HASHED", "_TWICE_ROUND"),
    *("_ANGLE", "_SQUARE", "_BRACE", "_ROUND", "_STARS", "_PLUSES", "_MASKED", "_BARE"),
}
