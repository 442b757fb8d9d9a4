"""Proofs for the keys of `transcribe`. Models are stand-ins; `tests/stages/test_transcribe.py` runs whisperX itself."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import soundfile

from pipeline.config import stage_class
from stages.base import Reject
from stages.hearing import diarise, timing, wav2vec, whisper
from stages.hearing.asr import activity
from stages.hearing.asr.decoding import Decoded, Decoder
from stages.records import Recording, Transcript
from tests.keys.world import RATE, Proof, World, noise
from tests.pipeline.conftest import prep

_SAID = "Guten Morgen, meine Damen und Herren."


def _recording(world: World, *, text: str = "", seconds: float = 1.0) -> Recording:
    world.wav("g/ann/one.wav", noise(seconds))
    if text:
        (world.folder / "g/ann/one.txt").write_text(text)
    return Recording("g/ann/one.wav", "g", "ann", "", "g/ann/one.txt" if text else "")


class _WhisperX:
    """Stand-in for whisper, its detectors of speech and whisperX's aligners; records their calls."""

    def __init__(self, world: World, ranked: list[tuple[str, float]]) -> None:
        given = self
        self.loaded: dict[str, Any] = {}
        self.aligners: list[tuple[str, str | None]] = []
        self.languages: list[str] = []
        self.batches: list[int] = []
        self.diarisers: list[str] = []
        self.speakers: list[tuple[int | None, int | None]] = []

        class Model(Decoder):
            multilingual = True
            languages = frozenset({"en", "de", "fr", "sv"})
            windows = SimpleNamespace(short=False)

            def __init__(self, folder: Path, **settings: Any) -> None:
                given.loaded = {"folder": str(folder), **settings}
                self._batch_size = settings["batch_size"]

            def _decode(self, sounds: Any, language: str, *, full: bool) -> Iterator[Decoded]:
                given.batches.append(len(sounds))
                given.languages.append(language)
                yield from [Decoded(_SAID, (), 0.0, 0.0)] * len(sounds)

            def detect(self, sounds: Any) -> list[list[tuple[str, float]]]:
                return [ranked] * len(sounds)

        world.patch.setattr(whisper, "Decoder", Model)
        world.patch.setattr(activity, "pyannote", lambda _: lambda wave: [activity.Region(0, len(wave))])
        world.patch.setattr(activity, "silero", lambda _: [activity.Region(RATE, 2 * RATE)])
        for name, names in self._modules().items():
            module = ModuleType(name)
            module.__dict__.update(names)
            world.patch.setitem(sys.modules, name, module)
        for module in (whisper, wav2vec, diarise):
            world.patch.setattr(module, "quiet", nullcontext)
        world.patch.setattr(wav2vec, "_provide_sentences", lambda *_: None)
        world.patch.setattr(wav2vec, "_refuse_download", lambda _: None)

    def _modules(self) -> dict[str, dict[str, Any]]:
        def load_align_model(language: str, _device: str, model_name: str | None) -> Any:
            self.aligners.append((language, model_name))
            return SimpleNamespace(eval=lambda: None), {}

        def diarise_by(model: str, device: str) -> Any:
            self.diarisers.append(model)
            return lambda _, min_speakers, max_speakers: self.speakers.append((min_speakers, max_speakers))

        def assign(_turns: None, result: dict[str, Any]) -> dict[str, Any]:
            named = [{**one, "speaker": f"SPEAKER_0{n % 2}"} for n, one in enumerate(result["segments"])]
            return {**result, "segments": named}

        words = [{"word": word} for word in _SAID.split()]
        return {
            "whisperx": {
                "load_align_model": load_align_model,
                "align": lambda segments, *_: {"segments": [{**one, "words": words} for one in segments]},
            },
            "whisperx.diarize": {"DiarizationPipeline": diarise_by, "assign_word_speakers": assign},
        }


