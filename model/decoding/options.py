"""The settings of decoding, shared by `valle synth`, `valle transform` and `valle eval`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from model.decoding.engine.exits import ENTROPY, VARENTROPY, EarlyExit
from model.decoding.samplers.chain import GREEDY, PLAIN, Sampling
from stages.errors import UsageError

if TYPE_CHECKING:
    from model.config import DataConfig
    from model.sequences.delayed import Levels
    from model.sequences.documents import Mode

FirstMode = Literal["ar", "nar-len", "all"]
"""How codebook 0 is generated; with `all`, the others too."""

FIRST_MODES: Mapping[FirstMode, str] = {
    "ar": "frame by frame",
    "nar-len": "the length first, then all at once",
    "all": "the length first, then all codebooks on one canvas",
}
"""The modes with their descriptions in `--help`."""

_GUIDANCE: Mapping[FirstMode, float] = {"ar": 1.0, "nar-len": 2.5, "all": 2.0}
"""Default guidance of a model trained with `data.unconditional_probability` > 0."""

STEPS: Mapping[FirstMode, int] = {"nar-len": 25, "all": 8}
"""Default passes of the network, in the modes that have a number of them."""


@dataclass(frozen=True, slots=True)
class Unmasking:
    """How a canvas is unmasked: codebook 0 (`nar-len`), all codebooks (`all`), or each one (`data.levels: masks`)."""

    steps: int | None = None
    """Passes of the network; None: the mode's own, 25 for `nar-len`, 8 for `all`, and 25 for `data.levels: masks`."""
    rescale: float = 0.75
    """With guidance: how far guided logits are scaled back to the spread of the conditional ones, 0 to 1."""
    sampling: Sampling = Sampling()  # noqa: RUF009 (frozen)
    """How codes of codebook 0 are drawn; the temperature falls to 0 over its steps."""

    def __post_init__(self) -> None:
        """Raises `UsageError` for values out of range."""
        if self.steps is not None and self.steps < 1:
            raise UsageError(f"`steps` must be at least 1, but is {self.steps}.")


