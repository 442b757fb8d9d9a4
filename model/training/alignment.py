"""Which phonemes each frame attends to: the weights of attention, how well they follow the text, and a picture of them.

A model that says what it is told has a head whose weights run along the text, phoneme after phoneme. Until it has one,
its speech babbles, however low its loss is.

Axes: L positions of a document, H heads of all layers, M positions that predict, S phonemes, N heads of a layer.
"""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.network.attention import Attend, Packed
from model.network.decoder import Decoder
from model.network.packing import collate
from model.network.ssm import Scan
from model.sequences.documents import Document
from model.sequences.tokenizer import Tokenizer

Weights = npt.NDArray[np.float32]

_INCHES, _DPI = (7.0, 3.4), 110
_MOST_LABELS = 60
_LOCK = threading.Lock()
"""Matplotlib's fonts are shared by all figures, and not safe to use from several threads."""


class Watched:
    """Attention that keeps the weights of some positions.

    Args:
        attend: What computes the attention.
        rows_M: The positions whose weights are kept.
        columns_S: The positions that these weights are for.
        causal: Whether a position attends only to those up to it.
        unseen_M: How many positions from `before` on each of `rows_M` doesn't see (`model.window`); None for none.
        before: Positions before the response.
    """

    def __init__(
        self,
        attend: Attend,
        rows_M: Tensor,
        columns_S: Tensor,
        *,
        causal: bool,
        unseen_M: Tensor | None = None,
        before: int = 0,
    ) -> None:
        self._attend, self._rows_M, self._columns_S, self._causal = attend, rows_M, columns_S, causal
        self._unseen_M, self._before = unseen_M, before
        self.weights: list[Tensor] = []
        """The weights of each layer so far, `[N, M, S]`."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes attention on `[L, N, H]` tensors, and keeps its weights."""
        keys_LNH = k.repeat_interleave(q.shape[1] // k.shape[1], 1)
        scores_NML = torch.einsum("mnh,lnh->nml", q[self._rows_M].float(), keys_LNH.float()) * q.shape[-1] ** -0.5
        if self._causal:
            later_ML = torch.arange(len(k), device=k.device) > self._rows_M[:, None]
            scores_NML = scores_NML.masked_fill(later_ML, -torch.inf)
        if self._unseen_M is not None:
            places_L = torch.arange(len(k), device=k.device) - self._before
            unseen_ML = (places_L >= 0) & (places_L < self._unseen_M[:, None])
            scores_NML = scores_NML.masked_fill(unseen_ML, -torch.inf)
        self.weights.append(scores_NML.softmax(-1)[..., self._columns_S])
        return self._attend(layer, q, k, v)

    def retain(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Computes retention, which has no weights to keep."""
        return self._attend.retain(layer, q, k, v)

    def scan(self, layer: int, features: Tensor, steps: Tensor, ways: tuple[Scan, Scan]) -> Tensor:
        """Computes a state space, which has no weights to keep."""
        return self._attend.scan(layer, features, steps, ways)


@torch.no_grad()
def attention_to_text(network: Decoder, tokenizer: Tokenizer, document: Document, phonemes: str) -> Weights:
    """Returns how much each predicted position attends to each phoneme, in every head of every layer.

    Args:
        network: In evaluation mode; softmax attention (`model.arch: llama`).
        tokenizer: Its vocabulary.
        document: A document with a text.
        phonemes: That text.

    Returns:
        `[H, M, S]`, each weight from 0 to 1; a head's weights for a position add up to 1 with those for the rest of the
        document. H counts the layers' heads, the first layer's first.
    """
    count = len(tokenizer.encode(phonemes))
    ends = int(np.flatnonzero(document.tokens_L == tokenizer.end)[0])
    device = network.token_embedding.weight.device
    batch = collate([document], network.num_codebooks).to(device)
    window, rows_M = network.config.window_positions, torch.from_numpy(document.rows_M).to(device)
    watched = Watched(
        Packed(batch.lengths, batch.causal, device, window=window, before=batch.before),
        rows_M,
        torch.arange(ends - count, ends, device=device),
        causal=document.causal,
        unseen_M=rows_M - document.before - window + 1 if window and document.before else None,
        before=document.before,
    )
    network.hidden(batch.tokens_L, batch.codes_LK, batch.positions_L, watched)
    found: Weights = torch.cat(watched.weights).cpu().numpy()
    return found


def followed(weights_HMS: Weights) -> npt.NDArray[np.float64]:
    """Returns how well each head follows the text, `[H]`, from 0 to 1.

    It is the mean weight along the path with the most weight on which each frame stays at the phoneme of the frame
    before, or goes on by one or two (a space or a stress mark may be passed over).
    """
    best_HS = weights_HMS[:, 0].astype(np.float64)
    for frame in range(1, weights_HMS.shape[1]):
        reached_HS = best_HS.copy()
        for step in (1, 2):
            reached_HS[:, step:] = np.maximum(reached_HS[:, step:], best_HS[:, :-step])
        best_HS = reached_HS + weights_HMS[:, frame]
    found: npt.NDArray[np.float64] = best_HS.max(1) / weights_HMS.shape[1]
    return found


def draw_attention(weights_MS: Weights, symbols: Sequence[str], title: str, path: Path) -> npt.NDArray[np.uint8]:
    """Draws a head's weights into a PNG file: a column a frame, a row a phoneme, the first at the bottom.

    Args:
        weights_MS: The weights.
        symbols: The phonemes.
        title: Stands above.
        path: The file.

    Returns:
        The picture, `[height, width, 3]`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with _LOCK:
        figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.imshow(weights_MS.T, origin="lower", aspect="auto", cmap="magma", vmin=0, interpolation="nearest")
        axes.set_xlabel("frame")
        axes.set_title(title, loc="left", fontsize=9)
        if len(symbols) <= _MOST_LABELS:
            axes.set_yticks(range(len(symbols)), symbols, fontsize=5)
        else:
            axes.set_ylabel("phoneme")
        canvas.draw()  # type: ignore[no-untyped-call]
        picture: npt.NDArray[np.uint8] = np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
        figure.savefig(path)
    return picture
