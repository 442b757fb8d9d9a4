"""The configuration of `valle train`: a class per section, and all of them together."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from model.architecture import ModelConfig
from model.sequences.delayed import Levels
from model.sequences.documents import Mode
from model.sequences.tasks import Drawn
from stages.config import Config, runtime

Strategy = Literal["auto", "ddp", "fsdp", "deepspeed"]
Precision = Literal["auto", "32-true", "bf16-mixed", "bf16-true"]


class DataConfig(Config):
    """Which utterances are trained on, and how they become documents and batches."""

    store: str = runtime("dataset")
    """The dataset's folder, as given to `valle-prep --out`. A run identifies its dataset by fingerprint, not by
    path."""
    min_s: float = Field(default=0.5, gt=0)
    """Shortest utterance used, in seconds."""
    max_s: float = Field(default=20.0, gt=0)
    """Longest utterance used, in seconds; by default as long as `slice.max_s` lets them be."""
    text: Literal["phonemes", "characters"] = "phonemes"
    """What the text is read as: the dataset's phonemes, or the characters that it is written in."""
    languages: list[str] | None = None
    """Codes of the languages used. Not set: all."""
    validation: float = Field(default=0.02, ge=0, lt=1)
    """Share of utterances kept for validation, chosen by hash, so that a row's split doesn't depend on other rows."""
    split_by: Literal["utterance", "speaker", "text"] = "utterance"
    """What is hashed for the split. With `speaker`, validation speakers are never heard in training; with `text`, its
    texts are never read there, whatever their case and punctuation."""
    prompt_s: float = Field(default=3.0, gt=0)
    """Longest prompt, in seconds; taken at a random place of another utterance of the speaker."""
    prompt_utterances: int = Field(default=1, ge=1)
    """Most utterances joined into a prompt when one is shorter than `prompt_s`."""
    similar_probability: float = Field(default=0.5, ge=0, le=1)
    """How often the prompt is one of the utterance's neighbours, if `valle-prep similar` has run."""
    continuation_probability: float = Field(default=0.1, ge=0, le=1)
    """How often the prompt is the beginning of the utterance itself (task `tts-c`; used by `valle synth
    --ref-text`). Speakers with a single utterance always use it."""
    join_probability: float = Field(default=0.0, ge=0, lt=1)
    """How often another utterance of the same speaker and language is appended to the response; repeated while they
    fit `max_s` together. Makes long speech from short utterances."""
    sample_by: Literal["utterance", "speaker", "group"] = "utterance"
    """The classes that `temperature` and `order` work on."""
    temperature: float = Field(default=1.0, ge=1)
    """Evens out the classes' shares of an epoch: in proportion to `utterances ** (1 / temperature)`. At 1 each
    utterance comes once per epoch."""
    order: Literal["shuffled", "interleaved"] = "shuffled"
    """`interleaved` spreads each class evenly over the epoch."""
    tasks: dict[Drawn, float] = Field(default={"tts": 1.0})
    """Relative weight of each task: text to speech (`tts`), noise removal (`ns`), noise extraction (`sr`), target
    speaker extraction (`tse`), editing of clean (`cse`) or noisy speech (`nse`), voice conversion (`vc`), text to
    phonemes (`phn`) and back (`un-phn`). `ns`, `sr`, `tse`, `nse` and `vc` need `valle-prep mix`. An utterance that
    can't serve the drawn task is drawn for another."""
    text_dropout: float = Field(default=0.5, ge=0, le=1)
    """How often `ns`, `sr`, `tse` and `vc` are trained without the text."""
    tones: bool = False
    """Whether a token names the speaker's group (the folder above the speaker): a way of speaking, a kind of
    recording. The groups' names join the vocabulary; `valle synth --tone NAME` asks for one."""
    tone_dropout: float = Field(default=0.2, ge=0, le=1)
    """With `tones`: how often the token is left out, so that `--tone` is optional."""
    modes: dict[Mode, float] = Field(default={"ar": 0.5, "nar": 0.5})
    """Relative weight of each mode: `ar` (codebook 0, frame by frame), `nar` (codebook k, drawn with weight K - k),
    `nar-len` (codebook 0, all at once), `all` (all codebooks at once, the first codebooks first), `len` (the number of
    frames), `stt` (phonemes)."""
    levels: Levels = "sums"
    """What predicts the codebooks above the first. `sums`: the mode `nar`, each from the sum of those below. `delay`:
    the mode `ar`, with the first one, codebook k for the frame k steps before (MusicGen); without `nar` and
    `nar-len`. `masks`: the mode `nar`, each from those of its own codes that aren't masked, as `nar-len` the first."""
    unconditional_probability: float = Field(default=0.0, ge=0, le=1)
    """How often text, prompt, input and tone are all left out in `ar`, `nar-len` and `all`, for classifier-free
    guidance; with `levels: masks`, also in `nar`."""
    mask_schedule: Literal["cosine", "fixed"] = "cosine"
    """Share of frames masked in `nar-len`, in `nar` with `levels: masks`, and in the drawn codebook of `all`: `cosine`
    is cos(u pi/2) with u uniform, `fixed` is `mask_ratio`."""
    mask_ratio: float = Field(default=0.8, gt=0, le=1)
    """Share of frames masked with `mask_schedule: fixed`."""
    corrupt: float = Field(default=0.0, ge=0, lt=1)
    """Share of the input codes of `nar`, and of the codebooks below the drawn one in `all`, replaced by random ones,
    since at synthesis these are predictions and aren't perfect."""
    batch_tokens: int = Field(default=16_384, ge=64)
    """Most positions (phonemes, frames and markers) in a batch, padding included."""
    sampler: Literal["packed", "buckets"] = "packed"
    """How utterances are put into batches: `packed` in the order of the epoch, laid end to end without padding;
    `buckets` with others of similar length, padded to the longest."""
    bucket_growth: float = Field(default=1.1, gt=1)
    """With `buckets`: the longest of a bucket's lengths, as a multiple of its shortest. A smaller one leaves less
    padding and mixes fewer utterances."""

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.max_s <= self.min_s:
            raise ValueError(f"`max_s` ({self.max_s}) must be greater than `min_s` ({self.min_s})")
        for name, weights in (("tasks", self.tasks), ("modes", self.modes)):
            if min(weights.values(), default=0) < 0 or not sum(weights.values()):
                raise ValueError(f"`{name}` must have weights of 0 or more, at least one above 0, but has {weights}")
        if self.sample_by == "utterance" and (self.temperature != 1 or self.order == "interleaved"):
            raise ValueError("`temperature` and `order: interleaved` need classes: set `sample_by` to speaker or group")
        return self


