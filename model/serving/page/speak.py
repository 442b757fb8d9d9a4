"""The tab that speaks a text, and its history."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import gradio as gr

from model.decoding.options import STEPS
from model.inference.requests import Request
from model.inference.speed import MAX_SPEED, MIN_SPEED
from model.serving.page.controls import Controls, entry, number_of, show_by
from model.serving.page.live import PATH, Live
from model.serving.page.results import HEADERS, MOST_KEPT, Kept, Panel, kept, made, rows
from model.serving.page.seeds import draw_seed, seed_of
from model.serving.page.studio import OWN_RECORDING, Studio, in_thread
from model.serving.page.voicing import Voicing

if TYPE_CHECKING:
    from model.inference.speech import Speech


def draw_speak(studio: Studio, page: gr.Blocks) -> None:
    """Draws the tab; where the model can't speak, what it lacks."""
    modes = studio.modes()
    if not modes or not studio.trained.tasks.get("tts"):
        gr.Markdown(studio.why_not(studio.settings.decoding) or "This model wasn't trained to speak texts (`tts`).")
        return
    Speaking(studio, page)


class Speaking:
    """The tab.

    Args:
        studio: The model, and its limits.
        page: The page, for what is done when it is opened.
    """

    def __init__(self, studio: Studio, page: gr.Blocks) -> None:
        self._studio = studio
        history = gr.State([])
        with gr.Row(elem_classes="desk"):
            with gr.Column():
                self._inputs = self._draw_inputs()
            with gr.Column(elem_classes="result"):
                self._panel = Panel("speak")
                past = gr.Dataset(
                    label="History: click a row to hear it again and to take its seed and settings",
                    components=["textbox"] * len(HEADERS),
                    headers=list(HEADERS),
                    samples=[],
                    type="index",
                    samples_per_page=8,
                    visible=False,
                    elem_id="speak-history",
                    elem_classes="history",
                )
            with gr.Column(elem_classes="settings"):
                self._inputs |= self._draw_settings()
        inputs = list(self._inputs.values())
        speaking = self._go.click(
            self._speak,
            [history, *inputs],
            [history, past, self._inputs["seed"], *self._panel.components],
            concurrency_limit=None,
            show_progress="hidden",
            api_visibility="private",
        )
        speaking.failure(
            lambda: self._panel.waiting(""),
            None,
            self._panel.components,
            show_progress="hidden",
            api_visibility="private",
        )
        self._stop.click(
            lambda: self._panel.waiting("Stopped."),
            None,
            self._panel.components,
            cancels=[speaking],
            show_progress="hidden",
            api_visibility="private",
        )
        past.click(
            self._again,
            [past, history],
            [*inputs, *self._panel.components],
            show_progress="hidden",
            api_visibility="private",
        )
        page.load(
            lambda: gr.Dropdown([OWN_RECORDING, *studio.voice_names()]),
            None,
            self._inputs["voice"],
            show_progress="hidden",
            api_visibility="private",
        )

    def _draw_inputs(self) -> dict[str, Any]:
        """Draws the controls; returns them by the names of what they set."""
        studio, trained = self._studio, self._studio.trained
        found: dict[str, Any] = {}
        found["text"] = gr.Textbox(
            label="Text",
            placeholder="What to say. [pause 0.5s] is a pause.",
            lines=4,
            max_lines=12,
            max_length=studio.settings.max_characters,
            elem_id="speak-text",
        )
        voicing = Voicing.draw(studio, "speak", can_continue=trained.continuation_probability > 0)
        found |= {"voice": voicing.voice, "recording": voicing.recording, "said": voicing.said}
        with gr.Row():
            self._go = gr.Button("Speak", variant="primary", elem_id="speak-go", min_width=120)
            self._stop = gr.Button("Stop", min_width=80, elem_id="speak-stop")
        return found

    def _draw_settings(self) -> dict[str, Any]:
        """Draws seed, language, length and decoding; returns the controls by the names of what they set."""
        studio, trained = self._studio, self._studio.trained
        found: dict[str, Any] = {}
        modes, default = studio.modes(), studio.settings.decoding
        with gr.Row(elem_classes="fields"):
            found["seed"], found["fresh"] = draw_seed("speak")
        with gr.Accordion("Language and length", open=False), gr.Row(elem_classes="fields"):
            languages = [("told from the text", ""), *studio.languages]
            found["language"] = gr.Dropdown(languages, value="", label="Language", min_width=200)
            tones = [("any", ""), *studio.tokenizer.tones]
            found["tone"] = gr.Dropdown(
                tones, value="", label="Way of speaking", visible=bool(studio.tokenizer.tones), min_width=200
            )
            found["max_s"] = entry("Longest speech", "In seconds; empty: any length.", None, empty="any")
            found["speed"] = gr.Slider(
                MIN_SPEED,
                MAX_SPEED,
                1.0,
                step=0.05,
                label="Speed",
                info="How much faster than the model would speak.",
                min_width=200,
                visible=(default.mode if default.mode in modes else modes[0]) in STEPS,
            )
            found["live"] = gr.Checkbox(
                value=True,
                label="Play it while it is made",
                info="From the first half second on.",
                min_width=200,
                elem_id="speak-live",
            )
        self._controls = Controls(default, modes, can_guide=trained.unconditional_probability > 0)
        show_by(self._controls.mode, [(found["speed"], list(STEPS))])
        return found | self._controls.components

    async def _speak(self, history: list[Kept], *values: Any) -> AsyncGenerator[list[Any], None]:
        """Speaks what the controls ask for; yields how it goes, and the result."""
        studio = self._studio
        asked = dict(zip(self._inputs, values, strict=True))
        same = [gr.skip(), gr.skip()]
        with studio.telling():
            asked["seed"] = seed_of(asked["seed"], fresh=asked["fresh"])
            request = await in_thread(self._request, asked)
            yield [*same, asked["seed"], *self._panel.emptied("Waiting for the model …")]
            work = self._streamed(request) if asked["live"] else self._whole(request)
            found, status = None, ""
            async with aclosing(work) as steps:
                async for speech, now in steps:
                    if speech is not None:
                        found = await in_thread(self._made, speech, request)
                    # What is shown already isn't sent again: a player would begin anew.
                    yield [*same, gr.skip(), *self._panel.waiting(gr.skip() if now == status else now)]
                    status = now
        assert found is not None
        done = kept(found, asked | self._controls.filled(asked))
        history = [done, *history][:MOST_KEPT]
        yield [history, rows(history), gr.skip(), *self._panel.showing(found, gr.skip())]

    def _made(self, speech: "Speech", request: Request) -> Any:
        return made(self._studio, speech, seed=request.seed, limited=request.max_s is not None)

    def _request(self, asked: dict[str, Any]) -> Request:
        """Returns the request; raises a `ValleError` for values that make no sense."""
        studio = self._studio
        prompt, said = studio.prompt(asked["voice"], asked["recording"], asked["said"])
        decoding = self._controls.decoding(asked)
        return Request(
            studio.text(asked["text"]),
            prompt,
            said,
            language=asked["language"] or None,
            tone=asked["tone"] or None,
            seed=asked["seed"],
            max_s=number_of("max_s", asked["max_s"]),
            speed=asked["speed"] if decoding.mode in STEPS else 1.0,
            decoding=decoding,
            guard=studio.settings.guard,
        )

    async def _whole(self, request: Request) -> "AsyncGenerator[tuple[Speech | None, str], None]":
        """Speaks; yields how it goes, and at the end the speech."""
        waiting = self._studio.waited(self._studio.service.submit(request))
        async with aclosing(waiting) as steps:
            async for speech in steps:
                yield speech, "" if speech else self._queue()

    def _queue(self) -> str:
        others = self._studio.service.open_requests - 1
        return f"Speaking … {others} other requests are open." if others > 0 else "Speaking …"

    async def _streamed(self, request: Request) -> "AsyncGenerator[tuple[Speech | None, str], None]":
        """Speaks; yields a player of what there is so far, and at the end the speech."""
        studio = self._studio
        stream = studio.service.stream(request)
        live: Live | None = None
        try:
            chunks = studio.chunks(stream)
            async with aclosing(chunks):
                async for chunk in chunks:
                    if chunk is None:
                        yield None, self._queue() if live is None else _player(live)
                        continue
                    live = live or studio.lives.begin(studio.rate)
                    live.add(chunk)
                    yield None, _player(live)
            speech = await in_thread(stream.speech)
            yield speech, "" if live is None else _player(live)
        finally:
            stream.close()
            if live is not None:
                live.end()

    def _again(self, place: int, history: list[Kept]) -> list[Any]:
        """Returns the values that made a result of the history, with its seed, and shows it again."""
        entry = history[place]
        asked = {**entry.asked, "fresh": False}
        return [*(asked[name] for name in self._inputs), *self._panel.showing(entry.made)]


def _player(live: Live) -> str:
    """Returns a player of a file that grows; it hides itself when all was heard."""
    address = PATH.format(token=live.token).removeprefix("/")
    return (
        "<div class='live'><span>As it is made</span>"
        f"<audio controls autoplay src='{address}' onended='this.parentElement.hidden = true'></audio></div>"
    )
