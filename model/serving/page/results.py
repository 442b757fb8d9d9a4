"""Shows speech: to hear, as pictures, and in words; and keeps what was made, to come back to."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from model.inference.notes import notes
from model.serving.page.pictures import draw_codes, draw_spectrogram
from model.serving.page.studio import Studio, in_words
from stages.audio.files import wav_of

if TYPE_CHECKING:
    from model.inference.speech import Speech

MOST_KEPT = 50
"""Results that the history of a page holds; older ones go."""
_SHOWN = 60
"""Most characters of a text in the history."""


@dataclass(frozen=True, slots=True)
class Made:
    """A result as the page shows it."""

    audio: Path
    spectrogram: Path
    codes: Path
    about: str
    """HTML."""
    duration_s: float


def made(studio: Studio, speech: "Speech", *, seed: int, limited: bool) -> Made:
    """Writes a speech and its pictures into files.

    Args:
        studio: Where to.
        speech: What was spoken.
        seed: Its seed, for the file's name.
        limited: Whether the user gave the longest length.
    """
    audio = studio.place(f"speech-{seed}.wav")
    audio.write_bytes(wav_of(speech.samples, speech.sample_rate))
    spectrogram, codes = audio.with_name("spectrogram.png"), audio.with_name("codes.png")
    draw_spectrogram(speech.samples, speech.sample_rate, spectrogram)
    draw_codes(speech.codes, studio.codec.codebook_size, studio.codec.frame_rate, codes)
    return Made(audio, spectrogram, codes, _about(speech, seed, limited=limited), speech.duration_s)


def _about(speech: "Speech", seed: int, *, limited: bool) -> str:
    facts = [f"{speech.duration_s:.2f} s", *([speech.language] if speech.language else []), f"seed {seed}"]
    facts.append(f"made in {speech.compute_s:.1f} s")
    lines = [f"<p class='facts'>{escape(' · '.join(facts))}</p>"]
    lines += [f"<p class='note'>Note: {escape(in_words(note))}</p>" for note in notes(speech, limited=limited)]
    if speech.phonemes:
        lines.append(f"<p class='phonemes'>{escape(speech.phonemes)}</p>")
    return "\n".join(lines)


class Panel:
    """The column that shows a result, drawn where it is made."""

    def __init__(self, name: str) -> None:
        self.status = gr.HTML(elem_id=f"{name}-status", elem_classes="status")
        self.audio = gr.Audio(
            label="Speech",
            interactive=False,
            buttons=["download"],
            elem_id=f"{name}-audio",
        )
        self.about = gr.HTML(elem_id=f"{name}-about", elem_classes="about")
        quiet = {"interactive": False, "buttons": ["fullscreen"], "visible": False, "show_label": False}
        self.spectrogram = gr.Image(label="Spectrogram", elem_id=f"{name}-spectrogram", **quiet)
        self.codes = gr.Image(label="Codes", elem_id=f"{name}-codes", **quiet)

    @property
    def components(self) -> list[Any]:
        """What `showing` and `emptied` give values for."""
        return [self.status, self.audio, self.about, self.spectrogram, self.codes]

    def waiting(self, words: Any) -> list[Any]:
        """Returns values that show how a wait goes, and leave the rest as it is."""
        return [words, *(gr.skip() for _ in self.components[1:])]

    def emptied(self, words: str) -> list[Any]:
        """Returns values that show nothing but how a wait goes."""
        return [words, None, "", gr.Image(visible=False), gr.Image(visible=False)]

    def showing(self, found: Made, status: Any = "") -> list[Any]:
        """Returns values that show a result."""
        pictures = [gr.Image(str(path), visible=True) for path in (found.spectrogram, found.codes)]
        return [status, str(found.audio), found.about, *pictures]


@dataclass(frozen=True, slots=True)
class Kept:
    """A result in the history, with all that made it."""

    made: Made
    asked: dict[str, Any]
    """The values of the controls, by name, with the seed that was used."""
    row: tuple[str, ...]
    """What the history shows of it."""


HEADERS = ("Text", "Voice", "Seed", "Length")


def kept(found: Made, asked: dict[str, Any]) -> Kept:
    """Returns a result as the history keeps it."""
    text, voice = str(asked["text"]), asked["voice"]
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN].rstrip()} …"
    return Kept(found, asked, (shown, str(voice), str(asked["seed"]), f"{found.duration_s:.1f} s"))


def rows(history: Sequence[Kept]) -> gr.Dataset:
    """Returns the history as it is shown, the newest first."""
    return gr.Dataset(samples=[list(one.row) for one in history], visible=bool(history))
