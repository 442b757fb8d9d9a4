"""Writes recordings of every kind: what the readers must read whole, or refuse with the reason."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile

RATE = 16_000

BY_SOUNDFILE = {
    "wav": ("WAV", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", None),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "sph": ("NIST", "PCM_16"),
    "sph-mu-law": ("NIST", "ULAW"),
}
"""Format and subtype of libsndfile."""
BY_AV = {
    "m4a": ("ipod", "aac", RATE),
    "mka": ("matroska", "aac", RATE),
    "webm": ("webm", "libopus", 48_000),
    "adts": ("adts", "aac", RATE),
    "amr": ("amr", "libopencore_amrnb", 8_000),
    "3gp": ("3gp", "libopencore_amrnb", 8_000),
    "g722": ("g722", "g722", RATE),
    "wv": ("wv", "wavpack", RATE),
    "tta": ("tta", "tta", RATE),
    "ac3": ("ac3", "ac3", 48_000),
    "mp2": ("mp2", "mp2", RATE),
    "mp3-without-length": ("mp3", "libmp3lame", RATE),
}
"""Container, codec and rate for PyAV."""
KINDS = [*BY_SOUNDFILE, *BY_AV]


def voice(seconds: float, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """A buzz that comes and goes, in noise."""
    time_s = np.arange(round(seconds * rate)) / rate
    buzz = 0.3 * np.sin(2 * np.pi * 200 * time_s) * (np.sin(4 * np.pi * time_s) > -0.3)
    return (buzz + 0.01 * np.random.default_rng(seed).standard_normal(len(time_s))).astype(np.float32)


def write(kind: str, path: Path, seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    """Writes a recording of `seconds` of `voice`; returns what was written."""
    if kind in BY_SOUNDFILE:
        form, subtype = BY_SOUNDFILE[kind]
        wave = voice(seconds, seed=seed)
        path.unlink(missing_ok=True)
        with path.open("wb") as file:
            soundfile.write(file, wave, RATE, format=form, subtype=subtype)
        return wave
    form, codec, rate = BY_AV[kind]
    wave = voice(seconds, rate, seed)
    options = {"write_xing": "0", "id3v2_version": "0"} if form == "mp3" else {}
    with av.open(str(path), "w", format=form, options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        for packet in packets(stream, wave, rate):
            container.mux(packet)
    return wave


def packets(stream, wave: np.ndarray, rate: int, start: int = 0) -> list:
    """Encodes a wave that begins at a sample."""
    resampler = av.AudioResampler(
        format=stream.format.name, layout="mono", rate=rate, frame_size=stream.codec_context.frame_size or None
    )
    frame = av.AudioFrame.from_ndarray((wave * 32_767).astype(np.int16)[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
    frames = [*resampler.resample(frame), *resampler.resample(None), None]
    return [packet for one in frames for packet in stream.encode(one)]


def write_video(path: Path, form: str, video: str, codec: str, late_s: float, *, rate: int = 48_000) -> np.ndarray:
    """Writes a video whose sound, of one second, begins `late_s` after it with a click; returns the sound."""
    wave = voice(1.0, rate)
    wave[:100] = 0.99
    with av.open(str(path), "w", format=form) as container:
        pictures = container.add_stream(video, rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream(codec, rate=rate, layout="mono")
        made = []
        for number in range(40):
            picture = av.VideoFrame(64, 48, "yuv420p")
            picture.pts = number
            made += pictures.encode(picture)
        made += [*pictures.encode(None), *packets(sound, wave, rate, round(late_s * rate))]
        for packet in sorted(made, key=lambda packet: float((packet.dts or 0) * packet.time_base)):
            container.mux(packet)
    return wave


class _Bits:
    """Writes the codes of shorten, most significant bit first."""

    def __init__(self) -> None:
        self.bits: list[int] = []

    def rice(self, value: int, width: int) -> None:
        low = [value >> bit & 1 for bit in range(width - 1, -1, -1)]
        self.bits += [*([0] * (value >> width)), 1, *low]

    def signed(self, value: int, width: int) -> None:
        self.rice(2 * value if value >= 0 else 2 * ~value + 1, width + 1)

    def number(self, value: int) -> None:
        self.rice(width := max(value.bit_length() - 1, 0), 2)
        self.rice(value, width)


def shortened_sphere(samples: np.ndarray) -> bytes:
    """Returns a SPHERE file whose 16-bit samples shorten compressed, by differences in blocks of 256.

    Source: Robinson 1994, "SHORTEN: simple lossless and near-lossless waveform compression".
    """
    stream = _Bits()
    for setting in (
        5,
        1,
        256,
        0,
        0,
        0,
    ):  # 16 bits, one channel, the block's length; no prediction, mean or skipped bytes
        stream.number(setting)
    before = 0
    for block in np.split(samples.astype(int), range(256, len(samples), 256)):
        if len(block) < 256:
            stream.rice(5, 2)
            stream.number(len(block))
        differences = np.diff(block, prepend=before)
        width = max(int(np.log2(max(np.abs(differences).mean(), 1))), 0)
        stream.rice(1, 2)
        stream.rice(width, 3)
        for difference in differences:
            stream.signed(int(difference), width)
        before = block[-1]
    stream.rice(4, 2)
    bits = np.array(stream.bits + [0] * (-len(stream.bits) % 32))
    fields = (
        f"channel_count -i 1\nsample_count -i {len(samples)}\nsample_rate -i {RATE}\nsample_n_bytes -i 2\n"
        "sample_byte_format -s2 01\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
    )
    return f"NIST_1A\n   1024\n{fields}".encode().ljust(1024) + b"ajkg\x02" + np.packbits(bits).tobytes()
