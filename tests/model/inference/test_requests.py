"""Speech of speech, from recordings to a wave: what each task takes, what it refuses, and how long its output is."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from model.cli import main
from model.data.examples import Examples
from model.decoding.options import Decoding, FirstMode, Unmasking
from model.inference.requests import parse_stretch, replaced_frames
from model.inference.speech import Speech
from model.inference.synthesizer import Synthesizer
from model.sequences.tasks import DRAWN, TRANSFORMS, Transform
from model.sequences.tokenizer import Tokenizer
from model.training.trainer import train
from stages.audio.files import probe, read_at, write_wav
from stages.codecs.table import codec_identity, load_codec
from stages.errors import UsageError
from stages.ids import MIXTURES
from tests.model.conftest import make_config, make_store

MODES = dict.fromkeys(("ar", "nar", "nar-len", "len"), 1.0)
QUICK = Unmasking(steps=2)
ALL_AT_ONCE = Decoding("nar-len", unmasking=QUICK)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transform")


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """A model of grouped codes: a response's length needn't be a whole number of groups."""
    store = make_store(codec=codec_identity("embedded"))
    store.mix(*MIXTURES)
    weights = dict.fromkeys(DRAWN, 1.0)
    config = make_config(
        **{"data__tasks": weights, "data__modes": MODES, "data__max_s": 2.0, "data__validation": 0.3},
        **{"trainer__out": str(folder / "run"), "trainer__max_steps": 3, "trainer__validate_every": 3},
        **{"model__group": 4, "data__tones": True, "data__unconditional_probability": 0.1},
    )
    train(config, store, quiet=True)
    assert "validation/loss" in (folder / "run" / "log.jsonl").read_text()
    return folder / "run"


@pytest.fixture(scope="module")
def voice(run: Path) -> Synthesizer:
    return Synthesizer.load(run)


@pytest.fixture(scope="module")
def recording(folder: Path) -> Path:
    """1.2 seconds of a falling tone, at another rate than the codec's."""
    time_s = np.arange(19_200) / 16_000
    write_wav(folder / "in.wav", (0.5 * np.sin(2 * np.pi * (300 - 40 * time_s) * time_s)).astype(np.float32), 16_000)
    return folder / "in.wav"


def asked(task: Transform, recording: Path) -> dict[str, object]:
    """What a task must be given beside the input."""
    spec = TRANSFORMS[task]
    found: dict[str, object] = {"prompt": recording} if spec.prompted else {}
    return found | ({"text": "Hello there.", "replace_s": (0.4, 0.8)} if spec.edits else {})


@pytest.mark.parametrize("mode", ["ar", "nar-len"])
@pytest.mark.parametrize("task", TRANSFORMS)
def test_every_task_speaks(voice: Synthesizer, recording: Path, task: Transform, mode: FirstMode) -> None:
    decoding = Decoding(mode, unmasking=QUICK, guidance=2.0)
    speech = voice.transform(task, recording, **asked(task, recording), decoding=decoding, max_s=1.5)  # type: ignore[arg-type]
    frames = speech.codes.shape[1]
    assert speech.codes.shape[0] == 8
    assert speech.duration_s == pytest.approx(frames / 75)
    assert np.isfinite(speech.samples).all()
    if TRANSFORMS[task].same_length:
        assert frames == 90, "as long as the input"
        assert not speech.cut
    else:
        assert 1 <= frames <= 112
        assert speech.cut == (frames == 112)
    again = voice.transform(task, recording, **asked(task, recording), decoding=decoding, max_s=1.5)  # type: ignore[arg-type]
    assert (again.codes == speech.codes).all()


