"""The options that commands of `valle` share, each defined once, in groups.

A command takes a group as one parameter, annotated with its class, and `with_options` gives it a keyword parameter for
each option in its place. Choices, and all that is said of them, come from the tables of what they choose among: those
of the samplers from `model.decoding.samplers.chain.OPTIONS`. A new row there is a new option of every command that decodes.
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

if TYPE_CHECKING:
    from model.config import TrainConfig
    from model.evaluation.judges import Judges
    from model.evaluation.protocols import Trial
    from model.inference.synthesizer import Synthesizer

Json = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")]
CodecWeights = Annotated[Path | None, typer.Option(help="The codec's weights.")]


class Options:
    """Base of the groups: dataclasses whose fields are options."""

    @classmethod
    def parameters(cls) -> list[inspect.Parameter]:
        """Returns the keyword parameters that stand in a command for the group, by which it is made."""
        kinds = get_type_hints(cls, include_extras=True)
        fields = [field for field in dataclasses.fields(cls) if field.init]  # type: ignore[arg-type]
        return [_parameter(one.name, kinds[one.name], one.default) for one in fields]


def _parameter(name: str, annotation: Any, default: Any = dataclasses.MISSING) -> inspect.Parameter:
    given = inspect.Parameter.empty if default is dataclasses.MISSING else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=given, annotation=annotation)


@dataclass(frozen=True)
class ModelOptions(Options):
    """Which model, and where it runs."""

    model: Annotated[Path, typer.Option(help="A run's folder, a checkpoint or an exported file.")]
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto"


@dataclass(frozen=True)
class VoiceOptions(ModelOptions):
    """Which model, and which codec turns its codes into sound."""

    codec: Annotated[str | None, typer.Option(help="Another decoder of the same codes, such as vocos.")] = None
    codec_weights: CodecWeights = None

    def load(self) -> "Synthesizer":
        """Opens the model."""
        from model.inference.synthesizer import Synthesizer

        return Synthesizer.load(self.model, self.device, codec=self.codec, codec_weights=self.codec_weights)


class DecodingOptions(Options):
    """How a response is made.

    Args:
        mode: How codebook 0 is made.
        steps: Passes of the network, with nar-len.
        guidance: As in `Decoding`.
        sampling: What the samplers are told.
    """

    def __init__(self, *, mode: FirstMode, steps: int, guidance: float | None = None, **sampling: float) -> None:
        drawn = Sampling(**sampling)
        self.decoding = Decoding(mode, drawn, Unmasking(steps, sampling=drawn), guidance=guidance)

    @classmethod
    def parameters(cls) -> list[inspect.Parameter]:
        """Returns the parameters of the modes, and those of the samplers."""
        usual = Decoding()
        modes = "; ".join(f"{name}: {how}" for name, how in FIRST_MODES.items())
        steps = "With nar-len: passes of the network."
        guidance = (
            "Classifier-free guidance, for models trained with data.unconditional_probability > 0. 1 is off, the"
            " default of ar; the default of nar-len is 2.5."
        )
        return [
            _parameter("mode", Annotated[FirstMode, typer.Option(help=f"{modes}.")], usual.mode),
            _parameter("steps", Annotated[int, typer.Option(help=steps)], usual.unmasking.steps),
            _parameter("guidance", Annotated[float | None, typer.Option(help=guidance)], usual.guidance),
            *(_parameter(one.name, Annotated[one.kind, typer.Option(help=one.help)], one.default) for one in OPTIONS),
        ]


@dataclass(frozen=True)
class SpeechOptions(Options):
    """What is asked of the voice, whatever it says."""

    seed: Annotated[int, typer.Option(help="The same seed gives the same speech.")] = 0
    language: Annotated[str | None, typer.Option(help="Code such as en; detected from the text if not given.")] = None
    tone: Annotated[str | None, typer.Option(help="A group of the training set, whose way of speaking to use.")] = None
    max_s: Annotated[
        float | None, typer.Option(help="Longest speech, and with transform longest input, in seconds.")
    ] = None


@dataclass(frozen=True)
class GivenOptions(Options):
    """What a task is given beside the recording."""

    text: Annotated[str | None, typer.Option(help="All that is said in OUT; needed for cse and nse.")] = None
    prompt: Annotated[Path | None, typer.Option(metavar="REF", help="With tse and vc: the voice.")] = None
    replace: Annotated[
        str | None, typer.Option(metavar="START-END", help="With cse and nse: what to replace, in seconds: 1.2-1.8.")
    ] = None


@dataclass(frozen=True)
class TrialOptions(Options):
    """What an evaluation lets the model say."""

    listed: Annotated[Path, typer.Option("--list", help="What to say, in the format of the protocol's authors.")]
    protocol: Annotated[str, typer.Option(help="ls-valle, ls-valle-continual, ls-pc or seed-tts.")]
    root: Annotated[Path | None, typer.Option(help="Where the list's recordings lie; its own folder if not given.")] = (
        None
    )
    limit: Annotated[int | None, typer.Option(help="Number of utterances, spread over the list.")] = None

    def read(self, seed: int) -> "list[Trial]":
        """Reads the list; `seed` draws what the protocol leaves to chance."""
        from model.evaluation.protocols import read_trials

        return read_trials(self.protocol, self.listed, root=self.root, limit=self.limit, seed=seed)


@dataclass(frozen=True)
class JudgeOptions(Options):
    """Who scores."""

    asr: Annotated[str, typer.Option(help="A whisper model: a folder, a name in the cache, or none.")] = "large-v3"
    speaker: Annotated[str, typer.Option(help="A WavLM speaker verifier (its path), resemblyzer, or none.")] = "none"
    dnsmos: Annotated[Path | None, typer.Option(help="DNSMOS P.835's sig_bak_ovr.onnx.")] = None

    def load(self, device: str) -> "Judges":
        """Loads the judges."""
        from model.evaluation.judges import load_judges

        return load_judges(asr=self.asr, speaker=self.speaker, dnsmos=self.dnsmos, device=device)


@dataclass(frozen=True)
class ConfigOptions(Options):
    """What is laid over a configuration."""

    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Overrides one key of the file; repeatable."),
    ] = None
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N (trainer.device).")] = None

    def load(self, path: Path) -> "TrainConfig":
        """Reads a configuration."""
        from model.config import TrainConfig
        from stages.config import load_config

        device = [f"trainer.device={self.device}"] if self.device else []
        return load_config(TrainConfig, path, [*(self.sets or []), *device])


@dataclass(frozen=True)
class OutputOptions(Options):
    """What is printed."""

    as_json: Json = False
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only errors.")] = False


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command in place of each parameter that is a group of options a keyword parameter for each of them."""
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