class OptimizerConfig(Config):
    """AdamW or Muon, with a linear warm-up and a schedule."""

    matrices: Literal["adamw", "muon"] = "adamw"
    """Optimiser of the blocks' matrices. Embeddings, heads and gains always use AdamW."""
    lr: float = Field(default=1e-4, gt=0)
    """AdamW's peak learning rate, reached after the warm-up."""
    muon_lr: float = Field(default=5e-3, gt=0)
    """Muon's peak learning rate, scaled so that its updates are as large as AdamW's at the same rate."""
    schedule: Literal["cosine", "constant", "wsd"] = "cosine"
    """After the warm-up: `cosine` decay; `constant`; or `wsd` (warm-up, stable, decay): constant, then linear decay
    over the last `decay_share` of the steps."""
    decay_share: float = Field(default=0.2, gt=0, le=1)
    """Share of the steps in which `wsd` decays."""
    min_lr_ratio: float = Field(default=0.1, ge=0, le=1)
    """Learning rate of the last step as a share of the peak; unused with `constant`."""
    warmup_steps: int = Field(default=2000, ge=0)
    """Steps of linear warm-up."""
    betas: tuple[float, float] = Field(default=(0.9, 0.98), strict=False)
    """AdamW's betas."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Weight decay of the matrices; gains and embeddings have none."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Largest gradient norm; larger gradients are scaled down to it."""


