"""X-Codec 2: one codebook of 65,536 at 50 frames a second, at 16 kHz. Through transformers."""

from typing import Any, ClassVar

from stages.codecs.codec import CodecRow
from stages.codecs.neucodec import NeuCodec, check_features
from stages.codecs.pretrained import Pretrained


class XCodec2(NeuCodec):
    """X-Codec 2, on which NeuCodec is built; see there.

    Where a wave is a whole number of frames, the library makes one frame more, of its own padding; it is left out.

    Source: Llasa, section 3.1, https://arxiv.org/abs/2502.04128.
    """

    extractor: ClassVar[str] = "Xcodec2FeatureExtractor"


def _check(config: Any) -> str:
    return check_features(config, config.sampling_rate, config.hop_length)


XCodec2.pretrained = Pretrained(
    "xcodec2",
    "X-Codec 2",
    "HKUSTAudio/xcodec2-hf",
    "xcodec2",
    ("Xcodec2Config", "Xcodec2Model"),
    "an X-Codec 2 of 16 kHz and 50 frames a second",
    _check,
)

XCODEC2 = CodecRow(
    "xcodec2",
    "1 codebook of 65,536 at 50 Hz, for models without levels; 16 kHz",
    XCodec2,
    files=XCodec2.pretrained.files,
    packages=("transformers", "torchaudio"),
    licence="CC BY-NC 4.0",
    repository=XCodec2.pretrained.repository,
    lookahead=None,  # its decoder's attention and norms reach over all frames
)
