"""The doctor's checks of weights on this machine; downloads nothing."""

from importlib.util import find_spec
from pathlib import Path

from pipeline.doctor.check import SETUP, Check, Setup, Status, gib, probe, reason
from stages.artefacts.manifest import NOT_KNOWN
from stages.cleaning.table import CLEANERS
from stages.codecs.table import CODECS
from stages.codecs.weights import licence_of, torch_hub
from stages.errors import ValleError
from stages.hearing.asr import weights as whisper
from stages.text.languages import LANGUAGES

_ALIGNERS = """
import json, torchaudio
from whisperx.alignment import DEFAULT_ALIGN_MODELS_HF, DEFAULT_ALIGN_MODELS_TORCH
files = {code: getattr(torchaudio.pipelines, name)._path for code, name in DEFAULT_ALIGN_MODELS_TORCH.items()}
print(json.dumps([files, DEFAULT_ALIGN_MODELS_HF]))
"""


def codecs(setup: Setup) -> list[Check]:
    """Looks for the weights of every codec in the table."""
    return [_codec(setup, name) for name in CODECS]


def _codec(setup: Setup, name: str) -> Check:
    """Looks for a codec's weights; `encode.weights` applies to the configured codec only."""
    encode = setup.config.encode
    wanted = name == encode.codec
    given = encode.weights if wanted else None
    row = CODECS[name]
    rate = row.models.get(encode.dac_model)
    try:
        paths = row.files(given, rate)
        found = row.kind.identify(given, rate)
        sizes = sum(path.stat().st_size for path in paths)
    except (ValleError, ImportError, OSError) as error:
        hint = str(error) if isinstance(error, ValleError) else f"{reason(error)}. {SETUP}"
        return Check(f"codec {name}", "weights", "problem" if wanted else "note", "missing", hint)
    used = ", configured" if wanted else ""
    where = f"{', '.join(f'`{path}`' for path in paths)} ({gib(sizes)})" if paths else "needs no weights"
    licence = licence_of(row, given, found.revision)
    told = f"licence of the published weights: {licence}" if licence == row.licence else f"licence: {licence}"
    if licence == NOT_KNOWN:
        told += f" (the published weights' is {row.licence or NOT_KNOWN})"
    value = f"{where}, revision {found.revision}, {told}{used}"
    return Check(f"codec {name}", "weights", "ok", value)


def cleaners(setup: Setup) -> list[Check]:
    """Looks for every cleaner in the table; `clean.weights` applies to the configured one only."""
    rows = []
    for name, row in CLEANERS.items():
        wanted = name == setup.config.clean.cleaner
        given = setup.config.clean.weights if wanted else None
        try:
            found = row.identify(Path(given).expanduser() if given else None)
        except (ValleError, OSError) as error:
            status: Status = "problem" if wanted else "note"
            rows.append(Check(f"cleaner {name}", "weights", status, "missing", str(error)))
        else:
            value = f"{found}, licence: {row.licence}{', configured' if wanted else ''}"
            rows.append(Check(f"cleaner {name}", "weights", "ok", value))
    return rows


def hearing(setup: Setup) -> list[Check]:
    """Looks for the whisper model and the voice activity detectors."""
    transcribe = setup.config.transcribe
    if transcribe.transcripts == "require":
        return [Check("whisper", "weights", "ok", "not needed: `transcribe.transcripts` is `require`")]
    status: Status = "problem" if setup.hears else "note"
    need = {True: "needed", False: "not needed: nothing to transcribe", None: "needed for recordings without text"}
    value = f"`{transcribe.model}` is missing ({need[setup.hears]})"
    try:
        folder = whisper.find_model(transcribe.model, download=False)
        size = sum(path.stat().st_size for path in folder.iterdir())
        revision = whisper.revision(folder)
    except ValleError as error:
        rows = [Check("whisper", "weights", status, value, f"{error} Or let `valle-prep transcribe` download it.")]
    except (ImportError, OSError, RuntimeError) as error:
        rows = [Check("whisper", "weights", status, value, f"{reason(error)}. {SETUP}")]
    else:
        rows = [Check("whisper", "weights", "ok", f"`{folder}` ({gib(size)}), revision {revision}")]
    return [*rows, _vad("pyannote", "whisperx", setup), _vad("silero", "faster_whisper", setup)]


def _vad(name: str, package: str, setup: Setup) -> Check:
    """Looks for a voice activity detector in the package that contains it."""
    spec = find_spec(package)
    folders = [Path(folder) / "assets" for folder in (spec.submodule_search_locations or ())] if spec else []
    pattern = "pytorch_model.bin" if name == "pyannote" else "silero*.onnx"
    found = [path for folder in folders for path in sorted(folder.glob(pattern))]
    if found:
        return Check(f"vad {name}", "weights", "ok", f"`{found[0]}` ({gib(found[0].stat().st_size)})")
    wanted = setup.hears and setup.config.transcribe.vad == name
    return Check(f"vad {name}", "weights", "problem" if wanted else "note", f"missing in `{package}`", SETUP)


def aligners(setup: Setup) -> list[Check]:
    """Imports whisperX, and looks for the models that align words with the audio."""
    transcribe = setup.config.transcribe
    if setup.hears is False:
        return []
    found, problem = probe(_ALIGNERS)
    if problem:
        return [Check("import whisperx", "packages", setup.missing("whisperx"), problem, SETUP)]
    rows = [Check("import whisperx", "packages", "ok", "works")]
    if not transcribe.align:
        return [*rows, Check("aligners", "weights", "ok", "not needed: `transcribe.align` is false")]
    files, repositories = found
    named = {transcribe.language, *transcribe.languages.values(), *transcribe.align_models} - {None}
    places = {}
    for code in sorted(named or {*files, *repositories} & set(LANGUAGES)):
        name = transcribe.align_models.get(code) or repositories.get(code, "")
        places[code] = _aligner(name, files.get(code, "") if code not in transcribe.align_models else "")
    missing = [code for code, place in places.items() if not place]
    at_hand = ", ".join(f"{code} `{place}`" for code, place in places.items() if place) or "none"
    if not missing:
        return [*rows, Check("aligners", "weights", "ok", at_hand)]
    hint = (
        "Without one, words have no times. Let whisperX download it, or give a folder:"
        f" `--set transcribe.align_models.{missing[0] if named else 'CODE'}=FOLDER`."
    )
    chosen = setup.hears and set(missing) & set(transcribe.align_models)
    value = f"at hand: {at_hand}; missing: {', '.join(missing)}"
    return [*rows, Check("aligners", "weights", "problem" if chosen else "note", value, hint)]


def _aligner(name: str, file: str) -> str:
    """Returns the path of a wav2vec2 model (a folder, or a file in the cache of torch or the hub); "" if missing."""
    if file:
        path = torch_hub() / "checkpoints" / Path(file).name
        return str(path) if path.is_file() else ""
    if Path(name).expanduser().is_dir():
        return str(Path(name).expanduser())
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = [try_to_load_from_cache(name, weight) for weight in ("model.safetensors", "pytorch_model.bin")]
    except HFValidationError:
        return ""
    return next((path for path in cached if isinstance(path, str)), "")