class AlignConfig(Config):
    """A head of attention that is taught to follow the text from phoneme to phoneme (forward-sum loss)."""

    weight: float = Field(default=0.0, ge=0, le=1)
    """Weight of its term in the loss; 0: no head is taught."""
    layer: int = Field(default=1, ge=0)
    """Layer of the head, from 0; it is the layer's first."""


class LoraConfig(Config):
    """Low-rank adapters, trained while the network itself stays as it is (needs `trainer.start_from`)."""

    rank: int = Field(default=0, ge=0)
    """Rank of the adapters on all linear layers of the blocks; 0: no adapters, the network itself is trained."""
    alpha: int | None = Field(default=None, gt=0)
    """The adapters' output is scaled by `alpha / rank`. Not set: equal to `rank`."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of the adapters' inputs."""
    embeddings: bool = False
    """Whether to also train the embeddings and the heads; needed for a new language."""


class AheadConfig(Config):
    """How the heads of `model.ahead` are trained."""

    weight: float = Field(default=0.2, gt=0, le=1)
    """Weight of their terms in the loss; that of head n is multiplied by 0.8 ** n."""
    only: bool = False
    """Train nothing but these heads, on the mode `ar`: the model of `trainer.start_from` stays as it is."""


class DistillConfig(Config):
    """A trained model, the teacher, that the run learns from beside the dataset's codes (knowledge distillation)."""

    teacher: str | None = None
    """The teacher's run, checkpoint or exported file; not set: no distillation. It must have the same codec,
    vocabulary, `model.group` and `model.text_spacing`; its size may differ. Where the latter is measured, a new model
    takes the teacher's measures."""
    weight: float = Field(default=0.5, gt=0, le=1)
    """Weight of the teacher's term in the loss; the term of the codes has the rest."""
    temperature: float = Field(default=2.0, gt=0)
    """Divides the logits of both, so that the teacher's unlikely codes count too."""
    guidance: float = Field(default=1.0, ge=1)
    """Above 1: learn to speak in one pass as the teacher does in two, with classifier-free guidance of this scale
    (`--guidance`), which is then built in. Needs `weight` 1, a mode that can be guided (`ar`, `nar-len`, `all`), and a
    teacher trained with `data.unconditional_probability`."""
    rescale: float = Field(default=0.75, ge=0, le=1)
    """With `guidance`, in `nar-len` and `all`: how far guided logits are scaled back to the spread of the conditional
    ones, as decoding does."""