def _heard(world: World, *, seconds: float = 1.0, ranked: Any = None, **values: Any) -> tuple[_WhisperX, Transcript]:
    """Transcribes a recording with the stand-in."""
    given = _WhisperX(world, ranked or [("en", 1.0)])
    folder = _whisper_folder(world, "whisper")
    [found] = world.outcomes(
        "transcribe",
        _recording(world, seconds=seconds),
        **{"transcripts": "ignore", "model": folder, "vad": "pyannote", **values},
    )
    assert isinstance(found, Transcript), found
    return given, found


def _whisper_folder(world: World, name: str) -> str:
    folder = world.folder / name
    folder.mkdir(exist_ok=True)
    for file in ("config.json", "model.bin", "tokenizer.json", "vocabulary.json"):
        (folder / file).touch()
    return str(folder)


def _transcripts(world: World) -> None:
    told = {}
    for mode in ("ignore", "require"):
        [found] = world.outcomes("transcribe", _recording(world, text=_SAID), transcripts=mode, model="nobody/nothing")
        told[mode] = found
    assert isinstance(told["ignore"], Reject)
    assert "its transcript is ignored" in told["ignore"].message
    assert isinstance(told["require"], Transcript)
    [none] = world.outcomes("transcribe", _recording(world), transcripts="require", model="nobody/nothing")
    assert isinstance(none, Reject)
    assert "`transcribe.transcripts` is `require`" in none.message


def _layout(world: World) -> None:
    """The real command, without running the stage, asks for one kind of tables where there are none.

    `mix` reads the same folder by the same tables.
    """
    from pipeline import session

    world.wav("voices/ann/one.wav", noise(1)).with_suffix(".txt").write_text(_SAID)
    honest = session.configuration
    world.patch.setattr(session, "configuration", lambda *given: world._seen(honest(*given)))
    sets = ("--set", "transcribe.layout=kaldi", "--scheduler", "sync", "--quiet", "--dry-run")
    assert prep("transcribe", world.folder / "voices", "--out", world.folder / "out", *sets) == 2
    assert world.context(transcribe={"layout": "kaldi"}).layout == "kaldi"
    sets = ("--set", "transcribe.layout=voices", *sets[2:])
    assert prep("transcribe", world.folder / "voices", "--out", world.folder / "out", *sets) == 0


def _columns(world: World) -> None:
    """The real command reads the text from a table whose columns only the key names; `mix` reads the same folder."""
    from pipeline import session

    world.wav("voices/one.wav", noise(1))
    (world.folder / "voices/liste.csv").write_text(f"datei|satz\none.wav|{_SAID}\n")
    honest = session.configuration
    world.patch.setattr(session, "configuration", lambda *given: world._seen(honest(*given)))
    sets = ("--set", "transcribe.columns={datei: audio, satz: text}", "--set", "transcribe.transcripts=require")
    assert world.context(transcribe={"columns": {"datei": "audio", "2": "text"}}).columns == (
        ("datei", "audio"),
        ("2", "text"),
    )
    assert prep("transcribe", world.folder / "voices", "--out", world.folder / "out", *sets, "--scheduler", "sync") == 0


def _languages(world: World) -> None:
    [found] = world.outcomes("transcribe", _recording(world, text=_SAID), languages={"an*": "it", "other": "fr"})
    assert found.language == "it"


def _candidates(world: World) -> None:
    """One of them is detected in a text, and in the sound; what is told otherwise stays."""
    told = {}
    for codes in ([], ["de", "en"], ["Polish"]):
        [found] = world.outcomes("transcribe", _recording(world, text="Hallo Anna."), candidates=codes)
        told[" ".join(codes)] = found.language
    assert told == {"": "it", "de en": "de", "Polish": "pl"}
    [found] = world.outcomes("transcribe", _recording(world, text=_SAID), candidates=["en"], languages={"*": "it"})
    assert found.language == "it"
    ranked = [("en", 0.6), ("sv", 0.3), ("de", 0.1)]
    for codes, heard in (([], "en"), (["de", "sv"], "sv"), (["fr", "de"], "de"), (["fr"], "fr")):
        given, found = _heard(world, ranked=ranked, candidates=codes, align=False)
        assert (given.languages, found.language) == ([heard], heard)


