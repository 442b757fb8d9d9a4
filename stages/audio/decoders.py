"""Chooses the decoder of a file: libsndfile where it reads all there is, else FFmpeg."""

from pathlib import Path

from stages.audio.containers.container import Shape
from stages.audio.decoder import Decoder, Raw
from stages.audio.ffmpeg import AvDecoder, FrameDecoder
from stages.audio.sndfile import PartsDecoder, SoundFileDecoder


def decoder_of(path: Path, shape: Shape, raw: Raw | None = None) -> tuple[Decoder, str]:
    """Opens a file with the decoder that reads all of it.

    Args:
        path: The file.
        shape: What its structure says.
        raw: The format of a file without a header.

    Returns:
        The decoder; and why libsndfile, which reads such files otherwise, isn't believed, "" if it is.

    Raises:
        AudioError: if neither decoder can read the file.
    """
    import soundfile

    if raw is not None and not shape.container:
        return AvDecoder(path, raw.coding, None, raw), ""
    overruled = shape.overruled
    if shape.parts:
        return PartsDecoder(path, shape.parts), ""
    if shape.soundfile or not (shape.container or shape.demuxer):
        try:
            found = SoundFileDecoder(path)
        except soundfile.LibsndfileError:
            return AvDecoder(path, shape.demuxer, shape.seconds), ""
        # libsndfile takes much for MP3; what is MP3 is known by now.
        if (shape.container or found.format != "MP3") and not (overruled := found.miscounts(shape.seconds)):
            return found, ""
    if shape.container in {"mp3", "mp2"} and shape.seconds is not None:
        return FrameDecoder(path, int(shape.container[-1]), shape.seconds), overruled
    return AvDecoder(path, shape.demuxer, shape.seconds), overruled