class TrainerConfig(Config):
    """How long, how and where to train."""

    out: str = runtime("runs/base")
    """Folder of the run: logs and checkpoints."""
    start_from: str | None = runtime(None)
    """For fine-tuning: the run, checkpoint or exported file whose weights and vocabulary a new run starts from.
    Missing symbols, languages and tones are added. The section `model` must be the same, but for `ahead`: heads that
    the model lacks begin anew."""
    max_steps: int = Field(default=200_000, ge=1)
    """Updates in total; the learning-rate schedule ends here."""
    seed: int = Field(default=0, ge=0)
    """Seed of the weights, the order of the data and every random draw."""
    accumulate: int = Field(default=1, ge=1)
    """Packed batches per update and device."""
    devices: int = runtime(1, ge=1)
    """Processes that train together: one per GPU, or on the CPU one per few cores. Each has its own batches. Half
    the devices with twice the `accumulate` give the same run. Under `torchrun`: as many as it starts."""
    strategy: Strategy = runtime("auto")
    """`ddp`: every process holds all weights (`auto` takes it for more than one); `fsdp`: weights, gradients and
    moments are sharded, for models that don't fit one GPU; `deepspeed`: ZeRO stage 2, gradients and moments are
    sharded (needs the package and CUDA). A checkpoint opens under all of them."""
    activation_checkpointing: bool = runtime(False)
    """Recompute the activations inside each block in the backward pass: a fraction of the memory for a third more
    time; the gradients stay the same."""
    fit_gb: float | None = runtime(None, ge=0)
    """Memory per device to fit into, in gigabytes; `auto` (0): what is free. Batches are worked through in parts and,
    where that isn't enough, activations computed again, so that every update stays the same. Not set: whole
    batches."""
    compile: bool = runtime(False)
    """Compile the blocks with `torch.compile` (all but attention), once for all lengths. Pays off on a GPU after
    some hundreds of steps; the first ones take a minute. Needs a C++ compiler on the CPU."""
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    """Decay per step of the moving average of the weights; 0: none. Validation, `valle synth` and `valle export`
    then use the average; the weights themselves are kept for resuming."""
    precision: Precision = "auto"
    """`auto`: bf16-mixed on devices that multiply in bfloat16 (CUDA from Ampere on, newer CPUs), else 32-true."""
    device: str = runtime("auto")
    """`auto`, `cpu`, `cuda` or, for a single device, `cuda:N`."""
    threads: int | None = runtime(None, ge=1)
    """CPU threads of PyTorch. Not set: one per core."""
    validate_every: int = runtime(1000, ge=1)
    """Steps between two validations."""
    validate_batches: int = runtime(20, ge=1)
    """Most batches of one validation."""
    samples: int = runtime(0, ge=0)
    """Utterances spoken at each validation, to `<out>/samples` and TensorBoard, with pictures of the attention to their
    text; needs the codec's weights."""
    judge: str | None = runtime(None)
    """A whisper model that hears the `samples`, for their word error rate (`validation/wer`): a folder, a name in the
    cache, or `packaged` (English, the extra `hearing`). Not set: nobody does."""
    save_every: int = runtime(1000, ge=1)
    """Steps between two checkpoints."""
    keep: int = runtime(3, ge=1)
    """Number of newest checkpoints kept."""
    keep_best: int = runtime(1, ge=0)
    """Number of best checkpoints (by validation loss) kept beside them. A new best is saved at once; the best is
    `<out>/best` for `valle synth --model`."""
    max_skips: int = runtime(3, ge=0)
    """Most steps in a row skipped because the gradient isn't finite; one more ends the run."""
    log_every: int = runtime(20, ge=1)
    """Steps between two lines of the log."""

    @field_validator("fit_gb", mode="before")
    @classmethod
    def _read_auto(cls, value: Any) -> Any:
        return 0.0 if value == "auto" else value


