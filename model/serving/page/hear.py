"""The tab that recognises what is said in a recording."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import gradio as gr

from model.serving.errors import RefusedError
from model.serving.page.studio import Studio, in_thread
from model.serving.page.voicing import entry


def draw_hear(studio: Studio) -> None:
    """Draws the tab; where the model can't recognise speech, what it lacks."""
    if why := studio.untrained("stt"):
        gr.Markdown(why)
        return
    with gr.Row():
        with gr.Column(scale=1, min_width=320):
            recording = entry("Recording", "hear-recording")
            language = gr.Dropdown([("recognised too", ""), *studio.languages], value="", label="Language")
            with gr.Row():
                go = gr.Button("Recognise", variant="primary", elem_id="hear-go", min_width=120)
                stop = gr.Button("Stop", min_width=80)
        with gr.Column(scale=1, min_width=320):
            status = gr.HTML(elem_id="hear-status", elem_classes="status")
            phonemes = gr.Textbox(
                label="Phonemes", interactive=False, lines=4, buttons=["copy"], elem_id="hear-phonemes"
            )

    async def hear(path: str | None, code: str) -> AsyncGenerator[list[Any], None]:
        with studio.telling():
            if path is None:
                raise RefusedError(422, "A recording must be given: upload or record one.")
            wave = await in_thread(studio.wave, path, "the recording")
            yield ["Listening …", ""]
            waiting = studio.waited(studio.service.hear(wave, language=code or None))
            async with aclosing(waiting) as steps:
                async for heard in steps:
                    if heard is None:
                        yield [gr.skip(), gr.skip()]
                        continue
                    cut = "" if heard.ended else " · Note: the model came to no end; the rest is left out"
                    yield [f"Language: {heard.language}{cut}", heard.phonemes]

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    hearing = go.click(hear, [recording, language], [status, phonemes], concurrency_limit=None, **quiet)
    hearing.failure(lambda: "", None, status, **quiet)
    stop.click(lambda: "Stopped.", None, status, cancels=[hearing], **quiet)
