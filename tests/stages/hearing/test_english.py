import json
from dataclasses import replace

import pytest

from stages.artefacts.formats import write_lines
from stages.hearing.asr import weights
from stages.hearing.english import doubted, problem, unlike_english
from stages.hearing.heard import Heard


def model(folder, words: int) -> str:
    for name in ("config.json", "model.bin", "tokenizer.json"):
        (folder / name).touch()
    (folder / "vocabulary.json").write_text(json.dumps([str(n) for n in range(words)]))
    return str(folder)


@pytest.mark.parametrize(
    ("languages", "candidates", "refused"),
    [
        ({"en": 3}, [], ""),
        ({None: 3}, [], ""),
        ({None: 3}, ["de", "en"], ""),
        ({None: 3}, ["de", "sv"], "`de` (3 recordings), `sv` (3 recordings)"),
        ({"en": 1, "de": 6, "zh": 2}, [], "`de` (6 recordings), `zh` (2 recordings)"),
    ],
)
def test_another_language_than_english_is_refused_by_an_english_model(tmp_path, languages, candidates, refused):
    found = problem(model(tmp_path, 51_864), languages, candidates)
    assert (refused in found) if refused else found == ""
    assert problem(model(tmp_path, 51_865), languages, candidates) == ""


def test_the_vocabulary_tells_in_both_forms(tmp_path):
    folder = tmp_path / "text"
    folder.mkdir()
    for lines, english in ((51_864, True), (51_866, False)):
        (folder / "vocabulary.txt").write_text("word\n" * lines)
        assert weights.speaks_only_english(folder) == english


def heard(avg_logprob: float, ratio: float = 1.2, seconds: float = 2.0) -> Heard:
    return Heard("said", 0.0, seconds, avg_logprob, 0.1, ratio, "en", None)


def reason(*stretches: Heard) -> tuple[str, str]:
    found = unlike_english("one", stretches)
    return (found.reason, f"{found.message} {found.hint}") if found else ("", "")


def test_what_an_english_model_is_unsure_of_is_not_english():
    assert reason(heard(-0.3), heard(-0.64)) == ("", "")
    name, message = reason(heard(-0.8))
    assert name == "NotEnglish"
    assert "mean log-probability -0.80, below -0.65" in message
    assert reason(heard(-0.9, seconds=1.0), heard(-0.2, seconds=9.0)) == ("", "")
    name, message = reason(heard(-0.2, 5.0), heard(-0.2, seconds=1.0))
    assert name == "NotEnglish"
    assert "repeats itself" in message


@pytest.mark.parametrize(("avg_logprob", "left_out"), [(-0.3, ""), (-0.62, "TooLittleSpeech"), (-2, "TooLittleSpeech")])
def test_a_word_is_too_little_to_tell_that_it_is_not_english(avg_logprob, left_out):
    name, message = reason(heard(avg_logprob, seconds=0.6), heard(avg_logprob, seconds=0.5))
    assert name == left_out
    assert not name or "heard as `said said`, but unsurely" in message
    assert not name or "1.1 s are too short to tell the language" in message
    assert not name or "transcribe.language=en" in message


def test_what_was_heard_is_shown_shortened():
    long = replace(heard(-0.9), text="word " * 30)
    assert f"`{('word ' * 30)[:60]}…`" in reason(long)[1]


def write_folder(root, rows):
    """A folder of `transcribe` after it heard recordings `speaker/name`; the value says how each came out."""
    for stage in ("recordings", "transcribe"):
        (root / stage).mkdir(exist_ok=True)
    recordings = [{"id": f"g/{name}.wav", "group": "g", "speaker": name.split("/")[0], "digest": "d"} for name in rows]
    texts = [
        {"id": f"g/{name}.wav{channel}", "source": source, "language": "en"}
        for name, source in rows.items()
        if source not in ("NotEnglish", "TooShort")
        for channel in ("@left", "@right")[: 1 + source.endswith("pocketsphinx")]
    ]
    out = [
        {"item": f"g/{name}.wav", "reason": reason, "kind": "rejected"}
        for name, reason in rows.items()
        if reason in ("NotEnglish", "TooShort")
    ]
    write_lines(root / "recordings" / "00000-of-00001.rows.jsonl", recordings)
    write_lines(root / "transcribe" / "00000-of-00001.rows.jsonl", texts)
    write_lines(root / "transcribe" / "00000-of-00001.out.jsonl", out)
    return doubted(root / "transcribe", ["00000-of-00001"])


def test_english_of_a_speaker_who_mostly_speaks_something_else_is_doubted(tmp_path):
    german = {f"kerstin/{n}": "NotEnglish" for n in range(4)}
    english = {"anna/1": "whisperx", "anna/2": "TooShort", "anna/3": "NotEnglish"}
    assert write_folder(tmp_path, german | english) == [], "nothing of hers came in"
    german |= {"kerstin/8": "whisperx", "kerstin/9": "whisperx+pocketsphinx"}
    [told] = write_folder(tmp_path, german | english)
    assert told.startswith("`g/kerstin`: 4 recordings are left out as `NotEnglish`, but 2 were heard as English")
    written = {f"kerstin/text{n}": "txt" for n in range(9)}
    assert write_folder(tmp_path, german | written) == [told], "what was written isn't heard"
    assert write_folder(tmp_path, {**german, "kerstin/3": "whisperx", "kerstin/2": "whisperx"}) == [], (
        "not most of them"
    )
    many = {f"s{speaker}/{n}": "whisperx" if n == 9 else "NotEnglish" for speaker in range(8) for n in (1, 2, 3, 9)}
    assert [line.split(":")[0] for line in write_folder(tmp_path, many)] == [
        *(f"`g/s{speaker}`" for speaker in range(5)),
        "the same goes for 3 more speakers",
    ]
