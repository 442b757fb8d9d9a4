"""Turns segments in whisperX's form, in which every format is read, into a `Script`.

`{"language", "segments": [{"start", "end", "text", "speaker", "language", "words": [{"word", "start", "end"}]}]}`,
times in seconds.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from stages.audio.files import AudioInfo
from stages.errors import TextError
from stages.records import BadSegment, Segment, Word
from stages.transcripts.cleaning.edited import Edited
from stages.transcripts.cleaning.labels import Turn, take_labels
from stages.transcripts.cleaning.spoken import Log, strip, sung_on
from stages.transcripts.rolling import Cue, each_line_once, without_overlap
from stages.transcripts.script import Reader, Script, parse_json
from stages.transcripts.words import TimedWord, fitted, placed

Style = Literal["captions", "heard", "plain", "as it is"]
"""What the texts are: captions, which may roll; what a recogniser heard; prose; or text that was cleaned before."""

Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]

_MOST_PAST = 0.5
"""If more than this share of the segments begin past the end, the transcript belongs to another recording."""
_MOST_UNREAD = 0.5
"""If the times of more than this share of the segments can't be read, they are in a form that isn't known."""


class _Model(BaseModel):
    model_config = ConfigDict(strict=True)


def _finite(time: Any) -> Any:
    """Returns a time of a word; None in place of NaN: the word then has no time of its own."""
    return None if isinstance(time, float) and not math.isfinite(time) else time


class _Word(_Model):
    word: str
    start: Annotated[Seconds | None, BeforeValidator(_finite)] = None
    end: Annotated[Seconds | None, BeforeValidator(_finite)] = None


class _Segment(_Model):
    start: Seconds
    end: Seconds
    text: str
    language: str | None = None
    speaker: str | int | None = None
    words: list[_Word] | None = None


class _Json(_Model):
    language: str | None = None
    segments: list[Any] | None = None
    text: str | None = None


def from_whisperx(result: Any, audio: AudioInfo, *, style: Style = "plain") -> Script:
    """Turns a result in whisperX's form into a script.

    A segment that can't be used is left out and told in `bad`: without an end, of no length, past the recording's end,
    with times that can't be read.
    An end past the recording's is cut. What isn't speech is taken out of the texts (see `spoken`), and told in `taken`.
    A result with `text` but no `segments` is an untimed transcript.

    Raises:
        TextError: if it isn't in that form, holds no text, or if no segment, or only the smaller part, can be used.
    """
    try:
        data = _Json.model_validate(result)
    except ValidationError as error:
        raise TextError(_describe(error)) from error
    language = data.language or ""
    if data.segments is None and data.text is not None:
        return untimed(data.text, audio, language=language, style=style)
    return _Reading(audio, style).script(language, data.segments or [])


def untimed(text: str, audio: AudioInfo, *, language: str = "", style: Style = "plain") -> Script:
    """Returns a script of one untimed text; raises `TextError` if it holds none."""
    if "\0" in text:
        raise TextError(
            "must hold plain text, but holds NUL bytes: it may be UTF-16 without a byte order mark. Save it as UTF-8."
        )
    if not text.strip():
        raise TextError("must hold the text of its recording, but holds none. Write it, or remove the file.")
    log = Log()
    [edited], [turn] = _cleaned([text], style, log)
    said = " ".join(edited.text.split())
    if not said:
        raise TextError(
            f"must hold what is said, but holds only `{' '.join(text.split())[:60]}`. Remove it if that is so."
        )
    speaker = None if turn.several else ""
    return Script(language, (Segment(0, audio.samples, said, "", (), speaker),), timed=False, taken=log.taken())


def timed(parse: Callable[[str], list[dict[str, Any]]], *, style: Style = "plain") -> Reader:
    """Makes a format's reader from a function that returns segments.

    A segment is a dictionary with `start`, `end` (seconds) and `text`, and if known `speaker`, `language` and `words`
    (`word`, `start`, `end`). Any order; empty texts are dropped. One whose times can't be read has `unread` instead:
    the line for the user. See `from_whisperx`.
    """

    def read(text: str, audio: AudioInfo) -> Script:
        return from_whisperx({"segments": parse(text)}, audio, style=style)

    return read


def from_json(parse: Callable[[Any], Mapping[str, Any]], *, style: Style = "heard") -> Reader:
    """Makes a format's reader from a function that turns a JSON value into whisperX's form.

    A value that lacks a key or has another kind of value in its place raises `TextError`.
    """

    def read(text: str, audio: AudioInfo) -> Script:
        value = getattr(text, "data", None)
        if value is None:
            value = parse_json(text)
        try:
            result = parse(value)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            what = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
            raise TextError(f"must be whole, but isn't: {what}. Export it again.") from error
        return from_whisperx(result, audio, style=style)

    return read


def read_told(told: str, audio: AudioInfo) -> tuple[Script, str]:
    """Reads `Recording.told`: what a corpus's table says about a recording, as JSON.

    Returns:
        The script, and the layout of the table.

    Raises:
        TextError: if the row can't be used, holds no text, or has impossible times.
    """
    row = json.loads(told)
    if row["problem"]:
        raise TextError(f"`{row['table']}`: {row['problem']}")
    try:
        return from_whisperx(row["content"], audio), row["layout"]
    except TextError as error:
        raise TextError(f"`{row['table']}`: {error}") from error


def _describe(error: ValidationError, within: str = "") -> str:
    problem = error.errors()[0]
    loc = (*((within,) if within else ()), *problem["loc"])
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    value = repr(problem["input"])
    if problem["type"] == "missing":
        return f"`{where}` must be given, but is missing. Export it again."
    rule = problem["msg"].removeprefix("Input should be ")
    return f"`{where or 'the file'}` must be {rule}, but is {value[:60]}. Correct it or export it again."


def _cleaned(texts: Sequence[str], style: Style, log: Log) -> tuple[list[Edited], list[Turn]]:
    """Takes what isn't speech out of texts, and finds who speaks in each."""
    found = [Edited(text) for text in texts]
    if style == "as it is":
        return found, [Turn()] * len(found)
    brackets: Literal["captions", "plain"] = "plain" if style == "plain" else "captions"
    for edited in found:
        strip(edited, brackets, log)
    return found, take_labels(found, brackets, log)


