"""The options that commands of `valle` share, in groups.

A command takes a group as one parameter, annotated with its class (`model.option_groups`). The options of samplers and
judges come from their tables (`model.decoding.samplers.chain.OPTIONS`, `model.evaluation.judges.JUDGES`): a new row is
a new option.
"""

import dataclasses
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model.decoding.engine import Quantization
from model.decoding.options import FIRST_MODES, STEPS, Decoding, FirstMode, Unmasking
from model.decoding.samplers.chain import OPTIONS, Sampling
from model.decoding.samplers.sampler import Option
from model.evaluation.judges import JUDGES, Judges, load_judges
from model.evaluation.protocols import PROTOCOLS
from model.inference.guards.guard import Guard
from model.option_groups import Options, parameter
from stages.errors import UsageError

if TYPE_CHECKING:
    from model.config import TrainConfig
    from model.evaluation.protocols import Trial
    from model.inference.requests import Request
    from model.inference.synthesizer import Synthesizer
    from model.inference.voices import Voice
    from model.serving.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")]
CodecWeights = Annotated[Path | None, typer.Option(help="Path of the codec's weights.")]


@dataclass(frozen=True)
class ModelOptions(Options):
    """The model, and the device it runs on."""

    model: Annotated[Path, typer.Option(help="A run's folder, a checkpoint or an exported file.")]
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto"


@dataclass(frozen=True)
class VoiceOptions(ModelOptions):
    """The model, and the codec that decodes its codes."""

    codec: Annotated[str | None, typer.Option(help="Another decoder of the same codes, such as vocos.")] = None
    codec_weights: CodecWeights = None
    quantize: Annotated[
        Quantization, typer.Option(help="int8: 8-bit weights of the linear layers, on a CPU; faster.")
    ] = "none"

    def load(self) -> "Synthesizer":
        """Loads the model and its codec."""
        from model.inference.synthesizer import Synthesizer

        weights, quantize = self.codec_weights, self.quantize
        return Synthesizer.load(self.model, self.device, codec=self.codec, codec_weights=weights, quantize=quantize)


class DecodingOptions(Options):
    """How a response is generated.

    Args:
        mode: How codebook 0 is generated.
        steps: Passes of the network, for `nar-len` and `all`; None: the mode's own.
        nar_temperature: Of the other codebooks.
        options: Values of `Decoding`'s fields and of the samplers' options.
    """

    def __init__(self, *, mode: FirstMode, steps: int | None, nar_temperature: float = 0.0, **options: Any) -> None:
        if not 0 <= nar_temperature < float("inf"):
            raise UsageError(f"`nar_temperature` must be 0 or more, but is {nar_temperature}. 0 is greedy.")
        fields = {name: options.pop(name) for name in _FIELDS if name in options}
        first = Sampling(**options)
        unmasking = Unmasking(steps, sampling=first)
        self.decoding = Decoding(mode, first, unmasking, Sampling(nar_temperature), **fields)

    @classmethod
    def parameters(cls) -> list[inspect.Parameter]:
        """Returns the parameters of the modes and of the samplers."""
        default = Decoding()
        modes = "; ".join(f"{name}, {how}" for name, how in FIRST_MODES.items())
        usual = " and ".join(f"{number} with {name}" for name, number in STEPS.items())
        steps = f"Passes of the network; by default {usual}."
        nar = "Temperature of the codebooks after the first; 0 is greedy."
        return [
            parameter("mode", Annotated[FirstMode, typer.Option(help=f"First codebook: {modes}.")], default.mode),
            parameter("steps", Annotated[int | None, typer.Option(help=steps)], default.unmasking.steps),
            *(parameter(name, _field_option(name, *told), getattr(default, name)) for name, told in _FIELDS.items()),
            parameter("nar_temperature", Annotated[float, typer.Option(help=nar)], 0.0),
            *(parameter(row.name, _sampler_option(row), row.default) for row in OPTIONS),
        ]


