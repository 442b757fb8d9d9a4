"""What `valle train` is told, by sections: `model`, `data`, `optimizer`, `lora`, `distill`, `trainer`."""

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from model.documents import Mode
from model.tasks import Drawn
from stages.config import Config, runtime

Arch = Literal["llama", "retnet"]
ARCHS: tuple[Arch, ...] = get_args(Arch)
Strategy = Literal["auto", "ddp", "fsdp", "deepspeed"]
Precision = Literal["auto", "32-true", "bf16-mixed", "bf16-true"]


class ModelConfig(Config):
    """The network's shape."""

    arch: Arch = "llama"
    """What mixes the positions: softmax attention, or RetNet's retention, which decodes at a cost and from a memory
    that don't grow with the length."""
    width: int = Field(default=1024, ge=8)
    """Features per position."""
    layers: int = Field(default=12, ge=1)
    """Number of blocks."""
    heads: int = Field(default=16, ge=1)
    """Attention heads; `width / heads` is a head's width and must be even."""
    kv_heads: int | None = Field(default=None, ge=1)
    """Heads of keys and values, for grouped-query attention; as many as `heads` if not given, and with `retnet`."""
    group: Literal[1, 2, 4] = 1
    """Frames that the mode `ar` reads and predicts at a time (grouped codes): with 2 it speaks in half the steps."""
    feedforward: int = Field(default=4096, ge=8)
    """Inner features of the SwiGLU."""
    rope_theta: float = Field(default=10_000.0, gt=0)
    """Base of the rotary positions' wavelengths, in positions."""
    norm_eps: float = Field(default=1e-6, gt=0)
    """Added to the mean square in RMSNorm."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of features dropped after attention and after the feed-forward while training."""

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.width % (2 * self.heads):
            raise ValueError(f"`width` ({self.width}) must be an even multiple of `heads` ({self.heads})")
        if self.heads % self.num_kv_heads:
            raise ValueError(f"`heads` ({self.heads}) must be a multiple of `kv_heads` ({self.kv_heads})")
        if self.arch == "retnet" and self.num_kv_heads != self.heads:
            raise ValueError(f"`kv_heads` must be left out where `arch` is `retnet`, but is {self.kv_heads}")
        return self

    @property
    def num_kv_heads(self) -> int:
        """Heads of keys and values."""
        return self.kv_heads or self.heads

    @property
    def head_width(self) -> int:
        """Features of one head."""
        return self.width // self.heads


