"""The tab that shows training runs while they go on: curves, and what the network spoke at each step."""

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from model.serving.page.runs import Curves, Sample, thinned
from model.serving.page.studio import Studio

if TYPE_CHECKING:
    import pandas as pd

REFRESH_S = 3.0
"""How often the curves are looked at anew, in seconds."""
_MOST_POINTS = 400
"""Of a curve; longer ones are thinned."""
_PLOTTED = "loss", "accuracy"
"""The kinds of values that have a plot of their own."""
_SHOWN_FIRST = "wer", "tokens_per_s"
"""Of the others, the kind that the third plot begins with."""
_CODEBOOKS = "codebooks"
"""The plot of validation's accuracy by codebook."""
_COLOURS = {"train": "#f97316", "validation": "#3b82f6", "run": "#f97316"}
_NOTHING = "No run has reported anything yet. `valle train` does every `trainer.log_every` steps."


class Training:
    """The tab, drawn where it is made.

    Args:
        studio: Whose runs.
        page: The page, for what is done when it is opened.
        tab: The tab.
        others: The other tabs: while one of them is shown, nothing is looked at.
    """

    def __init__(self, studio: Studio, page: gr.Blocks, tab: gr.Tab, others: Sequence[gr.Tab]) -> None:
        self._studio = studio
        names = studio.runs.names()
        with gr.Row(elem_classes="fields"):
            self._run = gr.Dropdown(
                names, value=names[0] if names else None, label="Run", min_width=200, elem_id="training-run"
            )
            self._kind = gr.Dropdown([], label="Another value", min_width=200, elem_id="training-kind")
        self._status = gr.HTML(elem_id="training-status", elem_classes="status")
        seen, timer = gr.State(), gr.Timer(REFRESH_S, active=False)
        with gr.Row():
            self._plots = [_plot(kind) for kind in (*_PLOTTED, "third")]
        with gr.Row():
            self._plots.append(_plot(_CODEBOOKS, colours=None))
            self._attention = gr.Image(
                label="Attention of its frames to the phonemes",
                interactive=False,
                height=260,
                min_width=300,
                elem_id="training-attention",
                buttons=["download", "fullscreen"],
            )
        with gr.Row(elem_classes="fields"):
            self._step = gr.Dropdown([], label="Samples of step", min_width=200, elem_id="training-step")
            self._number = gr.Dropdown([], label="Utterance", min_width=200, elem_id="training-number")
        self._about = gr.Textbox(
            label="Id, language, phonemes; with a judge the text, and what it heard",
            interactive=False,
            lines=3,
            elem_id="training-about",
        )
        with gr.Row():
            self._spoken = gr.Audio(
                label="Spoken by the network",
                interactive=False,
                min_width=280,
                elem_id="training-spoken",
                buttons=["download"],
            )
            self._reference = gr.Audio(
                label="The recording, after the codec",
                interactive=False,
                min_width=280,
                elem_id="training-reference",
                buttons=["download"],
            )
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        tab.select(lambda: gr.Timer(active=True), None, timer, **quiet)
        for other in others:
            other.select(lambda: gr.Timer(active=False), None, timer, **quiet)
        outputs = [seen, self._run, self._status, self._kind, *self._plots, self._step]
        gr.on(
            [timer.tick, page.load, tab.select, self._run.change, self._kind.change],
            self._refresh,
            [seen, self._run, self._kind, self._step],
            outputs,
            **quiet,
        )
        chosen = [self._run, self._step, self._number]
        gr.on(
            [self._step.change, self._number.change],
            self._samples,
            chosen,
            [self._number, self._about, self._spoken, self._reference, self._attention],
            **quiet,
        )

    def _refresh(self, seen: Any, run: str | None, kind: str | None, step: int | None) -> list[Any]:
        """Returns what has changed since this page looked last."""
        runs = self._studio.runs
        names = runs.names()
        run = run if run in names else (names[0] if names else None)
        curves = runs.curves(run) if run else Curves()
        steps = runs.steps(run) if run else []
        others = [one for one in curves.kinds() if one not in _PLOTTED]
        kind = kind if kind in others else next((one for one in _SHOWN_FIRST if one in others), None)
        kind = kind or (others[0] if others else None)
        now = (tuple(names), run, kind, curves.version, tuple(steps))
        if seen == now:
            return [gr.skip() for _ in range(6 + len(self._plots) - 1)]
        newest = seen is None or run != seen[1] or (bool(steps) and step == next(iter(seen[4]), None))
        step = (steps[0] if steps else None) if newest or step not in steps else step
        return [
            now,
            gr.Dropdown(names, value=run),
            _status(curves, len(steps)),
            gr.Dropdown(others, value=kind),
            *(_drawn(curves, one) for one in (*_PLOTTED, kind)),
            _by_codebook(curves),
            gr.Dropdown(steps, value=step),
        ]

    def _samples(self, run: str | None, step: int | None, number: str | None) -> list[Any]:
        """Returns the samples of a step: the choice of utterances, and the chosen one."""
        found = {one.number: one for one in (self._studio.runs.samples(run, step) if run and step is not None else [])}
        number = number if number in found else next(iter(found), None)
        choice = gr.Dropdown(list(found), value=number)
        if number is None:
            return [choice, "", None, None, None]
        sample = found[number]
        return [choice, sample.about, *self._shown(sample)]

    def _shown(self, sample: Sample) -> list[str | None]:
        """Returns copies of a sample's files: the page serves nothing from a run's folder."""
        copies: list[str | None] = []
        for path in (sample.spoken, sample.reference, sample.attention):
            if path is None:
                copies.append(None)
                continue
            place = self._studio.place(path.name)
            try:
                shutil.copyfile(path, place)
            except OSError:  # the run is being started anew
                copies.append(None)
            else:
                copies.append(str(place))
        return copies