def _language_of_a_stand_in(world: World) -> None:
    given, found = _heard(world, language="fr", languages={"*": "de"}, align=False)
    assert given.languages == ["fr"]
    assert found.language == "fr"


def _model_of_a_stand_in(world: World) -> None:
    given, _ = _heard(world, model=(folder := _whisper_folder(world, "large")), align=False)
    assert given.loaded["folder"] == folder


def _compute_type_of_a_stand_in(world: World) -> None:
    given, _ = _heard(world, compute_type="int8", align=False)
    assert given.loaded["compute_type"] == "int8"


def _windows_of_a_stand_in(world: World) -> None:
    given, _ = _heard(world, windows="short", align=False)
    assert given.loaded["windows"] == "short"


def _beam_size_of_a_stand_in(world: World) -> None:
    given, _ = _heard(world, beam_size=3, align=False)
    assert given.loaded["beam_size"] == 3


def _vad_of_a_stand_in(world: World) -> None:
    """Only the speech that the detector finds is transcribed, with 0.2 s on both sides: silero's is a second."""
    for vad, expected in (("pyannote", (0, 3)), ("silero", (0.8, 2.2))):
        _, found = _heard(world, seconds=3.0, vad=vad, align=False)
        [one] = found.segments
        assert (one.start_samples / RATE, one.end_samples / RATE) == expected


def _chunk_s_of_a_stand_in(world: World) -> None:
    _, found = _heard(world, seconds=3.0, chunk_s=1.0, align=False)
    lengths = [(one.end_samples - one.start_samples) / RATE for one in found.segments]
    assert len(lengths) >= 3
    assert max(lengths) <= 1.0


def _batch_size_of_a_stand_in(world: World) -> None:
    given, found = _heard(world, seconds=3.0, chunk_s=1.0, align=False, batch_size=2)
    assert max(given.batches) == 2
    assert sum(given.batches) == len(found.segments)


def _align_of_a_stand_in(world: World) -> None:
    for align, aligners in ((True, [("en", "mine")]), (False, [])):
        given, _ = _heard(world, align=align, align_models={"en": "mine"})
        assert given.aligners == aligners


def _align_models_of_a_stand_in(world: World) -> None:
    given, _ = _heard(world, align_models={"de": "other", "en": "mine"})
    assert given.aligners == [("en", "mine")]


def _placed(world: World, **values: Any) -> str:
    """Returns which of two stand-in aligners timed a one-second English text."""
    world.patch.setattr(timing.sphinx, "version", lambda: "5")
    world.patch.setattr(timing.sphinx, "SphinxAligner", lambda: SimpleNamespace(name="pocketsphinx"))
    world.patch.setattr(timing.Aligners, "known", lambda *_: SimpleNamespace(name="wav2vec2"))
    segment = {"start": 0.1, "end": 0.9, "text": "Hello there, everyone."}
    world.patch.setattr(timing, "align", lambda *_: {"segments": [segment], "uncovered": []})
    [found] = world.outcomes(
        "transcribe", _recording(world, text="Hello there, everyone."), **{"languages": {"*": "en"}, **values}
    )
    source: str = found.source
    return source


def _times_of_a_stand_in(world: World) -> None:
    found = {times: _placed(world, times=times, times_over_s=0.5) for times in ("none", "wav2vec2", "pocketsphinx")}
    assert found == {"none": "txt", "wav2vec2": "txt+wav2vec2", "pocketsphinx": "txt+pocketsphinx"}


def _times_over_s_of_a_stand_in(world: World) -> None:
    found = {seconds: _placed(world, times_over_s=seconds) for seconds in (0.0, 0.9, 1.1)}
    assert found == {0.0: "txt+pocketsphinx", 0.9: "txt+pocketsphinx", 1.1: "txt"}


def _diarised(world: World, **values: Any) -> tuple[_WhisperX, Transcript]:
    return _heard(world, seconds=2.0, chunk_s=1.0, align=False, **{"diarize": True, **values})