_FIELDS: dict[str, tuple[Any, str]] = {
    "guidance": (
        float | None,
        "Classifier-free guidance, for models trained with data.unconditional_probability > 0. 1 is off, the default of"
        " ar; the default of nar-len is 2.5, of all 2.",
    ),
    "beam_width": (int, "With ar: beam search over so many sequences, in place of draws; 1 is off."),
    "refine_on_stop": (bool, "With ar: when the speech has ended, take the likeliest code in each place."),
    "max_ar_context": (int | None, "With ar: attend to so many last frames of the speech only, beside the prompt."),
    "ahead": (
        bool | None,
        "With ar: by heads ahead, the same in fewer steps; by default if the model has them.",
    ),
    "layer_skip": (bool, "With ar on a CPU: end a step at a layer that is sure of the next code."),
    "layer_skip_exit_layer": (int | None, "With --layer-skip: the first layer that may do so; by default the middle."),
    "layer_skip_entropy_threshold": (float, "With --layer-skip: the entropy that a sure layer is below, in nats."),
    "layer_skip_varentropy_threshold": (float, "With --layer-skip: the varentropy that it is below too."),
}
"""The fields of `Decoding` that are options: their kinds, and their lines in `--help`."""


def _field_option(name: str, kind: Any, text: str) -> Any:
    plain = name.replace("_", "-")
    flag = {bool: [f"--{plain}"], bool | None: [f"--{plain}/--no-{plain}"]}.get(kind, [])
    return Annotated[kind, typer.Option(*flag, help=text)]


def _sampler_option(row: Option) -> Any:
    names = [f"--{name.replace('_', '-')}" for name in (row.name, row.alias) if name]
    return Annotated[row.kind, typer.Option(*names, help=row.help)]


@dataclass(frozen=True)
class GuardOptions(Options):
    """What is done about faulty speech."""

    retries: Annotated[
        int, typer.Option(help="Draw a part again, with another seed, while it is faulty: so many times; 0 is off.")
    ] = Guard().retries
    best_of: Annotated[int, typer.Option(help="Draw each part so many times and take the best; 1 is off.")] = (
        Guard().best_of
    )
    best_by: Annotated[
        str,
        typer.Option(
            metavar="logprob|stt|whisper:FOLDER",
            help="The best: of the highest mean log-probability, or with the fewest wrong phonemes as the model (mode"
            " stt) or a whisper model hears it.",
        ),
    ] = Guard().best_by

    def guard(self) -> Guard:
        """Returns the guard; raises `UsageError` for values out of range."""
        return Guard(self.retries, self.best_of, self.best_by)


@dataclass(frozen=True)
class SpeechOptions(Options):
    """Seed, language, tone and length of the speech."""

    seed: Annotated[int, typer.Option(help="The same seed gives the same speech.")] = 0
    language: Annotated[
        str | None,
        typer.Option(
            help="Code such as en; told from the text, among the languages of the training set, if not given."
        ),
    ] = None
    tone: Annotated[str | None, typer.Option(help="Group of the training set whose way of speaking to use.")] = None
    max_s: Annotated[float | None, typer.Option(help="Longest speech (and input of transform), in seconds.")] = None