class DataConfig(Config):
    """Which utterances are trained on, and how they become documents and batches."""

    store: str = runtime("dataset")
    """Folder of the dataset, as `valle-prep --out` named it; a run knows its dataset by fingerprint, not by path."""
    min_s: float = Field(default=0.5, gt=0)
    """Shortest utterance used, in seconds."""
    max_s: float = Field(default=16.0, gt=0)
    """Longest utterance used, in seconds."""
    languages: list[str] | None = None
    """Codes of the languages used; all of them if not given."""
    validation: float = Field(default=0.02, ge=0, lt=1)
    """Share kept for validation, chosen by hash, so that it never depends on the other rows."""
    split_by: Literal["utterance", "speaker"] = "utterance"
    """What the hash is taken of: with `speaker`, validation speakers are never heard in training."""
    prompt_s: float = Field(default=3.0, gt=0)
    """Longest prompt, in seconds; taken at a random place of another utterance of the speaker."""
    prompt_utterances: int = Field(default=1, ge=1)
    """Most utterances that are joined to a prompt where one is shorter than `prompt_s`."""
    similar_probability: float = Field(default=0.5, ge=0, le=1)
    """How often the prompt comes from one of the utterance's neighbours, where `valle-prep similar` has run."""
    continuation_probability: float = Field(default=0.1, ge=0, le=1)
    """How often the prompt is the utterance's own beginning (task `tts-c`, what a prompt with its text uses); the
    only kind for a speaker of one utterance."""
    join_probability: float = Field(default=0.0, ge=0, lt=1)
    """How often another utterance of the speaker and language follows in the response, and another after that, as long
    as they fit `max_s` together: long speech from short utterances."""
    sample_by: Literal["utterance", "speaker", "group"] = "utterance"
    """The classes of `temperature` and `order`."""
    temperature: float = Field(default=1.0, ge=1)
    """How much the classes' shares of an epoch are evened out: in proportion to `utterances ** (1 / temperature)`. At 1
    each utterance comes once an epoch."""
    order: Literal["shuffled", "interleaved"] = "shuffled"
    """`interleaved` spreads each class evenly over the epoch."""
    tasks: dict[Drawn, float] = Field(default={"tts": 1.0})
    """How often, relative to each other, speech is made of: text (`tts`), noisy speech (`ns`; `sr` asks for the noise),
    speech under that of another speaker (`tse`), speech of which a part is to be replaced (`cse`; `nse` under noise),
    the same words in another voice (`vc`). Those but `tts` and `cse` need what `valle-prep mix` makes; an utterance
    that a task can't be made of is drawn for another."""
    text_dropout: float = Field(default=0.5, ge=0, le=1)
    """How often `ns`, `sr`, `tse` and `vc` go without the text."""
    tones: bool = False
    """Whether a token tells the speaker's group, the folder above: a way of speaking, a kind of recording. The groups'
    names become a part of the model's vocabulary; `valle synth --tone NAME` asks for one."""
    tone_dropout: float = Field(default=0.2, ge=0, le=1)
    """With `tones`: how often it isn't told, so that `--tone` may be left out."""
    modes: dict[Mode, float] = Field(default={"ar": 0.5, "nar": 0.5})
    """How often, relative to each other, an utterance is learnt as `ar` (codebook 0, frame by frame), `nar` (codebook
    k, drawn with weight K - k), `nar-len` (codebook 0, all at once), `len` (number of frames), `stt` (phonemes)."""
    unconditional_probability: float = Field(default=0.0, ge=0, le=1)
    """How often text, prompt, input and tone are left out in `ar` and `nar-len`, for classifier-free guidance."""
    mask_schedule: Literal["cosine", "fixed"] = "cosine"
    """Share of frames masked in `nar-len`: cos(u pi/2) with u uniform, or always `mask_ratio`."""
    mask_ratio: float = Field(default=0.8, gt=0, le=1)
    """Share of frames masked with the schedule `fixed`."""
    corrupt: float = Field(default=0.0, ge=0, lt=1)
    """Share of the codes shown in `nar` that are replaced by random ones, since the codes of `ar` aren't perfect."""
    batch_tokens: int = Field(default=16_384, ge=64)
    """Most positions (phonemes, frames and markers) in a packed batch."""

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.max_s <= self.min_s:
            raise ValueError(f"`max_s` ({self.max_s}) must be greater than `min_s` ({self.min_s})")
        for name, weights in (("tasks", self.tasks), ("modes", self.modes)):
            if min(weights.values(), default=0) < 0 or not sum(weights.values()):
                raise ValueError(f"`{name}` must hold weights of 0 or more, one of them above 0, but holds {weights}")
        if self.sample_by == "utterance" and (self.temperature != 1 or self.order == "interleaved"):
            raise ValueError("`temperature` and `order: interleaved` need classes: set `sample_by` to speaker or group")
        return self


class OptimizerConfig(Config):
    """AdamW or Muon, with a linear warm-up and a schedule."""

    matrices: Literal["adamw", "muon"] = "adamw"
    """What updates the matrices of the blocks; AdamW always updates embeddings, heads and gains."""
    lr: float = Field(default=1e-4, gt=0)
    """AdamW's highest learning rate, reached after the warm-up."""
    muon_lr: float = Field(default=5e-3, gt=0)
    """Muon's highest learning rate, scaled so that its updates are as large as AdamW's at the same rate."""
    schedule: Literal["cosine", "constant", "wsd"] = "cosine"
    """After the warm-up: down along a cosine; constant; or constant and in the last `decay_share` of the steps straight
    down (warm-up, stable, decay)."""
    decay_share: float = Field(default=0.2, gt=0, le=1)
    """Share of the steps in which `wsd` decays."""
    min_lr_ratio: float = Field(default=0.1, ge=0, le=1)
    """Learning rate at the last step, as a share of the highest; unless constant."""
    warmup_steps: int = Field(default=2000, ge=0)
    """Steps of linear warm-up."""
    betas: tuple[float, float] = Field(default=(0.9, 0.98), strict=False)
    """Decay of AdamW's first and second moment per step."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Of the matrices; gains and embeddings aren't decayed."""
    clip_norm: float = Field(default=1.0, gt=0)
    """The gradient's norm is scaled down to this."""


class LoraConfig(Config):
    """Low-rank adapters: what is trained when the network itself stays as it is (needs `trainer.start_from`)."""

    rank: int = Field(default=0, ge=0)
    """Of the adapters on all linear maps of the blocks; 0 trains the network itself."""
    alpha: int | None = Field(default=None, gt=0)
    """The adapters' output is scaled by `alpha / rank`; as large as `rank` if not given."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the adapters' inputs dropped while training."""
    embeddings: bool = False
    """Whether the tables of tokens and codes and the heads are trained too: for a new language."""


class DistillConfig(Config):
    """A trained model, the teacher, that the run learns from beside the dataset's codes (knowledge distillation)."""

    teacher: str | None = None
    """Its run, checkpoint or exported file; none if not given. It must have the same codec, vocabulary and
    `model.group`; all else may differ, as its size."""
    weight: float = Field(default=0.5, gt=0, le=1)
    """Of what the teacher says in the loss; that of the codes is the rest."""
    temperature: float = Field(default=2.0, gt=0)
    """Divides the logits of both, so that what the teacher holds for unlikely counts too."""


