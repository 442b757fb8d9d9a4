"""The tab that turns speech into other speech; its tasks are the rows of the tasks' table that the model learnt."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import gradio as gr

from model.sequences.tasks import TRANSFORMS
from model.serving.errors import RefusedError
from model.serving.page.controls import Controls, show_by
from model.serving.page.results import Panel, made
from model.serving.page.seeds import draw_seed, seed_of
from model.serving.page.studio import Studio, in_thread
from model.serving.page.voicing import Voicing, entry


def draw_transform(studio: Studio) -> None:
    """Draws the tab; where the model can do no task, what it lacks."""
    tasks = [name for name in TRANSFORMS if studio.trained.tasks.get(name)]
    modes = studio.modes(length_known=any(TRANSFORMS[name].same_length for name in tasks))
    if not tasks or not modes:
        gr.Markdown(
            "This model wasn't trained to turn speech into other speech. Train one with weights above 0 in"
            f" `data.tasks` for any of {', '.join(f'`{name}`' for name in TRANSFORMS)}."
        )
        return
    Transforming(studio, tasks, modes)


class Transforming:
    """The tab.

    Args:
        studio: The model, and its limits.
        tasks: Those that it learnt, at least one.
        modes: Those that it learnt, at least one.
    """

    def __init__(self, studio: Studio, tasks: list[Any], modes: list[Any]) -> None:
        self._studio = studio
        with gr.Row(elem_classes="desk"):
            with gr.Column():
                self._inputs = self._draw_inputs(tasks)
            with gr.Column(elem_classes="result"):
                self._panel = Panel("transform")
            with gr.Column(elem_classes="settings"):
                self._inputs |= self._draw_settings(modes)
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        working = self._go.click(
            self._transform,
            list(self._inputs.values()),
            [self._inputs["seed"], *self._panel.components],
            concurrency_limit=None,
            **quiet,
        )
        working.failure(lambda: self._panel.waiting(""), None, self._panel.components, **quiet)
        self._stop.click(
            lambda: self._panel.waiting("Stopped."), None, self._panel.components, cancels=[working], **quiet
        )
        prompted, edited = ([task for task in tasks if getattr(TRANSFORMS[task], has)] for has in ("prompted", "edits"))
        show_by(self._inputs["task"], [(self._prompted, prompted), (self._edits, edited)])

    def _draw_inputs(self, tasks: list[Any]) -> dict[str, Any]:
        """Draws the controls; returns them by the names of what they set."""
        studio, found, first = self._studio, dict[str, Any](), TRANSFORMS[tasks[0]]
        choices = [(f"{name}: {TRANSFORMS[name].help}", name) for name in tasks]
        found["task"] = gr.Dropdown(choices, value=tasks[0], label="Task", elem_id="transform-task")
        found["audio"] = entry("Recording", "transform-recording")
        found["text"] = gr.Textbox(
            label="All that is said in the result",
            info="Needed to replace a part; else it helps if you know it.",
            lines=2,
            max_length=studio.settings.max_characters,
            elem_id="transform-text",
        )
        with gr.Row(visible=first.edits, elem_classes="fields") as self._edits:
            found["start_s"] = gr.Number(
                0, label="Replace from", info="In seconds.", minimum=0, step=0.1, min_width=140
            )
            found["end_s"] = gr.Number(1, label="to", info="In seconds.", minimum=0, step=0.1, min_width=140)
        with gr.Column(visible=first.prompted) as self._prompted:
            voicing = Voicing.draw(studio, "transform", can_continue=False)
            found |= {"voice": voicing.voice, "recording": voicing.recording}
        with gr.Row():
            self._go = gr.Button("Transform", variant="primary", elem_id="transform-go", min_width=120)
            self._stop = gr.Button("Stop", min_width=80)
        return found

    def _draw_settings(self, modes: list[Any]) -> dict[str, Any]:
        """Draws seed, language and decoding; returns the controls by the names of what they set."""
        studio, found = self._studio, dict[str, Any]()
        with gr.Row(elem_classes="fields"):
            found["seed"], found["fresh"] = draw_seed("transform")
            languages = [("told from the text", ""), *studio.languages]
            found["language"] = gr.Dropdown(languages, value="", label="Language of the text", min_width=200)
        can_guide = studio.trained.unconditional_probability > 0
        self._controls = Controls(studio.settings.decoding, modes, can_guide=can_guide)
        return found | self._controls.components

    async def _transform(self, *values: Any) -> AsyncGenerator[list[Any], None]:
        """Does what the controls ask for; yields how it goes, and the result."""
        studio = self._studio
        asked = dict(zip(self._inputs, values, strict=True))
        with studio.telling():
            asked["seed"] = seed_of(asked["seed"], fresh=asked["fresh"])
            given = await in_thread(self._given, asked)
            yield [asked["seed"], *self._panel.emptied("Waiting for the model …")]
            transform = studio.service.synthesizer.transform
            waiting = studio.waited(studio.service.call(lambda: transform(**given)))
            async with aclosing(waiting) as steps:
                async for speech in steps:
                    if speech is None:
                        yield [gr.skip(), *self._panel.waiting("Working …")]
                        continue
                    found = await in_thread(lambda it: made(studio, it, seed=given["seed"], limited=False), speech)
                    yield [gr.skip(), *self._panel.showing(found)]

    def _given(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Returns the arguments of `Synthesizer.transform`; raises a `ValleError` for values that make no sense."""
        studio, spec = self._studio, TRANSFORMS[asked["task"]]
        if asked["audio"] is None:
            raise RefusedError(422, "A recording must be given: upload or record one.")
        prompt = studio.prompt(asked["voice"], asked["recording"], None)[0] if spec.prompted else None
        stretch = (float(asked["start_s"] or 0), float(asked["end_s"] or 0)) if spec.edits else None
        return {
            "task": asked["task"],
            "audio": studio.wave(asked["audio"], "the recording"),
            "text": studio.text(asked["text"]) or None,
            "prompt": prompt,
            "replace_s": stretch,
            "language": asked["language"] or None,
            "seed": asked["seed"],
            "decoding": self._controls.decoding(asked),
        }