@dataclass(frozen=True)
class ServeOptions(Options):
    """Where a server listens, and what it allows."""

    voices: Annotated[
        Path | None, typer.Option(help="Folder of recordings (a .txt beside one is what it says) and kept voices.")
    ] = None
    host: Annotated[str, typer.Option(help="Address to listen at; one that others reach needs a key.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(help="0: a free one.")] = 8000
    api_key: Annotated[
        str | None, typer.Option(envvar="VALLE_API_KEY", help="What clients must send; better set VALLE_API_KEY.")
    ] = None
    name: Annotated[str | None, typer.Option(help="Name of the model in requests; by default that of --model.")] = None
    queue: Annotated[int, typer.Option(help="Most requests at the same time.")] = 64
    max_characters: Annotated[int, typer.Option(help="Longest text.")] = 4096
    max_upload_mb: Annotated[float, typer.Option(help="Largest request, in millions of bytes.")] = 25.0

    def settings(self, model: Path, decoding: Decoding, guard: Guard) -> "Settings":
        """Returns the server's settings; `decoding` and `guard` are for what requests don't say."""
        from model.serving.settings import Settings

        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        name = self.name or model.resolve().name.removesuffix(".safetensors")
        return Settings(**{**values, "name": name, "decoding": decoding, "guard": guard})


@dataclass(frozen=True)
class KeptVoices(Options):
    """Voices that `valle voice` kept."""

    voice: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VOICE[:WEIGHT]",
            help="A kept voice in place of a recording: a file, or a name in --voices. Several are mixed by weight.",
        ),
    ] = None
    voices: Annotated[Path | None, typer.Option(help="Folder of the kept voices that are named.")] = None

    def kept(self) -> "Voice | None":
        """Reads the voice, or the mixture of several; None if none is named."""
        if not self.voice:
            if self.voices:
                raise UsageError(f"`--voices` is a folder, {self.voices}: name one of its voices with `--voice`.")
            return None
        from model.inference.voices import read_voices

        return read_voices(self.voice, self.voices)


@dataclass(frozen=True)
class TaskOptions(KeptVoices):
    """What a task takes beside the recording."""

    text: Annotated[str | None, typer.Option(help="All that is said in OUT; needed for cse and nse.")] = None
    prompt: Annotated[
        Path | None, typer.Option(metavar="REF", help="For tse and vc: a recording of the voice, or --voice.")
    ] = None
    replace: Annotated[
        str | None,
        typer.Option(metavar="START-END", help="For cse and nse: the part to replace, in seconds, such as 1.2-1.8."),
    ] = None


@dataclass(frozen=True)
class PromptOptions(KeptVoices):
    """The voice: recordings of it, with their texts, or a kept one."""

    ref: Annotated[
        list[Path] | None, typer.Option(metavar="REF", help="A further recording of the voice; repeatable.")
    ] = None
    ref_text: Annotated[
        list[str] | None,
        typer.Option(help="What REF says; the speech then continues it. With several, one for each in their order."),
    ] = None
    input_prompt_length: Annotated[float | None, typer.Option(help="Repeat or cut the prompt to so many seconds.")] = (
        None
    )
    input_prompt_prefix: Annotated[
        bool, typer.Option("--input-prompt-prefix", help="Begin the speech with the prompt; needs --ref-text.")
    ] = False

    def kept_voice(self, reference: Path | None, *, is_list: bool) -> "Voice | None":
        """Reads the kept voice; None if recordings are to be used, or each line of a list names its own voice.

        Raises:
            UsageError: if both recordings and a voice are given, or neither.
        """
        recordings = [*([reference] if reference else []), *(self.ref or [])]
        if is_list and not recordings and not self.voice and not self.ref_text:
            return None  # with `--voices`, lines name voices of that folder
        kept = None if is_list and not self.voice else self.kept()
        if kept and (recordings or self.ref_text):
            raise UsageError("`--voice` takes the place of REF, `--ref` and `--ref-text`: leave them out, or it.")
        if kept is None and not recordings:
            raise UsageError("A voice must be given: a recording (REF, `--ref`), or a kept one (`--voice`).")
        return kept and dataclasses.replace(kept.resized(self.input_prompt_length), prefix=self.input_prompt_prefix)

    def asked(
        self, request: "Request", synthesizer: "Synthesizer", reference: Path | None, kept: "Voice | None"
    ) -> "Request":
        """Returns a request with the voice: the kept one, a recording, or a voice made from several.

        Args:
            request: What is asked for beside the voice.
            synthesizer: The model.
            reference: The first recording; None if there is none.
            kept: What `kept_voice` returned.
        """
        texts, recordings = self.ref_text, [*([reference] if reference else []), *(self.ref or [])]
        if kept is not None or not recordings:
            return dataclasses.replace(request, voice=kept)
        if len(recordings) == 1 and len(texts or [""]) == 1 and not self._shaped():
            return dataclasses.replace(request, prompt=recordings[0], prompt_text=texts[0] if texts else None)
        length_s, prefix = self.input_prompt_length, self.input_prompt_prefix
        return dataclasses.replace(
            request, voice=synthesizer.voice(recordings, texts, length_s=length_s, prefix=prefix)
        )

    def check_own(self, requests: "Sequence[Request]", default: "Request") -> None:
        """Raises `UsageError` if options for the one voice are given, but some lines of a list name their own."""
        if self._shaped() and any(request.voice is not default.voice for request in requests):
            raise UsageError(
                "`--input-prompt-length` and `--input-prompt-prefix` are for the voice of the command, but lines of the"
                " list name their own (`ref`, `voice`). Leave the options out, or speak those texts apart."
            )

    def _shaped(self) -> bool:
        return self.input_prompt_length is not None or self.input_prompt_prefix

    def places(self, paths: list[Path], *, is_list: bool) -> tuple[Path | None, Path]:
        """Returns REF, None if there is none, and OUT, from the arguments `[REF] OUT`.

        For a list, `-` as REF is none: each line names its own voice.
        """
        if len(paths) == 1 and not self.voice:
            raise UsageError(f"OUT is missing after REF (`{paths[0]}`): `valle synth TEXT REF OUT`.")
        if len(paths) > 2:
            raise UsageError(
                f"There must be one REF and one OUT, but there are {len(paths)} paths. Give further recordings of the"
                " voice with `--ref`."
            )
        if len(paths) == 1:
            return None, paths[0]
        if str(paths[0]) == "-" and not is_list:
            raise UsageError(
                "`-` as REF is for lists (`@FILE`) whose lines name their own voices: for one text, name a recording,"
                " or leave REF out and give `--voice`."
            )
        return None if str(paths[0]) == "-" else paths[0], paths[1]