class _Reading:
    """Reads the segments of one transcript, and keeps those that can't be used."""

    def __init__(self, audio: AudioInfo, style: Style) -> None:
        self._audio = audio
        self._style = style
        self._bad: list[BadSegment] = []
        self._unplaced: list[tuple[int, BadSegment]] = []
        """Segments whose times can't be read, each with the number of cues before it."""
        self._past = 0

    def script(self, language: str, segments: Sequence[Any]) -> Script:
        """Returns the script; raises `TextError` if no segment can be used, or too few."""
        cues = self._cues(segments)
        log = Log()
        if self._style == "captions":
            cues, repeats = each_line_once(cues)
            cues = without_overlap(cues)
            log.add_many("repeats", repeats)
        whole = [cue for cue in cues if self._has_length(cue)]
        if not whole:
            raise TextError(
                self._bad[0].why
                if self._bad
                else "must hold `segments` with text, but holds none. Write them, or remove the file."
            )
        if self._past > _MOST_PAST * (self._past + len(whole)):
            raise TextError(next(bad.why for bad in self._bad if "start within its recording" in bad.why))
        if len(self._unplaced) > _MOST_UNREAD * (len(self._unplaced) + len(whole)):
            raise TextError(self._unplaced[0][1].why)
        if self._style == "captions":
            sung = sung_on([cue.text for cue in whole])
            whole = [replace(cue, text=text) for cue, text in zip(whole, sung, strict=True)]
        texts, turns = _cleaned([cue.text for cue in whole], self._style, log)
        speakers = _speakers([cue.speaker for cue in whole], turns)
        found = [self._segment(*parts) for parts in zip(whole, texts, speakers, strict=True)]
        if not any(segment.text for segment in found):
            only = " ".join(whole[0].text.split())[:60]
            raise TextError(
                f"must hold `segments` with text, but holds only sounds, such as `{only}`. Remove the file."
            )
        found.sort(key=lambda segment: (segment.start_samples, segment.end_samples))
        return Script(language, tuple(found), timed=True, taken=log.taken(), bad=tuple(self._bad))

    def _cues(self, segments: Sequence[Any]) -> list[Cue]:
        cues: list[Cue] = []
        for index, value in enumerate(segments):
            name = f"segments[{index}]"
            if isinstance(value, Mapping) and (problem := value.get("unread")):
                self._unplaced.append((len(cues), BadSegment(name, str(problem), "BadTimes")))
                continue
            if isinstance(value, Mapping) and isinstance(text := value.get("text"), str) and not text.strip():
                continue
            try:
                segment = _Segment.model_validate(value)
            except ValidationError as error:
                start = value.get("start") if isinstance(value, Mapping) else None
                times = error.errors()[0]["loc"][:1] in {("start",), ("end",), ("words",)}
                self._refuse(name, start, _describe(error, name), "BadTimes" if times else "BadSegment")
                continue
            words = [TimedWord(word.word, word.start, word.end) for word in segment.words or () if word.word.strip()]
            speaker = "" if segment.speaker is None else str(segment.speaker).strip()
            cues.append(Cue(segment.start, segment.end, segment.text, speaker, segment.language or "", words, name))
        self._bad += [self._placed(bad, cues[:place][-1:], cues[place:][:1]) for place, bad in self._unplaced]
        cues.sort(key=lambda cue: (cue.start, cue.end))
        return cues

    def _placed(self, bad: BadSegment, before: Sequence[Cue], after: Sequence[Cue]) -> BadSegment:
        """Returns a segment whose times can't be read with the room that its neighbours in the file leave it."""
        rate, samples = self._audio.sample_rate, self._audio.samples
        start = min(samples, round(before[0].end * rate)) if before else 0
        end = min(samples, round(after[0].start * rate)) if after else samples
        return replace(bad, start_samples=start, end_samples=end) if start <= end else bad

    def _refuse(self, name: str, start: Any, why: str, reason: str = "BadTimes") -> None:
        samples = (
            round(start * self._audio.sample_rate) if isinstance(start, int | float) and 0 <= start < 1e9 else None
        )
        inside = samples is not None and samples < self._audio.samples
        self._bad.append(BadSegment(name, why, reason, samples if inside else None))

    def _has_length(self, cue: Cue) -> bool:
        rate, samples = self._audio.sample_rate, self._audio.samples
        start, end = round(cue.start * rate), min(round(cue.end * rate), samples)
        if start >= samples:
            self._past += 1
            why = (
                f"`{cue.name}` must start within its recording ({samples / rate:.3f} s), but starts at {cue.start} s."
                " It may belong to another recording."
            )
        elif end <= start:
            why = f"`{cue.name}` must end after its start ({cue.start} s), but ends at {cue.end} s. Correct it."
        else:
            return True
        self._refuse(cue.name, cue.start, why)
        return False

    def _segment(self, cue: Cue, edited: Edited, speaker: str | None) -> Segment:
        rate = self._audio.sample_rate
        start, end = round(cue.start * rate), min(round(cue.end * rate), self._audio.samples)
        text = " ".join(edited.text.split())
        return Segment(start, end, text, cue.language, _words(cue, edited, start, end, rate), speaker)