def test_the_network_is_asked_as_it_was_taught(
    voice: Synthesizer, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conditions = []
    silence = Speech(np.zeros(320, np.float32), 24_000, np.zeros((8, 1), np.uint16), "", "", "", False, 0.0)
    monkeypatch.setattr(
        "model.inference.synthesizer.respond", lambda _, __, ask, **___: conditions.append(ask.condition)
    )
    monkeypatch.setattr(voice, "said", lambda *_: silence)
    voice.transform("cse", recording, text="Hello.", replace_s=(0.4, 0.8))
    voice.transform("tse", recording, prompt=recording)
    voice.transform("ns", recording, text="Hello.", language="EN", tone="g")
    with pytest.raises(UsageError, match="`language` must be one that"):
        voice.transform("ns", recording, text="Hello.", language="de")
    edit, wordless, spoken = conditions
    assert (edit.tone, spoken.tone) == ("", "g")
    assert edit.input_KS.shape == (8, 90)
    assert np.flatnonzero(edit.replaced_S).tolist() == list(range(30, 60))
    assert (edit.language, edit.prompt_KP.shape, edit.task) == ("en", (8, 0), "cse")
    assert (wordless.phonemes, wordless.language, wordless.prompt_KP.shape) == ("", "", (8, 38))
    assert wordless.replaced_S is None
    assert (spoken.language, spoken.task) == ("en", "ns")
    assert spoken.phonemes


@pytest.mark.parametrize(
    ("task", "given", "message"),
    [
        ("tts", {}, "`task` must be one of ns, sr, tse, cse, nse, vc, but is `tts`"),
        ("tse", {}, "`tse` needs a `prompt`"),
        ("vc", {}, "`vc` needs a `prompt`"),
        ("ns", {"prompt": "in.wav"}, "`ns` takes no `prompt`"),
        ("cse", {"text": "Hello."}, "`cse` needs `replace`"),
        ("nse", {"replace_s": (0.1, 0.2)}, "`nse` needs a `text`"),
        ("nse", {"replace_s": (0.1, 0.2), "text": " "}, "`nse` needs a `text`"),
        ("sr", {"replace_s": (0.1, 0.2)}, "`sr` takes no `replace`"),
        ("cse", {"text": "Hello.", "replace_s": (0.8, 0.4)}, "must lie within the input's 1.20 s"),
        ("cse", {"text": "Hello.", "replace_s": (0.8, 2.4)}, "must lie within the input's 1.20 s"),
        ("ns", {"max_s": 1.0}, "`audio` must be at most 1 s long (`max_s`), but is 1.2 s"),
        ("ns", {"max_s": 0.001}, "`max_s` must be at least one frame"),
    ],
)
def test_what_a_task_can_t_do_with_is_told(
    voice: Synthesizer, recording: Path, task: Transform, given: dict, message: str
) -> None:
    given = {**given, **({"prompt": recording} if "prompt" in given else {})}
    with pytest.raises(UsageError) as raised:
        voice.transform(task, recording, **given)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_task_or_mode_that_was_never_trained_is_refused(folder: Path, recording: Path) -> None:
    store = make_store(codec=codec_identity("embedded"))
    tasks = {"tts": 1.0, "cse": 1.0}
    config = make_config(trainer__out=str(folder / "few"), trainer__max_steps=1, data__tasks=tasks)
    voice = Synthesizer.load(train(config, store, quiet=True))
    with pytest.raises(UsageError, match="never trained on the task `ns`, only on `tts`, `cse`"):
        voice.transform("ns", recording)
    with pytest.raises(UsageError, match="never trained in the mode `nar-len`"):
        voice.transform("cse", recording, text="Hello.", replace_s=(0.1, 0.2), decoding=ALL_AT_ONCE)


def test_a_task_of_known_length_needs_no_mode_len(voice: Synthesizer, recording: Path, monkeypatch) -> None:
    modes = {"nar-len": 1.0, "nar": 1.0}  # and nothing makes the other codebooks without `nar`
    config = voice.checkpoint.config
    data = config.data.model_copy(update={"modes": modes})
    monkeypatch.setattr(
        voice,
        "checkpoint",
        type(voice.checkpoint)(
            **{
                **{name: getattr(voice.checkpoint, name) for name in voice.checkpoint.__dataclass_fields__},
                "config": config.model_copy(update={"data": data}),
            }
        ),
    )
    assert voice.transform("ns", recording, decoding=ALL_AT_ONCE).codes.shape == (8, 90)
    with pytest.raises(UsageError, match="mode `len`"):
        voice.transform("vc", recording, prompt=recording, decoding=ALL_AT_ONCE)


def test_a_stretch_is_read_and_marked() -> None:
    assert parse_stretch("1.2-1.8") == (1.2, 1.8)
    assert parse_stretch(" .5 - 2") == (0.5, 2.0)
    for text in ("1.2", "a-b", "1-2-3", "-1-2"):
        with pytest.raises(UsageError, match="must be `START-END`"):
            parse_stretch(text)
    assert np.flatnonzero(replaced_frames(10, 10.0, 0.7, 1.05)).tolist() == [7, 8, 9]


def valle(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["valle", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_command(run: Path, recording: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    out = tmp_path / "out.wav"
    shared = ("--model", run, "--device", "cpu", "--max-s", "1.5", "--json")
    edit = ("--text", "Hello there.", "--replace", "0.4-0.8", "--mode", "nar-len", "--steps", "2")
    assert valle(monkeypatch, "transform", "cse", recording, out, *edit, *shared) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["phonemes"]
    assert probe(out).samples / 24_000 == pytest.approx(told["seconds"], abs=1e-3)
    assert valle(monkeypatch, "transform", "ns", recording, out, "--tone", "g", *shared) == 0
    assert probe(out).samples == 28_800
    capsys.readouterr()
    assert valle(monkeypatch, "transform", "vc", recording, out, *shared) == 2
    assert capsys.readouterr().err.strip() == "error: The task `vc` needs a `prompt`: a recording of the voice."
    assert valle(monkeypatch, "transform", "ns", recording, out, "--tone", "calm", *shared) == 2
    told = "error: `tone` must be one that the model knows (g), but is `calm`.\n"
    assert capsys.readouterr().err == told
    assert valle(monkeypatch, "synth", "Hello.", recording, out, "--tone", "calm", *shared) == 2
    assert capsys.readouterr().err == told
    assert valle(monkeypatch, "transform", "cse", recording, out, "--replace", "soon", *shared) == 2
    assert "must be `START-END`" in capsys.readouterr().err


def test_from_recordings_to_every_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Preparation with mixtures, training on all tasks, and a wave of each: all that a user would do."""
    from pipeline.cli import app
    from stages.corpora.voices import write_voices
    from stages.errors import run_app
    from stages.store.reader import open_store

    voices = tmp_path / "voices"
    clips = [clip for clip in write_voices(tmp_path / "all") if clip.name in {"alder_01.wav", "alder_02.wav"}]
    clips += [clip.parents[1] / "birch" / clip.name.replace("alder", "birch") for clip in clips]
    for clip in clips:
        (voices / clip.parent.name).mkdir(parents=True, exist_ok=True)
        for path in (clip, clip.with_suffix(".txt")):
            shutil.copy(path, voices / clip.parent.name)
    rng = np.random.default_rng(0)
    write_wav(tmp_path / "noise" / "hiss.wav", rng.normal(0, 0.1, 48_000).astype(np.float32), 16_000)
    sets = ["encode.codec=embedded", f"mix.noise={tmp_path / 'noise'}", f"mix.speech={voices}", "mix.shift=true"]
    options = [part for one in sets for part in ("--set", one)]
    dataset = tmp_path / "dataset"
    run_prep = ["run", str(voices), "--out", str(dataset), "--scheduler", "sync", "--quiet", *options]
    assert run_app(lambda: app(run_prep)) == 0

    store = open_store(dataset)
    for kind in MIXTURES:
        assert store.has_mixture(kind).all()
    config = make_config(
        **{"data__tasks": dict.fromkeys(DRAWN, 1.0), "data__modes": MODES, "data__batch_tokens": 1500},
        **{"trainer__out": str(tmp_path / "run"), "trainer__max_steps": 3, "data__validation": 0.0},
    )
    found = Examples(store, Tokenizer.default(8), config.data, "train")
    drawn = {found.draw(int(row), np.random.default_rng(n)).task for row in found.rows for n in range(30)}
    assert drawn >= set(TRANSFORMS)
    voice = Synthesizer.load(train(config, store, quiet=True))
    clip = clips[0]
    for task in TRANSFORMS:
        speech = voice.transform(task, clip, **asked(task, clip), max_s=6.0)  # type: ignore[arg-type]
        write_wav(tmp_path / f"{task}.wav", speech.samples, speech.sample_rate)
        info = probe(tmp_path / f"{task}.wav")
        assert info.samples == speech.codes.shape[1] * 320
        if TRANSFORMS[task].same_length:
            codec = load_codec("embedded")
            assert info.samples == 320 * -(-len(read_at(clip, codec.sample_rate)) // 320)