def _diarize_of_a_stand_in(world: World) -> None:
    _, found = _diarised(world)
    assert {one.speaker for one in found.segments} == {"g/ann/one:SPEAKER_00", "g/ann/one:SPEAKER_01"}
    given, found = _diarised(world, diarize=False)
    assert given.diarisers == []
    assert {one.speaker for one in found.segments} == {""}


def _diarize_model_of_a_stand_in(world: World) -> None:
    (folder := world.folder / "diarisation").mkdir()
    given, _ = _diarised(world, diarize_model=str(folder))
    assert given.diarisers == [str(folder)]


def _min_speakers_of_a_stand_in(world: World) -> None:
    given, _ = _diarised(world, min_speakers=2)
    assert given.speakers == [(2, None)]


def _max_speakers_of_a_stand_in(world: World) -> None:
    given, _ = _diarised(world, max_speakers=4)
    assert given.speakers == [(None, 4)]


def _channels(world: World) -> None:
    """Both channels become recordings, with the sound of each."""
    (world.folder / "g/ann").mkdir(parents=True, exist_ok=True)
    stereo = np.stack([noise(1), 0.1 * noise(1, seed=1)], axis=1)
    soundfile.write(world.folder / "g/ann/one.wav", stereo, RATE)
    (world.folder / "g/ann/one.vtt").write_text(f"WEBVTT\n\n00:00.100 --> 00:00.900\n<v left>{_SAID}\n")
    item = Recording("g/ann/one.wav", "g", "ann", "", "g/ann/one.vtt")
    found = world.outcomes("transcribe", item, channels="split", transcripts="require")
    assert [one.id for one in found] == ["g/ann/one.wav@left", "g/ann/one.wav@right"]
    assert found[0].speaker == "g/ann/one:left"
    assert found[1].reason == "NoSpeech"


def _verify(world: World) -> None:
    context = world.context(transcribe={"verify": "some-model"})
    assert context.verify == "some-model"
    assert world.context().verify == ""
    loaded = []
    world.patch.setattr("stages.slice.SecondHearing", lambda *given: loaded.append(given))
    stage = stage_class("slice")(world.section("slice"), context)
    stage.setup()
    assert loaded == [("some-model", "cpu")]
    assert "again missing" in stage.revision()


def _raw(world: World) -> None:
    """The scan finds files without a header, and every stage reads them as told."""
    from pipeline import session
    from stages.audio.files import read

    (folder := world.folder / "voices/ann").mkdir(parents=True)
    (folder / "one.raw").write_bytes(np.arange(8000, dtype="<i2").tobytes())
    honest = session.configuration
    world.patch.setattr(session, "configuration", lambda *given: world._seen(honest(*given)))
    told = ("--out", world.folder / "out", "--scheduler", "sync", "--quiet", "--dry-run")
    assert prep("transcribe", world.folder / "voices", *told, "--set", "transcribe.raw=s16le 8000 1") == 0
    wave, rate = read(world.context(transcribe={"raw": "s16le 8000 1"}).place("voices/ann/one.raw"))
    assert (len(wave), rate) == (8000, 8000)


TRANSCRIBE: dict[str, Proof] = {
    "transcripts": _transcripts,
    "layout": _layout,
    "columns": _columns,
    "languages": _languages,
    "candidates": _candidates,
    "language": _language_of_a_stand_in,
    "model": _model_of_a_stand_in,
    "compute_type": _compute_type_of_a_stand_in,
    "windows": _windows_of_a_stand_in,
    "beam_size": _beam_size_of_a_stand_in,
    "vad": _vad_of_a_stand_in,
    "chunk_s": _chunk_s_of_a_stand_in,
    "align": _align_of_a_stand_in,
    "align_models": _align_models_of_a_stand_in,
    "times": _times_of_a_stand_in,
    "times_over_s": _times_over_s_of_a_stand_in,
    "channels": _channels,
    "raw": _raw,
    "verify": _verify,
    "diarize": _diarize_of_a_stand_in,
    "diarize_model": _diarize_model_of_a_stand_in,
    "min_speakers": _min_speakers_of_a_stand_in,
    "max_speakers": _max_speakers_of_a_stand_in,
    "batch_size": _batch_size_of_a_stand_in,
}