_OFF = {"beam_width": 1, "refine_on_stop": False, "max_ar_context": None, "ahead": None, "layer_skip": False}
"""The fields of `Decoding` that are for `ar`, and their values where they are left out."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How the codes of a response are chosen."""

    mode: FirstMode = "ar"
    """How codebook 0 is generated."""
    ar: Sampling = PLAIN
    """How codebook 0 is drawn in the mode `ar`."""
    unmasking: Unmasking = Unmasking()
    """How the canvas is unmasked in the modes `nar-len` and `all`, and those of `data.levels: masks`."""
    nar: Sampling = GREEDY
    """How the other codebooks are drawn."""
    guidance: float | None = None
    """Scale of classifier-free guidance for codebook 0, with `data.levels: delay` or `masks` for all codebooks: the
    condition is text, prompt, input and tone. 1 is off. None: 2.5 for `nar-len` and 2 for `all` if the model was
    trained with `data.unconditional_probability` > 0, else off."""
    beam_width: int = 1
    """`ar`: sequences that beam search keeps (`decoding.beam`); 1 is off."""
    refine_on_stop: bool = False
    """`ar`: once a response has ended by itself, each of its codes is replaced by the likeliest one, given those drawn
    before it. A response cut at its longest stays as drawn."""
    max_ar_context: int | None = None
    """`ar`: frames of the response that a step attends to, beside all that is given; None for all."""
    layer_skip: bool = False
    """`ar`: a step ends after a layer whose output makes the model sure of the next code (`decoding.exits`)."""
    layer_skip_exit_layer: int | None = None
    """With `layer_skip`: the first layer, counted from 1, after which a step may end; None for the middle one."""
    layer_skip_entropy_threshold: float = ENTROPY
    """With `layer_skip`: the entropy of the next code must be below this, in nats; 0 never ends a step."""
    layer_skip_varentropy_threshold: float = VARENTROPY
    """With `layer_skip`: the variance of its surprise must be below this, in square nats."""
    ahead: bool | None = None
    """`ar`: whether a model with heads ahead (`model.ahead`) decodes single responses by them (`decoding.ahead`): the
    same codes in fewer passes. None: if it has them; True: it must have them."""

    def __post_init__(self) -> None:
        """Raises `UsageError` for values out of range, or that make no sense together."""
        if self.mode not in get_args(FirstMode):
            raise UsageError(f"`mode` must be one of {', '.join(get_args(FirstMode))}, but is `{self.mode}`.")
        if self.guidance is not None and not 1 <= self.guidance < float("inf"):
            raise UsageError(f"`guidance` must be 1 (off) or more, but is {self.guidance}.")
        if self.beam_width < 1:
            raise UsageError(f"`beam_width` must be 1 (off) or more, but is {self.beam_width}.")
        if self.max_ar_context is not None and self.max_ar_context < 1:
            raise UsageError(f"`max_ar_context` must be at least 1 frame, but is {self.max_ar_context}.")
        self._check_layer_skip()
        self._check_mode()
        if self.beam_width > 1:
            self._check_beam()

    def _check_layer_skip(self) -> None:
        """Raises `UsageError` for settings of early exit that are out of range, or have no effect."""
        exit_layer = self.layer_skip_exit_layer
        if exit_layer is not None and exit_layer < 1:
            raise UsageError(f"`layer_skip_exit_layer` must be at least 1, but is {exit_layer}.")
        given = ["layer_skip_exit_layer"] if exit_layer is not None else []
        for kind, default in (("entropy", ENTROPY), ("varentropy", VARENTROPY)):
            name = f"layer_skip_{kind}_threshold"
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise UsageError(f"`{name}` must be 0 or more, but is {value}.")
            given += [name] if value != default else []
        if given and not self.layer_skip:
            raise UsageError(
                f"`{given[0]}` has no effect without `layer_skip`. Set `layer_skip` too, or leave `{given[0]}` out."
            )
        if self.layer_skip and self.max_ar_context is not None:
            raise UsageError("`layer_skip` can't go with `max_ar_context`. Leave one of them out.")
        if self.layer_skip and self.ahead:
            raise UsageError("`layer_skip` can't go with `ahead`. Leave one of them out.")

    @property
    def exits(self) -> EarlyExit | None:
        """When steps of the mode `ar` end early; None for never."""
        if not self.layer_skip:
            return None
        thresholds = self.layer_skip_entropy_threshold, self.layer_skip_varentropy_threshold
        return EarlyExit(self.layer_skip_exit_layer, *thresholds)

    def _check_mode(self) -> None:
        """Raises `UsageError` for options that need the response frame by frame where it isn't made so."""
        drawn_at_once = {"the other codebooks": self.nar}
        if self.mode != "ar":
            drawn_at_once[f"the mode {self.mode}"] = self.unmasking.sampling
            for name, off in _OFF.items():
                if (value := getattr(self, name)) != off:
                    raise UsageError(
                        f"`{name}` must be left out in the mode {self.mode} (it is {value}). Use `--mode ar`."
                    )
        for where, sampling in drawn_at_once.items():
            for sampler, _ in sampling.on:
                if sampler.looks_back:
                    name = sampler.options[0].name
                    raise UsageError(
                        f"`{name}` must be left out for {where} (it is {sampling[name]:g}): its frames are drawn at"
                        " once, and none comes before another. Use `--mode ar`."
                    )

    def _check_beam(self) -> None:
        """Raises `UsageError` for options that contradict beam search."""
        for name in ("refine_on_stop", "layer_skip"):
            if getattr(self, name):
                raise UsageError(f"`{name}` can't go with `beam_width`. Leave one of them out.")
        if self.ahead is not None:
            raise UsageError(
                f"`ahead` must be left out with `beam_width` (it is {self.ahead}): beam search goes step by step."
            )
        if drawing := [sampler.options[0].name for sampler, _ in self.ar.on if not sampler.penalty]:
            raise UsageError(
                f"`{drawing[0]}` can't go with `beam_width`, which draws nothing and takes the likeliest sequence."
                " Leave one of them out."
            )

    def modes(self, num_codebooks: int, *, length_known: bool = False, levels: "Levels" = "sums") -> "tuple[Mode, ...]":
        """Returns the modes that a model must have been trained in.

        Args:
            num_codebooks: Of the model's codec.
            length_known: Whether the number of frames is given, so that `nar-len` and `all` needn't predict it.
            levels: `data.levels` of its training.
        """
        if self.mode == "ar" and levels == "delay":
            return (self.mode,)
        first: tuple[Mode, ...] = (self.mode,) if self.mode == "ar" or length_known else (self.mode, "len")
        return (*first, "nar") if num_codebooks > 1 and self.mode != "all" else first

    def check_levels(self, levels: "Levels") -> None:
        """Raises `UsageError` for what a model with these `data.levels` can't do."""
        if levels != "delay" or self.mode != "ar":
            return
        given = {name: getattr(self, name) for name in ("refine_on_stop", "max_ar_context", "layer_skip", "ahead")}
        if self.beam_width > 1:
            given["beam_width"] = self.beam_width
        for name, value in given.items():
            if value:
                raise UsageError(
                    f"`{name}` must be left out (it is {value}): the model was trained with `data.levels: {levels}`,"
                    " whose steps draw all codebooks."
                )

    @property
    def steps(self) -> int:
        """Passes of the network in the modes `nar-len` and `all`; 0 in `ar`."""
        return STEPS.get(self.mode, 0) and (self.unmasking.steps or STEPS[self.mode])

    def settled(self, trained: "DataConfig", model: Path, built_in: float | None = None) -> "Decoding":
        """Fills in the default guidance for a model.

        Args:
            trained: The section `data` of the model's training.
            model: The model's path, for messages.
            built_in: Scale of the guidance that the model was distilled from; None for none.

        Returns:
            The same settings with a guidance that isn't None.

        Raises:
            UsageError: if guidance is on, but the model was never trained without its condition, or has it built in;
                as `check_levels`.
        """
        self.check_levels(trained.levels)
        if built_in is not None:
            if self.guidance is not None and self.guidance > 1:
                raise UsageError(
                    f"`guidance` must be left out or 1, but is {self.guidance:g}: `{model}` already speaks as with"
                    f" guidance {built_in:g}, in one pass (`distill.guidance`). To choose it, give the model that it"
                    " was distilled from."
                )
            return replace(self, guidance=1.0)
        can_guide = trained.unconditional_probability > 0
        if self.guidance is None:
            return replace(self, guidance=_GUIDANCE[self.mode] if can_guide else 1.0)
        if self.guidance > 1 and not can_guide:
            raise UsageError(
                f"`guidance` must be 1 (off), but is {self.guidance:g}: `{model}` was never trained without text and"
                " prompt. Train it with a `data.unconditional_probability` above 0, such as 0.1."
            )
        return self

    def __str__(self) -> str:
        """Returns the settings of codebook 0 in a line."""
        sampling = self.ar if self.mode == "ar" else self.unmasking.sampling
        steps = f", {self.steps} steps" if self.steps else ""
        shown = self.guidance is not None and (self.mode != "ar" or self.guidance > 1)
        guidance = f", guidance {self.guidance:g}" if shown else ""
        beam = f", beam of {self.beam_width}" if self.beam_width > 1 else ""
        refined = ", refined on stop" if self.refine_on_stop else ""
        context = f", context of {self.max_ar_context} frames" if self.max_ar_context else ""
        exits = f", {self.exits}" if self.exits else ""
        return f"{self.mode}{steps}{guidance}{beam}{refined}{context}{exits}, {sampling}"