def _status(curves: Curves, num_sampled: int) -> str:
    if curves.last_step is None:
        return _NOTHING
    last = {name: points[-1][1] for name, points in curves.points.items() if points}
    shown = [
        name
        for name in ("train/loss", "validation/loss", "train/accuracy", "validation/wer", "tokens_per_s")
        if name in last
    ]
    parts = [f"step {curves.last_step:,}", *(f"{name} {_number(last[name])}" for name in shown)]
    return " · ".join([*parts, f"samples of {num_sampled} steps"] if num_sampled else parts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _plot(kind: str, colours: dict[str, str] | None = _COLOURS) -> gr.LinePlot:
    return gr.LinePlot(
        x="step",
        y="value",
        color="of",
        title=kind,
        y_title=" ",
        x_title="step",
        color_title="",
        height=260,
        min_width=300,
        elem_id=f"training-{kind}",
        buttons=["fullscreen"],
        color_map=colours,
    )


def _drawn(curves: Curves, kind: str | None) -> Any:
    """Returns the plot of a kind of values."""
    if kind is None:
        return gr.LinePlot(None)
    return _plotted(_frame(curves, kind), kind)


def _by_codebook(curves: Curves) -> Any:
    """Returns the plot of validation's accuracy, a line a codebook."""
    import pandas as pd

    rows = [(*point, of) for of, points in curves.codebooks().items() for point in thinned(points, _MOST_POINTS)]
    return _plotted(pd.DataFrame(rows, columns=["step", "value", "of"]), "accuracy by codebook")


def _plotted(frame: "pd.DataFrame", title: str) -> Any:
    # The axis shows the values' own range: from 0 a loss that still falls a little looks flat.
    low, high = (float(frame["value"].min()), float(frame["value"].max())) if len(frame) else (0.0, 1.0)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.1
    return gr.LinePlot(frame, title=title, y_lim=[low - margin, high + margin])


def _frame(curves: Curves, kind: str) -> "pd.DataFrame":
    import pandas as pd

    rows = []
    for name, points in curves.points.items():
        where, _, found = name.rpartition("/")
        if found == kind:
            rows += [(step, value, where or "run") for step, value in thinned(points, _MOST_POINTS)]
    return pd.DataFrame(rows, columns=["step", "value", "of"])
