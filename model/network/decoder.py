"""The network: one decoder for the autoregressive and the non-autoregressive part of VALL-E.

`model.sequences.documents` says how sequences are laid out; `model.network.attention` and `model.network.cache` say who may look at whom. The
network only maps tensors to logits: it holds no state, draws nothing (but dropout in training) and guesses no mode.

Sources: VALL-E (Wang et al., 2023), section 4, https://arxiv.org/abs/2301.02111: an AR model of codebook 0 and a NAR
model of the others on phonemes and an acoustic prompt whose codebooks are summed. It gives each its own network and
tells the NAR stages apart by adaptive layer norm; here one network does both and is told the level by a token, since
the two tasks share what they know of text and voice. Pre-norm blocks with RMSNorm, RoPE and SwiGLU as in Llama
(https://arxiv.org/abs/2302.13971), or with RetNet's retention in place of attention (`model.layers`).

Axes: ... any leading axes, L positions, K codebooks, G frames of a group, C = K + G - 1 columns of codes, M positions
that are predicted, D width, V codes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from model.config import ModelConfig
from model.network.attention import Attend
from model.network.layers import Block, RMSNorm, rotary_angles

INIT_STD = 0.02


class Decoder(nn.Module):
    """Token and code embeddings, blocks, a head for each codebook and one for tokens.

    Args:
        config: Section `model`.
        num_tokens: Length of the tokenizer's vocabulary.
        num_codebooks: K of the codec.
        codebook_size: V of the codec; head 0 has one more output, the stop code, and all that for each of a group.
    """

    def __init__(self, config: ModelConfig, num_tokens: int, num_codebooks: int, codebook_size: int) -> None:
        super().__init__()
        self.config = config
        self.codebook_size = codebook_size
        self.num_codebooks = num_codebooks
        self.token_embedding = nn.Embedding(num_tokens, config.width)
        # All codebooks, and codebook 0 again for each further frame of a group, in one table, summed in one pass; its
        # last row stands for an absent code and adds nothing. VALL-E 2 concatenates a group's embeddings and projects
        # them: also a sum of a vector for each code and place in the group.
        columns = num_codebooks + config.group - 1
        self.absent = columns * codebook_size
        self.code_embedding = nn.EmbeddingBag(self.absent + 1, config.width, mode="sum", padding_idx=self.absent)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, config.norm_eps)
        sizes = [config.group * (codebook_size + 1), *([codebook_size] * (num_codebooks - 1)), num_tokens]
        self.heads = nn.ModuleList(nn.Linear(config.width, size, bias=False) for size in sizes)
        self.rows_before_C: Tensor
        self.register_buffer("rows_before_C", torch.arange(columns) * codebook_size, persistent=False)

    def initialise(self, generator: torch.Generator) -> None:
        """Draws new weights: normal, those that write to the residual stream scaled down by the depth (GPT-2)."""
        residual_std = INIT_STD / (2 * self.config.layers) ** 0.5
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                writes_residual = name.endswith(("attention.out.weight", "feedforward.down.weight"))
                nn.init.normal_(weight, std=residual_std if writes_residual else INIT_STD, generator=generator)
        with torch.no_grad():
            self.code_embedding.weight[self.absent] = 0

    def embed(self, tokens: Tensor, codes: Tensor) -> Tensor:
        """Returns `[..., L, D]`: a token's embedding plus those of the codes that are known there.

        Args:
            tokens: `[..., L]` ids.
            codes: `[..., L, K]`, or `[..., L, C]` with grouped codes; negative where a code isn't known.
        """
        rows = torch.where(codes < 0, self.absent, codes + self.rows_before_C[: codes.shape[-1]])
        summed = self.code_embedding(rows.flatten(0, -2)).unflatten(0, tokens.shape)
        embedded: Tensor = self.token_embedding(tokens) + summed
        return embedded

    def hidden(self, tokens: Tensor, codes: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Returns the last layer's output, normalised, `[..., L, D]`.

        Args:
            tokens: `[..., L]` ids.
            codes: As in `embed`.
            positions: `[..., L]`, for the rotary embedding.
            attend: Who may look at whom.
        """
        x = self.embed(tokens, codes)
        angles = rotary_angles(positions, self.config.head_width, self.config.rope_theta)
        for layer, block in enumerate(self.blocks):
            x = block(x, angles, layer, attend)
        out: Tensor = self.norm(x)
        return out

    def logits(self, hidden: Tensor, head: int) -> Tensor:
        """Returns float32 logits of a head (see `Document.head`).

        Args:
            hidden: `[..., D]`.
            head: Which.

        Returns:
            `[..., V]`, where V is the codebook's size, with the stop code one more for codebook 0, and for tokens that
            of the vocabulary. From `[M, D]` grouped codes give `[M * G, V]`, group after group.
        """
        on_canvas = head == self.num_codebooks + 1
        logits: Tensor = self.heads[0 if on_canvas else head](hidden).float()
        if on_canvas:
            return logits[..., : self.codebook_size + 1]
        if head == 0 and self.config.group > 1:
            return logits.view(*hidden.shape[:-2], -1, self.codebook_size + 1)
        return logits

    def forward(
        self, tokens: Tensor, codes: Tensor, positions: Tensor, attend: Attend, rows: Sequence[Tensor]
    ) -> list[Tensor]:
        """Returns for each head the logits at the positions where it predicts.

        Args:
            tokens: As in `hidden`.
            codes: As in `hidden`.
            positions: As in `hidden`.
            attend: As in `hidden`.
            rows: For each head the positions it predicts at, `[M]`, numbers into the flattened leading axes.

        Returns:
            K + 2 tensors `[M, V]`, float32; M may be 0. With grouped codes head 0 has `[M * G, V]`.
        """
        flat = self.hidden(tokens, codes, positions, attend).flatten(0, -2)
        return [self.logits(flat[at], head) for head, at in enumerate(rows)]

    def num_parameters(self, *, trained: bool = False) -> int:
        """Returns how many numbers it is made of, or how many of them are `trained`: with adapters, few."""
        return sum(weight.numel() for weight in self.parameters() if weight.requires_grad or not trained)
