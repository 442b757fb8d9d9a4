"""Pictures of speech: its spectrogram and its codes, as PNG files.

They are drawn on a transparent ground with grey letters, which can be read on a light and on a dark page.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stages.records import Codes, Wave

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREY = "#7f7f88"
_INCHES, _DPI = (5.0, 2.2), 220
_WINDOW = 1024
_MOST_COLUMNS = 1_100
"""About as many as the picture has pixels."""
_RANGE_DB = 80.0
"""From the loudest to what is drawn as silence."""
_FLOOR = 1e-9
_LOCK = threading.Lock()
"""Matplotlib's fonts are shared by all figures, and not safe to use from several threads."""


def spectrogram_db(wave: Wave) -> npt.NDArray[np.float32]:
    """Computes a spectrogram.

    Args:
        wave: `[samples]`; any length, 0 too.

    Returns:
        `[513, columns]`, dB below the loudest (0 to -80), the lowest frequency first. Silence is -80 everywhere.
    """
    padded = np.pad(wave.astype(np.float32), (_WINDOW // 2, _WINDOW))
    hop = max(_WINDOW // 4, -(-len(wave) // _MOST_COLUMNS))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[: max(1, len(wave)) : hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW).astype(np.float32))).T ** 2
    if (loudest := power.max()) < _FLOOR:
        return np.full(power.shape, -_RANGE_DB, np.float32)
    levels: npt.NDArray[np.float32] = 10 * np.log10(np.maximum(power / loudest, 10 ** (-_RANGE_DB / 10)))
    return levels


def draw_spectrogram(wave: Wave, sample_rate: int, path: Path) -> None:
    """Draws a wave's spectrogram, `[samples]` at `sample_rate` Hz, into a PNG file."""
    levels = spectrogram_db(wave)
    extent = 0.0, max(len(wave), 1) / sample_rate, 0.0, sample_rate / 2000

    def draw(axes: "Axes") -> None:
        axes.imshow(levels, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-_RANGE_DB, vmax=0)
        axes.set_ylabel("kHz")
        axes.set_title("Spectrogram", loc="left")

    _save(draw, path)


def draw_codes(codes: Codes, codebook_size: int, frame_rate: float, path: Path) -> None:
    """Draws codes, `[K, T]` from 0 to `codebook_size` - 1, into a PNG file: a row a codebook, a colour a code."""
    books, frames = codes.shape
    extent = 0.0, max(frames, 1) / frame_rate, books + 0.5, 0.5
    shown = codes if frames else np.zeros((books, 1), np.int64)

    def draw(axes: "Axes") -> None:
        axes.imshow(
            shown, aspect="auto", extent=extent, cmap="viridis", vmin=0, vmax=codebook_size - 1, interpolation="nearest"
        )
        axes.set_ylabel("codebook")
        axes.set_title("Codes", loc="left")
        axes.set_yticks(sorted({1, books}) if books > 4 else range(1, books + 1))

    _save(draw, path)


def _save(draw: "Callable[[Axes], None]", path: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    with _LOCK:
        figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set_xlabel("s", labelpad=0)
        axes.tick_params(color=_GREY)
        for label in axes.findobj(Text):
            label.set_color(_GREY)
        for side in axes.spines.values():
            side.set_visible(False)
        figure.savefig(path, transparent=True)
