"""The architecture of the network: section `model` of the configuration of `valle train`."""

from typing import Literal, Self, get_args

from pydantic import Field, NonNegativeFloat, model_validator

from stages.config import Config

Arch = Literal["llama", "retnet", "mamba"]
ARCHS: tuple[Arch, ...] = get_args(Arch)


class ModelConfig(Config):
    """The network's shape."""

    arch: Arch = "llama"
    """`llama`: softmax attention; `retnet`: RetNet's retention; `mamba`: Mamba-2's state space. With the last two, cost
    and memory per decoded frame don't grow with the length."""
    width: int = Field(default=1024, ge=8)
    """Features per position."""
    layers: int = Field(default=12, ge=1)
    """Number of blocks."""
    heads: int = Field(default=16, ge=1)
    """Attention heads. `width / heads` is the width of a head and must be even; with `mamba` a head is twice as
    wide."""
    kv_heads: int | None = Field(default=None, ge=1)
    """Key and value heads, for grouped-query attention. Not set: as many as `heads`; only for `llama`."""
    state: int | None = Field(default=None, ge=1)
    """Numbers that `mamba` remembers of each of its `2 * width` features. Not set: 128; only for `mamba`."""
    group: Literal[1, 2, 4] = 1
    """Frames that the mode `ar` reads and predicts per step (grouped codes): 2 halves the steps."""
    ahead: int = Field(default=0, ge=0, le=8)
    """Further heads of the mode `ar`: from the same position, head n predicts the frame (group of frames) n steps after
    the next one. Decoding proposes by them what one pass then checks, and makes the same codes in fewer steps."""
    window: int | None = Field(default=None, ge=1)
    """Frames of the response that a position of the mode `ar` sees, its own included; text, prompt and input stay in
    sight. Then memory and time per decoded frame don't grow with the length. Not set: all. Only for `llama`."""
    feedforward: int = Field(default=4096, ge=8)
    """Inner width of the SwiGLU; with `experts`, of each of them."""
    experts: int = Field(default=1, ge=1, le=256)
    """Feed-forwards of a block, of which a router chooses some for each position (mixture of experts): more weights at
    the same number of operations. 1: a single one, for all positions."""
    experts_per_token: int | None = Field(default=None, ge=1)
    """Experts that each position goes through. Not set: 2; only with `experts` above 1."""
    rope_theta: float = Field(default=10_000.0, gt=0)
    """Base of the rotary position embedding, which `mamba` has none of."""
    text_spacing: Literal["measured", "aligned"] | NonNegativeFloat = 0.0
    """Where the rotary embedding sees phonemes beside the frames that say them: the frames from one to the next, or
    `measured`: as many as each symbol takes in the training set on average. In modes that know the length of the
    response, the text is stretched to it. So a frame's phonemes are near it. `aligned`: in training as many as they
    take in the utterance itself, which is found from codes and text alone; each frame also reads the phoneme that it
    says, in the mode `ar` the one that the next frame says (VALL-E R, arXiv 2406.07855); only with `group` 1. 0:
    phonemes are numbered."""
    initial_codes: Literal["random", "codec"] = "random"
    """What embeddings and heads of the codes of a new model begin with: `codec` takes the vectors of the codec's
    codebooks, mapped at random, so that codes that sound alike begin alike."""
    norm_eps: float = Field(default=1e-6, gt=0)
    """Epsilon of RMSNorm."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout after attention and after the feed-forward."""

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.width % (2 * self.heads):
            raise ValueError(f"`width` ({self.width}) must be an even multiple of `heads` ({self.heads})")
        if self.heads % self.num_kv_heads:
            raise ValueError(f"`heads` ({self.heads}) must be a multiple of `kv_heads` ({self.kv_heads})")
        for key, value, arch in (
            ("kv_heads", None if self.num_kv_heads == self.heads else self.kv_heads, "llama"),
            ("window", self.window, "llama"),
            ("state", self.state, "mamba"),
        ):
            if value is not None and self.arch != arch:
                raise ValueError(f"`{key}` must not be set if `arch` is `{self.arch}`, but is {value}")
        if self.names_said and self.group > 1:
            raise ValueError(f"`text_spacing` must not be `aligned` with `group` {self.group}: use `measured`")
        if self.experts_per_token is not None and self.experts == 1:
            raise ValueError(f"`experts_per_token` ({self.experts_per_token}) needs `experts` above 1")
        if self.active_experts > self.experts:
            raise ValueError(f"`experts_per_token` ({self.active_experts}) must be at most `experts` ({self.experts})")
        return self

    @property
    def even_spacing(self) -> float:
        """`text_spacing` where it is the same for all phonemes, else 0."""
        return 0.0 if isinstance(self.text_spacing, str) else self.text_spacing

    @property
    def names_said(self) -> bool:
        """Whether the frames of a response read the phoneme that they say."""
        return self.text_spacing == "aligned"

    @property
    def num_kv_heads(self) -> int:
        """Number of key and value heads."""
        return self.kv_heads or self.heads

    @property
    def active_experts(self) -> int:
        """Feed-forwards that a position goes through."""
        return 1 if self.experts == 1 else self.experts_per_token or 2

    @property
    def is_recurrent(self) -> bool:
        """Whether decoding keeps a state of fixed size, which can't go back, in place of keys and values."""
        return self.arch != "llama"

    @property
    def state_size(self) -> int:
        """S, the numbers that `mamba` remembers of each feature."""
        return self.state or 128

    @property
    def window_positions(self) -> int | None:
        """`window` in positions, each of which shows a group of frames; None for all."""
        return None if self.window is None else -(-self.window // self.group)

    @property
    def ring(self) -> int | None:
        """Positions of a response that decoding with a window must keep; None without one.

        Beside the window, those are the ones that heads ahead propose, since a wrong proposal must not take the place
        of a position that is still seen.
        """
        return None if self.window_positions is None else self.window_positions + self.ahead

    @property
    def head_width(self) -> int:
        """Features of one head."""
        return self.width // self.heads