def _words(cue: Cue, edited: Edited, start: int, end: int, rate: int) -> tuple[Word, ...]:
    """Returns the words of a segment as its text has them now; none if they spell another text."""
    places = fitted(cue.words, cue.text)
    left = [
        TimedWord(" ".join(text.split()), word.start_s, word.end_s)
        for word, begin, stop in places or ()
        if (text := edited.between(begin, stop))
    ]
    spelt = "".join("".join(word.text.split()) for word in left)
    if [letter for letter in spelt if letter.isalnum()] != [letter for letter in edited.text if letter.isalnum()]:
        return ()
    return placed(left, start, end, rate)


def _speakers(told: Sequence[str], turns: Sequence[Turn]) -> list[str | None]:
    """Returns the speaker of each segment: as the format tells it, else by the labels in the texts.

    If labels name more than one person, a segment without a label belongs to the person of the one before.
    """
    several_named = len({turn.name for turn in turns if turn.name}) > 1
    found: list[str | None] = []
    last: str | None = ""
    for name, turn in zip(told, turns, strict=True):
        if turn.name:
            last = turn.name
        elif turn.change:
            last = None if several_named else ""
        if turn.several:
            found.append(None)
        else:
            found.append(name or (last if several_named else turn.name))
        if turn.several and several_named:
            last = None
    return found