@dataclass(frozen=True)
class TrialOptions(Options):
    """The utterances of an evaluation."""

    listed: Annotated[Path, typer.Option("--list", help="The test list, in the format of the protocol's authors.")]
    protocol: Annotated[str, typer.Option(help=f"{', '.join(PROTOCOLS)}.")]
    root: Annotated[Path | None, typer.Option(help="Folder of the list's recordings; by default the list's own.")] = (
        None
    )
    limit: Annotated[int | None, typer.Option(help="Number of utterances, spread evenly over the list.")] = None

    def read(self, seed: int) -> "list[Trial]":
        """Reads the list; `seed` is for what the protocol draws at random."""
        from model.evaluation.protocols import read_trials

        return read_trials(self.protocol, self.listed, root=self.root, limit=self.limit, seed=seed)


class JudgeOptions(Options):
    """The judges of an evaluation.

    Args:
        values: Values of the judges' options.
    """

    def __init__(self, **values: Any) -> None:
        self._values = values

    @classmethod
    def parameters(cls) -> list[inspect.Parameter]:
        """Returns the option of each judge."""
        return [
            parameter(row.option, Annotated[row.kind, typer.Option(help=row.help)], row.default)
            for row in JUDGES.values()
        ]

    def load(self, device: str) -> Judges:
        """Loads the judges."""
        return load_judges(device, **self._values)


@dataclass(frozen=True)
class ConfigOptions(Options):
    """Overrides of a configuration file."""

    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Overrides one key of the file; repeatable."),
    ] = None
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N (trainer.device).")] = None

    def load(self, path: Path) -> "TrainConfig":
        """Loads a configuration with the overrides."""
        from model.config import TrainConfig
        from stages.config import load_config

        device = [f"trainer.device={self.device}"] if self.device else []
        return load_config(TrainConfig, path, [*(self.sets or []), *device])


@dataclass(frozen=True)
class OutputOptions(Options):
    """How results are printed."""

    as_json: Json = False
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only errors.")] = False
