"""The network: one decoder for the autoregressive and the non-autoregressive part of VALL-E.

`model.sequences.documents` lays out the sequences; `model.network.attention` and `model.network.cache` define which
positions may attend to which. The network only maps tensors to logits: it has no state and no randomness (except
dropout in training), and doesn't guess a mode.

Sources: VALL-E (Wang et al., 2023), section 4, https://arxiv.org/abs/2301.02111: an AR model for codebook 0 and a NAR
model for the others, both conditioned on phonemes and on an acoustic prompt with summed codebooks. VALL-E uses two
networks and adaptive layer norm for the NAR stages. Here one network does both, with a token for the level, because
both tasks share what they learn about text and voice. The blocks are pre-norm with RMSNorm, RoPE and SwiGLU as in Llama
(https://arxiv.org/abs/2302.13971), or with RetNet's retention or Mamba-2's state space in place of attention
(`model.network.layers`).

Axes: ... any leading axes, L positions, K codebooks, G frames of a group, C = K + G - 1 columns of codes, M predicted
positions, D width, V codes.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from model.architecture import ModelConfig
from model.network.attention import Attend
from model.network.feedforward import Experts
from model.network.layers import Ahead, Block, RMSNorm, rotary_angles
from model.network.ssm import Scan
from model.sequences.delayed import Levels
from model.sequences.heads import codebook_of_all, num_heads

INIT_STD = 0.02
"""Standard deviation of new weights."""


class Decoder(nn.Module):
    """Token and code embeddings, blocks, a head for each codebook and one for tokens.

    Args:
        config: Section `model`.
        num_tokens: Length of the tokenizer's vocabulary.
        num_codebooks: K of the codec.
        codebook_size: V of the codec. Head 0 has one more output, the stop code; with groups it has V + 1 outputs for
            each frame of a group. The heads ahead (`config.ahead`) use its matrix.
    """

    def __init__(self, config: ModelConfig, num_tokens: int, num_codebooks: int, codebook_size: int) -> None:
        super().__init__()
        self.config = config
        self.codebook_size = codebook_size
        self.num_codebooks = num_codebooks
        self.levels: Levels = "sums"
        """`data.levels`: what predicts the codebooks above the first."""
        self.token_embedding = nn.Embedding(num_tokens, config.width)
        # One table for all codebooks, plus codebook 0 again for each further frame of a group, summed in one pass. Its
        # last row is for an absent code and stays zero. VALL-E 2 concatenates a group's embeddings and projects them,
        # which is also a sum of one vector for each code and place in the group.
        columns = num_codebooks + config.group - 1
        self.num_code_rows = columns * codebook_size
        # After the codes come the symbols that frames say (`ModelConfig.names_said`).
        self.absent = self.num_code_rows + (num_tokens if config.names_said else 0)
        self.code_embedding = nn.EmbeddingBag(self.absent + 1, config.width, mode="sum", padding_idx=self.absent)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, config.norm_eps)
        sizes = [config.group * (codebook_size + 1), *([codebook_size] * (num_codebooks - 1)), num_tokens]
        self.heads = nn.ModuleList(nn.Linear(config.width, size, bias=False) for size in sizes)
        self.ahead = nn.ModuleList(Ahead(config.width) for _ in range(config.ahead))
        self.rows_before_C: Tensor
        rows_before_C = torch.arange(columns + config.names_said) * codebook_size
        self.register_buffer("rows_before_C", rows_before_C, persistent=False)

    def initialise(self, generator: torch.Generator) -> None:
        """Draws new normal weights; layers that write to the residual stream are scaled down by the depth (GPT-2)."""
        residual_std = INIT_STD / (2 * self.config.layers) ** 0.5
        for name, weight in self.named_parameters():
            if weight.dim() > 1 and not name.startswith("ahead."):
                writes_residual = name.endswith(("attention.out.weight", ".down.weight"))
                nn.init.normal_(weight, std=residual_std if writes_residual else INIT_STD, generator=generator)
        for part in self.blocks.modules():
            if isinstance(part, Scan):
                part.initialise(generator)
        with torch.no_grad():
            self.code_embedding.weight[self.absent] = 0
        self.initialise_ahead(generator)

    def initialise_codes(self, vectors_KVE: Tensor, generator: torch.Generator) -> None:
        """Draws new weights for the codes from the vectors that they stand for in the codec.

        Codes that sound alike then look alike, and what is learnt of one holds for the others. The vectors of all
        codebooks are mapped by one random matrix, so that the sum of a frame's embeddings is the codec's sum. The rows
        of a codebook's head point the same way.

        Args:
            vectors_KVE: The codec's codebooks, E features each.
            generator: Of the random matrix.
        """
        vectors_KVE = vectors_KVE.float()
        features, size = vectors_KVE.shape[2], self.codebook_size
        map_ED = torch.randn(features, self.config.width, generator=generator) * features**-0.5
        mapped_KVD = vectors_KVE @ map_ED
        mapped_KVD *= INIT_STD / mapped_KVD[0].std()
        columns = [*range(self.num_codebooks), *([0] * (self.config.group - 1))]
        with torch.no_grad():
            self.code_embedding.weight[: self.num_code_rows] += mapped_KVD[columns].flatten(0, 1)
            for codebook, rows_VD in enumerate(F.normalize(mapped_KVD, dim=-1) * INIT_STD * self.config.width**0.5):
                head = self.heads[codebook].get_parameter("weight")
                places = self.config.group if codebook == 0 else 1
                head.view(places, -1, self.config.width)[:, :size] += rows_VD

    def initialise_ahead(self, generator: torch.Generator) -> None:
        """Draws new weights of the heads ahead; at first, each predicts what head 0 does."""
        for name, weight in self.ahead.named_parameters():
            if name.endswith("up.weight"):
                nn.init.normal_(weight, std=INIT_STD, generator=generator)
            else:
                nn.init.zeros_(weight)

    def train_only_ahead(self) -> None:
        """Freezes all but the heads ahead, and drops nothing: they learn from what the network makes when it speaks."""
        self.requires_grad_(False)
        self.ahead.requires_grad_(True)
        for part in self.blocks.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0

    def embed(self, tokens: Tensor, codes: Tensor) -> Tensor:
        """Returns the input embeddings `[..., L, D]`: the token's plus those of the known codes.

        Args:
            tokens: Token ids `[..., L]`.
            codes: `[..., L, K]`, or `[..., L, C]` with grouped codes; negative where a code is unknown. With
                `text_spacing: aligned`, column K may have the ids of the symbols that frames say.
        """
        rows = torch.where(codes < 0, self.absent, codes + self.rows_before_C[: codes.shape[-1]])
        summed = self.code_embedding(rows.flatten(0, -2)).unflatten(0, tokens.shape)
        embedded: Tensor = self.token_embedding(tokens) + summed
        return embedded

    def hidden(self, tokens: Tensor, codes: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Returns the normalised output of the last layer, `[..., L, D]`.

        Args:
            tokens: Token ids `[..., L]`.
            codes: As in `embed`.
            positions: `[..., L]`, for the rotary embedding.
            attend: Attention or what replaces it.
        """
        return self.read(self.embed(tokens, codes), positions, attend)

    def read(self, embedded: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Returns the normalised output of the last layer, `[..., L, D]`, for input embeddings.

        Args:
            embedded: As `embed` returns them, `[..., L, D]`.
            positions: As in `hidden`.
            attend: As in `hidden`.
        """
        x = embedded
        angles = rotary_angles(positions, self.config.head_width, self.config.rope_theta)
        for layer, block in enumerate(self.blocks):
            x = block(x, angles, layer, attend)
        out: Tensor = self.norm(x)
        return out

    def logits(self, hidden: Tensor, head: int) -> Tensor:
        """Computes the float32 logits of a head (see `Document.head`).

        Args:
            hidden: `[..., D]`.
            head: The head's number.

        Returns:
            `[..., V]`. V is the codebook's size, one more (the stop code) for codebook 0 but in the mode all, and the
            vocabulary's size for tokens. With grouped codes, `[M, D]` gives `[M * G, V]`, group after group.
        """
        if head >= num_heads(self.num_codebooks):
            return self.logits(self.ahead[head - num_heads(self.num_codebooks)](hidden), 0)
        on_canvas = head == self.num_codebooks + 1
        codebook = codebook_of_all(self.num_codebooks, head)
        if codebook is not None:  # the length is known, so there is no stop code
            shared: Tensor = self.heads[codebook](hidden)
            return shared[..., : self.codebook_size].float()
        logits: Tensor = self.heads[0 if on_canvas else head](hidden).float()
        if on_canvas:
            return logits[..., : self.codebook_size + 1]
        if head == 0 and self.config.group > 1:
            return logits.view(*hidden.shape[:-2], -1, self.codebook_size + 1)
        return logits

    def forward(
        self, tokens: Tensor, codes: Tensor, positions: Tensor, attend: Attend, rows: Sequence[Tensor]
    ) -> list[Tensor]:
        """Computes each head's logits at the positions where it predicts.

        Args:
            tokens: As in `hidden`.
            codes: As in `hidden`.
            positions: As in `hidden`.
            attend: As in `hidden`.
            rows: For each head, the positions where it predicts, `[M]`, as indices into the flattened leading axes.

        Returns:
            3K + 1 float32 tensors `[M, V]`, and one for each head ahead; M may be 0. With grouped codes, head 0 and
            those ahead give `[M * G, V]`.
        """
        flat = self.hidden(tokens, codes, positions, attend).flatten(0, -2)
        return [self.logits(flat[at], head) for head, at in enumerate(rows)]

    def experts(self) -> dict[str, Experts]:
        """Returns the mixtures of experts, by their names, from the first block to the last."""
        return {name: part for name, part in self.named_modules() if isinstance(part, Experts)}

    def loads(self) -> Tensor | None:
        """Returns how often each expert was chosen in the last pass in training, `[layers, E]`; None without any."""
        loads = [part.load_E for part in self.experts().values() if part.load_E is not None]
        return torch.stack(loads) if loads else None

    def lifts(self) -> dict[str, Tensor]:
        """Returns the experts' biases (`Experts`) by name: what a checkpoint has beside the parameters."""
        return {f"{name}.lifts_E": part.lifts_E for name, part in self.experts().items()}

    def rounded(self, dtype: torch.dtype) -> "Decoder":
        """Changes the dtype of the weights, in place, but for the few that every other number hangs on; returns itself.

        These say which experts are chosen, how wide a state's steps are and how fast it forgets: rounded, they would
        choose others, and a little more of the state would be lost or kept at each of many positions.
        """
        exact = [weight for part in self.modules() if isinstance(part, Experts | Scan) for weight in part.exact()]
        held = [weight.detach() for weight in exact]
        self.to(dtype)
        for weight, value in zip(exact, held, strict=True):
            weight.data = value
        return self

    def num_parameters(self, *, trained: bool = False) -> int:
        """Returns the number of parameters, or of those that are `trained`: with adapters, few of them."""
        return sum(weight.numel() for weight in self.parameters() if weight.requires_grad or not trained)

    def num_active(self) -> int:
        """Returns the number of parameters that one position goes through: all but those of experts not chosen."""
        idle = self.config.experts - self.config.active_experts
        each = [sum(weight.numel() for weight in part.experts[0].parameters()) for part in self.experts().values()]
        return self.num_parameters() - idle * sum(each)
