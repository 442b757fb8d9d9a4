"""The options that commands of `valle` share, in groups.

A command takes a group as one parameter, annotated with its class; `with_options` replaces it by a keyword parameter
per option. The options of samplers and judges come from their tables (`model.decoding.samplers.chain.OPTIONS`,
`model.evaluation.judges.JUDGES`): a new row is a new option.
"""

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from model.decoding.options import FIRST_MODES, Decoding, FirstMode, Unmasking
from model.decoding.samplers.chain import OPTIONS, Sampling
from model.evaluation.judges import JUDGES, Judges, load_judges
from model.evaluation.protocols import PROTOCOLS
from stages.errors import UsageError

if TYPE_CHECKING:
    from model.config import TrainConfig
    from model.evaluation.protocols import Trial
    from model.inference.synthesizer import Synthesizer
    from model.inference.voices import Voice

Json = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")]
CodecWeights = Annotated[Path | None, typer.Option(help="Path of the codec's weights.")]


class Options:
    """Base of the groups: dataclasses whose fields are options."""

    @classmethod
    def parameters(cls) -> list[inspect.Parameter]:
        """Returns a keyword parameter for each option of the group."""
        kinds = get_type_hints(cls, include_extras=True)
        fields = [field for field in dataclasses.fields(cls) if field.init]  # type: ignore[arg-type]
        return [_parameter(field.name, kinds[field.name], field.default) for field in fields]


def _parameter(name: str, annotation: Any, default: Any = dataclasses.MISSING) -> inspect.Parameter:
    default = inspect.Parameter.empty if default is dataclasses.MISSING else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


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

    def load(self) -> "Synthesizer":
        """Loads the model and its codec."""
        from model.inference.synthesizer import Synthesizer

        return Synthesizer.load(self.model, self.device, codec=self.codec, codec_weights=self.codec_weights)


class DecodingOptions(Options):
    """How a response is generated.

    Args:
        mode: How codebook 0 is generated.
        steps: Passes of the network, for `nar-len`.
        guidance: As in `Decoding`.
        options: Values of the samplers' options.
    """

    def __init__(self, *, mode: FirstMode, steps: int, guidance: float | None = None, **options: float) -> None:
        sampling = Sampling(**options)
        self.decoding = Decoding(mode, sampling, Unmasking(steps, sampling=sampling), guidance=guidance)

    @classmethod
    def parameters(cls) -> list[inspect.Parameter]:
        """Returns the parameters of the modes and of the samplers."""
        default = Decoding()
        modes = "; ".join(f"{name}, {how}" for name, how in FIRST_MODES.items())
        steps = "With nar-len: passes of the network."
        guidance = (
            "Classifier-free guidance, for models trained with data.unconditional_probability > 0. 1 is off, the"
            " default of ar; the default of nar-len is 2.5."
        )
        return [
            _parameter("mode", Annotated[FirstMode, typer.Option(help=f"First codebook: {modes}.")], default.mode),
            _parameter("steps", Annotated[int, typer.Option(help=steps)], default.unmasking.steps),
            _parameter("guidance", Annotated[float | None, typer.Option(help=guidance)], default.guidance),
            *(_parameter(row.name, Annotated[row.kind, typer.Option(help=row.help)], row.default) for row in OPTIONS),
        ]


@dataclass(frozen=True)
class SpeechOptions(Options):
    """Seed, language, tone and length of the speech."""

    seed: Annotated[int, typer.Option(help="The same seed gives the same speech.")] = 0
    language: Annotated[str | None, typer.Option(help="Code such as en; detected from the text if not given.")] = None
    tone: Annotated[str | None, typer.Option(help="Group of the training set whose way of speaking to use.")] = None
    max_s: Annotated[float | None, typer.Option(help="Longest speech (and input of transform), in seconds.")] = None


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
    voices: Annotated[Path | None, typer.Option(help="Folder of kept voices.")] = None

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

    def prompt(self, synthesizer: "Synthesizer", reference: Path | None) -> "Voice":
        """Makes the voice from the recordings, or reads a kept one.

        Args:
            synthesizer: The model.
            reference: The first recording; None if a voice is named.

        Raises:
            UsageError: if both recordings and a voice are given, or neither.
        """
        references = [*([reference] if reference else []), *(self.ref or [])]
        kept = self.kept()
        if kept and (references or self.ref_text):
            raise UsageError("`--voice` takes the place of REF, `--ref` and `--ref-text`: leave them out, or it.")
        if kept is None and not references:
            raise UsageError("A voice must be given: a recording (REF, `--ref`), or a kept one (`--voice`).")
        if kept is None:
            length_s, prefix = self.input_prompt_length, self.input_prompt_prefix
            return synthesizer.voice(references, self.ref_text, length_s=length_s, prefix=prefix)
        return dataclasses.replace(kept.resized(self.input_prompt_length), prefix=self.input_prompt_prefix)

    def places(self, paths: list[Path]) -> tuple[Path | None, Path]:
        """Returns REF, None if there is none, and OUT, from the arguments `[REF] OUT`."""
        if len(paths) == 1 and not self.voice:
            raise UsageError(f"OUT is missing after REF (`{paths[0]}`): `valle synth TEXT REF OUT`.")
        if len(paths) > 2:
            raise UsageError(
                f"There must be one REF and one OUT, but there are {len(paths)} paths. Give further recordings of the"
                " voice with `--ref`."
            )
        return (None, paths[0]) if len(paths) == 1 else (paths[0], paths[1])


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
            _parameter(row.option, Annotated[row.kind, typer.Option(help=row.help)], row.default)
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


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replaces each parameter of a command that is a group by a keyword parameter per option of the group."""
    hints = get_type_hints(command, include_extras=True)
    own = inspect.signature(command).parameters.values()
    groups = {p.name: hints[p.name].parameters() for p in own if _is_group(hints[p.name])}

    def wrapper(**given: Any) -> None:
        for name, parameters in groups.items():
            given[name] = hints[name](**{parameter.name: given.pop(parameter.name) for parameter in parameters})
        command(**given)

    spread = [groups.get(p.name) or [p.replace(annotation=hints[p.name])] for p in own]
    parameters = [parameter for part in spread for parameter in part]
    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Options)