class TrainerConfig(Config):
    """How long, how and where to train."""

    out: str = runtime("runs/base")
    """Folder of the run: logs and checkpoints."""
    start_from: str | None = runtime(None)
    """For fine-tuning: the run, checkpoint or exported file whose weights and vocabulary a new run takes over. Symbols,
    languages and tones that it doesn't know are added. The section `model` must be the same."""
    max_steps: int = Field(default=200_000, ge=1)
    """Updates in all; the cosine ends here."""
    seed: int = Field(default=0, ge=0)
    """Of the weights, the order of the data and every draw."""
    accumulate: int = Field(default=1, ge=1)
    """Packed batches per update and device."""
    devices: int = runtime(1, ge=1)
    """Processes that train together, one a GPU or, on the CPU, one a few cores; each has its own batches. Half the
    devices with twice the `accumulate` give the same run. Under `torchrun`, as many as it starts."""
    strategy: Strategy = runtime("auto")
    """How they do: `ddp` (each holds all weights; what `auto` takes for more than one), `fsdp` (each holds a part of
    the weights, gradients and moments; for what doesn't fit one GPU) or `deepspeed` (each holds a part of the gradients
    and moments: ZeRO's stage 2; needs that package, and CUDA). A checkpoint opens under all of them."""
    activation_checkpointing: bool = runtime(False)
    """Keep only what goes into each block and compute the rest again for the gradient: a fraction of the memory for a
    third more time; the gradients stay the same."""
    compile: bool = runtime(False)
    """Compile the blocks with `torch.compile`, around attention, for all lengths at once. It pays on a GPU, from some
    hundreds of steps on; the first ones take a minute. Needs a C++ compiler on the CPU."""
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    """Of the moving average of the weights, per step; 0 for none. With it, validation, `valle synth` and `valle export`
    take the average; the weights themselves are kept beside, for going on."""
    precision: Precision = "auto"
    """`auto` is bf16-mixed on devices that multiply in bfloat16 (CUDA from Ampere on, newer CPUs), else 32-true."""
    device: str = runtime("auto")
    """`auto`, `cpu`, `cuda` or, for a single device, `cuda:N`."""
    threads: int | None = runtime(None, ge=1)
    """CPU threads of PyTorch; as many as there are cores if not given."""
    validate_every: int = runtime(1000, ge=1)
    """Steps between two validations."""
    validate_batches: int = runtime(20, ge=1)
    """Most batches of one validation."""
    samples: int = runtime(0, ge=0)
    """Utterances that each validation speaks, to `<out>/samples` and TensorBoard; needs the codec's weights."""
    save_every: int = runtime(1000, ge=1)
    """Steps between two checkpoints."""
    keep: int = runtime(3, ge=1)
    """Checkpoints kept: the newest."""
    keep_best: int = runtime(1, ge=0)
    """Checkpoints kept beside these: those that validated best. One that validates better than they is saved at once;
    the best is `<out>/best` for `valle synth --model`."""
    max_skips: int = runtime(3, ge=0)
    """Steps in a row that may be skipped because the gradient isn't finite; one more ends the run."""
    log_every: int = runtime(20, ge=1)
    """Steps between two lines of the log."""


class TrainConfig(Config):
    """All sections."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    lora: LoraConfig = LoraConfig()
    distill: DistillConfig = DistillConfig()
    trainer: TrainerConfig = TrainerConfig()

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.lora.rank and self.trainer.start_from is None:
            raise ValueError("`lora.rank` needs a model to adapt: set `trainer.start_from` to a run or checkpoint")
        if self.trainer.strategy == "deepspeed":
            self._check_deepspeed()
        return self

    def _check_deepspeed(self) -> None:
        refused = {
            "`optimizer.matrices` = muon": self.optimizer.matrices == "muon",
            "`trainer.precision` = bf16-true": self.trainer.precision == "bf16-true",
            "`lora.rank`": self.lora.rank > 0,
        }
        for what, asked in refused.items():
            if asked:
                raise ValueError(f"`trainer.strategy` = deepspeed doesn't go with {what}: take `ddp` or `fsdp`")

    def differences(self, other: "TrainConfig") -> list[str]:
        """Returns `section.key: here -> other` for each parameter that decides the result and isn't the same."""
        found = []
        for section in type(self).model_fields:
            mine, theirs = getattr(self, section).identity(), getattr(other, section).identity()
            found += [
                f"`{section}.{key}`: {value!r} -> {theirs[key]!r}"
                for key, value in mine.items()
                if value != theirs[key]
            ]
        return found
