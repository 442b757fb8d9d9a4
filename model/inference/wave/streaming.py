"""Decodes a response while its codes are made.

Axes: K codebooks, T response frames.
"""

from typing import TYPE_CHECKING

import numpy as np

from stages.records import Codes, Wave

if TYPE_CHECKING:
    from stages.codecs.table import Codec

FIRST_S = 0.5
"""Length of the first chunk, in seconds; each further one is twice as long."""
BLEND_S = 0.02
"""Length over which one decoding passes into the next where a codec's samples depend on all frames."""


class GrowingWave:
    """The wave of a response whose codes become known bit by bit.

    All frames are decoded each time: since chunks double in length, that costs at most as much again as decoding once,
    and no sample depends on how the codes were cut. Frames whose samples those to come may change are held back
    (`CodecRow.lookahead`). A codec that lets every frame change every sample allows no such thing: there, each decoding
    passes into the next within `BLEND_S`.

    Args:
        codec: Of the codes.
    """

    def __init__(self, codec: "Codec") -> None:
        from stages.codecs.table import CODECS

        self._codec = codec
        self._lookahead = CODECS[codec.name].lookahead
        self.wave: Wave = np.zeros(0, np.float32)
        """All that is final."""
        self._tail: Wave = self.wave
        """What follows it, in the last decoding, for codecs without a lookahead."""

    def add(self, codes_KT: Codes, *, final: bool) -> None:
        """Takes all codes that are known; the last time, all of the response."""
        import torch

        from stages.codecs.table import output_rate

        decoded = self._codec.decode(torch.from_numpy(codes_KT)).numpy()
        sent = len(self.wave)
        if self._lookahead is not None:
            hop = len(decoded) // codes_KT.shape[1]
            until = len(decoded) if final else max(sent, len(decoded) - self._lookahead * hop)
            self.wave = np.concatenate([self.wave, decoded[sent:until]])
            return
        blend = round(BLEND_S * output_rate(self._codec))
        until = len(decoded) if final else max(sent, len(decoded) - blend)
        new = decoded[sent:until].copy()
        shared = min(len(self._tail), len(new))
        rising = ((np.arange(shared) + 0.5) / blend).astype(np.float32)
        new[:shared] = new[:shared] * rising + self._tail[:shared] * (1 - rising)
        self.wave = np.concatenate([self.wave, new])
        self._tail = decoded[until:].copy()
