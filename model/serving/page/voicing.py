"""The controls of a voice."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from model.serving.page.controls import show_by
from model.serving.page.studio import OWN_RECORDING, Studio


def entry(label: str, elem_id: str) -> Any:
    """Draws what takes a recording: an upload, or the microphone's."""
    # As a path the file stays as it was sent; as samples Gradio would have a program ffmpeg read it.
    return gr.Audio(
        label=label, sources=["upload", "microphone"], type="filepath", buttons=["download"], elem_id=elem_id
    )


@dataclass(frozen=True)
class Voicing:
    """The controls of a voice, drawn where they are made: a kept one, or a recording and what it says."""

    voice: Any
    recording: Any
    said: Any

    @classmethod
    def draw(cls, studio: Studio, name: str, *, can_continue: bool) -> "Voicing":
        """Draws them.

        Args:
            studio: Whose voices.
            name: Before the ids of the elements.
            can_continue: Whether to ask what the recording says.
        """
        names = studio.voice_names()
        voice = gr.Dropdown(
            [OWN_RECORDING, *names],
            value=names[0] if names else OWN_RECORDING,
            label="Voice",
            visible=studio.settings.voices is not None,
            elem_id=f"{name}-voice",
        )
        with gr.Column(visible=not names) as own:
            recording = entry("Recording of the voice, 3 s or longer", f"{name}-recording")
            said = gr.Textbox(
                label="What the recording says",
                info="If you know it: the speech then continues the recording.",
                visible=can_continue,
                max_length=studio.settings.max_characters,
            )
        show_by(voice, [(own, [OWN_RECORDING])])
        return cls(voice, recording, said)