class TrainConfig(Config):
    """All sections."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    ahead: AheadConfig = AheadConfig()
    align: AlignConfig = AlignConfig()
    lora: LoraConfig = LoraConfig()
    distill: DistillConfig = DistillConfig()
    trainer: TrainerConfig = TrainerConfig()

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.lora.rank and self.trainer.start_from is None:
            raise ValueError("`lora.rank` needs a model to adapt: set `trainer.start_from` to a run or checkpoint")
        if self.trainer.judge and not self.trainer.samples:
            raise ValueError("`trainer.judge` hears the samples: set `trainer.samples` above 0")
        if self.data.sampler == "buckets" and self.model.experts > 1:
            raise ValueError(
                "`data.sampler` = buckets doesn't go with `model.experts`: padding would count as work of the experts,"
                " which are to be kept equally busy. Take `packed`"
            )
        self._check_ahead()
        self._check_guidance()
        self._check_align()
        self._check_levels()
        if self.trainer.strategy == "deepspeed":
            self._check_deepspeed()
        if self.trainer.fit_gb is not None and self.trainer.strategy in {"fsdp", "deepspeed"}:
            raise ValueError(
                f"`trainer.fit_gb` doesn't go with `trainer.strategy` = {self.trainer.strategy}, whose processes must"
                " work through as many batches each: leave one of them out"
            )
        return self

    def _check_ahead(self) -> None:
        if self.model.ahead and self.trainer.start_from is None and not self.data.modes.get("ar"):
            raise ValueError("`model.ahead` needs the mode `ar`: give it a weight in `data.modes`, or leave it out")
        if not self.ahead.only:
            return
        needed = {
            "`model.ahead` above 0": self.model.ahead > 0,
            "a model to start from, `trainer.start_from`": self.trainer.start_from is not None,
            "the mode `ar` in `data.modes`": bool(self.data.modes.get("ar")),
            "`lora.rank` = 0": not self.lora.rank,
            "`distill.teacher` not set": self.distill.teacher is None,
        }
        for what, is_so in needed.items():
            if not is_so:
                raise ValueError(f"`ahead.only` needs {what}")

    def _check_guidance(self) -> None:
        if self.distill.guidance == 1:
            return
        modes = self.data.modes
        needed = {
            "`distill.teacher`": self.distill.teacher is not None,
            "`distill.weight` = 1, since the codes aren't guided": self.distill.weight == 1,
            "one of the modes `ar`, `nar-len`, `all`": bool(
                modes.get("ar") or modes.get("nar-len") or modes.get("all")
            ),
        }
        for what, is_so in needed.items():
            if not is_so:
                raise ValueError(f"`distill.guidance` above 1 needs {what}")

    def _check_align(self) -> None:
        if not self.align.weight:
            return
        if self.align.layer >= self.model.layers:
            raise ValueError(
                f"`align.layer` must be below the number of layers ({self.model.layers}), but is {self.align.layer}"
            )
        if self.model.arch != "llama" or self.model.window is not None:
            raise ValueError(
                "`align.weight` needs softmax attention to the whole text: `model.arch: llama` without `model.window`"
            )
        if self.data.sampler != "packed":
            raise ValueError(f"`align.weight` needs `data.sampler: packed`, but it is `{self.data.sampler}`")

    def _check_levels(self) -> None:
        if self.data.levels == "sums":
            return
        modes = self.data.modes
        own = {
            "the mode `nar`, which learns the codebooks above the first": bool(modes.get("nar")),
            "`data.corrupt` = 0, since `nar` is shown no lower codebooks": not self.data.corrupt
            or bool(modes.get("all")),
        }
        joint = {
            "the mode `ar`": bool(modes.get("ar")),
            "`data.modes` without `nar`, since `ar` predicts all codebooks": not modes.get("nar"),
            "`data.modes` without `nar-len`, which predicts the first codebook alone": not modes.get("nar-len"),
            "`model.group` = 1": self.model.group == 1,
            "`model.ahead` = 0, since heads ahead predict the first codebook alone": not self.model.ahead,
        }
        needed = joint if self.data.levels == "delay" else own
        needed["`distill.guidance` = 1"] = self.distill.guidance == 1
        for what, is_so in needed.items():
            if not is_so:
                raise ValueError(f"`data.levels` = {self.data.levels} needs {what}")

    def _check_deepspeed(self) -> None:
        unsupported = {
            "`optimizer.matrices` = muon": self.optimizer.matrices == "muon",
            "`trainer.precision` = bf16-true": self.trainer.precision == "bf16-true",
            "`lora.rank`": self.lora.rank > 0,
            "`ahead.only`": self.ahead.only,
        }
        for setting, is_set in unsupported.items():
            if is_set:
                raise ValueError(f"`trainer.strategy` = deepspeed doesn't go with {setting}: use `ddp` or `fsdp`")

    def differences(self, other: "TrainConfig") -> list[str]:
        """Returns `section.key: here -> other` for each differing parameter that affects the result."""
        found = []
        for section in type(self).model_fields:
            mine, theirs = getattr(self, section).identity(), getattr(other, section).identity()
            found += [
                f"`{section}.{key}`: {value!r} -> {theirs[key]!r}"
                for key, value in mine.items()
                if value != theirs[key]
            ]
        return found
