import pytest

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.transcripts.table import read_transcript

TIERS = {
    "anna - words": [(0.0, 0.5, ""), (0.5, 1.0, "good"), (1.0, 1.5, 'mor"ning'), (1.5, 4.0, "sil"), (4.0, 5.0, "bye")],
    "anna - phones": [(0.0, 0.5, "sil"), (0.5, 5.0, "g")],
}


def long_format(tiers):
    """As Praat's `Write to text file` and the Montreal Forced Aligner write it."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 ", "xmax = 5 ", "tiers? <exists> "]
    lines += [f"size = {len(tiers)} ", "item []: "]
    for number, (name, intervals) in enumerate(tiers.items(), 1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier" ', f'        name = "{name}" ']
        lines += ["        xmin = 0 ", "        xmax = 5 ", f"        intervals: size = {len(intervals)} "]
        for at, (start, end, text) in enumerate(intervals, 1):
            quoted = text.replace('"', '""')
            lines += [f"        intervals [{at}]:", f"            xmin = {start} ", f"            xmax = {end} "]
            lines += [f'            text = "{quoted}" ']
    return "\n".join(lines)


def short_format(tiers):
    """As Praat's `Write to short text file` does, with a tier of points before the others."""
    lines = ['File type = "ooTextFile"', '"TextGrid"', "", "0 ! a comment", "5", "<exists>", str(len(tiers) + 1)]
    lines += ['"TextTier"', '"clicks"', "0", "5", "1", "2.5", '"click"']
    for name, intervals in tiers.items():
        lines += ['"IntervalTier"', f'"{name}"', "0", "5", str(len(intervals))]
        for start, end, text in intervals:
            quoted = text.replace('"', '""')
            lines += [str(start), str(end), f'"{quoted}"']
    return "\n".join(lines)


def read(folder, text, encoding="utf-8"):
    path = folder / "a.TextGrid"
    path.write_bytes(text.encode(encoding))
    script = read_transcript(path, AudioInfo(1_000, 5_000, 1))
    return [(s.start_samples, s.end_samples, s.text, s.speaker, len(s.words)) for s in script.segments]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("form", [long_format, short_format])
def test_words_alone_are_split_at_long_silences(tmp_path, form, encoding):
    assert read(tmp_path, form(TIERS), encoding) == [(500, 1_500, 'good mor"ning', "", 2), (4_000, 5_000, "bye", "", 1)]


def test_words_fall_into_the_utterances_that_hold_them(tmp_path):
    tiers = {"words": TIERS["anna - words"], "utterances": [(0.25, 2.0, 'good mor"ning'), (2.0, 5.0, "bye")]}
    assert read(tmp_path, long_format(tiers)) == [(250, 2_000, 'good mor"ning', "", 2), (2_000, 5_000, "bye", "", 1)]


def test_tiers_of_utterances_are_named_for_their_speakers(tmp_path):
    tiers = {"anna": [(0.0, 2.0, "good morning")], "ben": [(2.0, 2.5, " "), (2.5, 4.0, "bye")]}
    assert read(tmp_path, short_format(tiers)) == [
        (0, 2_000, "good morning", "anna", 0),
        (2_500, 4_000, "bye", "ben", 0),
    ]


@pytest.mark.parametrize(
    ("anna", "ben"),
    [("anna - utterances", "ben - utterances"), ("utterances", "utterances"), ("all", "all"), ("anna", "ben")],
)
def test_no_text_is_repeated_if_there_are_utterances_and_words(tmp_path, anna, ben):
    said = {anna: [(0.0, 2.0, "good morning"), (2.0, 2.5, "hm")]}
    said[ben] = [*(said[anna] if anna == ben else ()), (2.5, 4.0, "bye")]
    words = {"anna - words": [(0.5, 1.0, "good"), (1.0, 1.5, "morning")], "ben - words": [(3.0, 3.5, "bye")]}
    hm = (2_000, 2_500, "hm", "" if anna == ben else "anna", 0)
    wanted = [(0, 2_000, "good morning", "anna", 2), hm, (2_500, 4_000, "bye", "ben", 1)]
    assert read(tmp_path, long_format(said | words)) == wanted
    assert read(tmp_path, long_format(words | said)) == wanted


def test_words_name_the_speakers_of_an_utterance_without_one(tmp_path):
    tiers = {"utterances": [(0.0, 3.0, "good morning bye"), (3.0, 3.5, "so")], "ben - words": [(2.0, 2.5, "bye")]}
    tiers["anna - words"] = [(0.5, 1.0, "good"), (1.0, 1.5, "morning"), (4.0, 4.5, "well")]
    assert read(tmp_path, long_format(tiers)) == [
        (500, 1_500, "good morning", "anna", 2),
        (2_000, 2_500, "bye", "ben", 1),
        (3_000, 3_500, "so", "", 0),
        (4_000, 4_500, "well", "anna", 1),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "must be a TextGrid in Praat's text format"),
        (long_format(TIERS)[:700], "ends early or is out of order"),
        (short_format({"a": [(0.0, 5.0, " ")]}), "must hold `segments` with text"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path, text, message):
    with pytest.raises(TextError, match=message):
        read(tmp_path, text)
