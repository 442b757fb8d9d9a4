"""Mamba-2's state space: a short convolution, then a state that forgets as fast as each position says.

Head n remembers a matrix `[H, S]`. With x_t its features, b_t and c_t `[S]` shared by all heads, and a step width d_t
that the position chooses, its output is

    S_t = exp(-a d_t) S_t-1 + d_t x_t b_t^T        y_t = S_t c_t + D x_t

where a and D are the head's. There are three forms of the same sum:

    all pairs   y_t = sum_s exp(-a (d_s+1 + ... + d_t)) (c_t . b_s) d_s x_s: the definition, for s of the same document
    chunkwise   pairs within chunks of 64 positions, and a state per chunk for the rest. The cost is linear in L
    recurrent   position by position, keeping only the state and the inputs that the convolution still needs

A bidirectional document is read both ways and the two are added. Each way has a convolution, forgetting and D of its
own, or a network without positions couldn't tell what comes before from what comes after.

Sources: Mamba-2, sections 6 and 7, https://arxiv.org/abs/2405.21060; two ways in one layer, Vision Mamba, section 3.3,
https://arxiv.org/abs/2401.09417.

Axes: R rows, L positions, N heads, H head width, S state, E = N * H + 2 S convolved features, W taps, J chunks, C
positions of a chunk, K groups of chunks.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

CHUNK = 64
"""Positions of a chunk. At about this size, pairs and states cost the same for heads and states of 64 to 128."""
TAPS = 4
"""Positions that the convolution sees, its own included; that of the paper."""
_TOGETHER = 16
"""Chunks whose states are passed on by one product; more go through the sums of groups of chunks."""


def wide(x: Tensor) -> Tensor:
    """Returns a tensor in float32, or in float64 if it is that."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Scan(nn.Module):
    """The convolution and the state space of one direction.

    Args:
        heads: N.
        head_width: H.
        state: S.
    """

    def __init__(self, heads: int, head_width: int, state: int) -> None:
        super().__init__()
        self.heads, self.head_width, self.state = heads, head_width, state
        self.features = heads * head_width + 2 * state
        self.conv_weight = nn.Parameter(torch.empty(self.features, 1, TAPS))
        self.conv_bias = nn.Parameter(torch.empty(self.features))
        self.forgetting = nn.Parameter(torch.empty(heads))
        """log(a) of each head."""
        self.step_bias = nn.Parameter(torch.empty(heads))
        self.skip = nn.Parameter(torch.empty(heads))
        """D of each head."""

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draws new weights as the paper's code does: a in 1 ... 16, d in 0.001 ... 0.1 evenly by its logarithm."""
        bound = TAPS**-0.5
        self.conv_weight.uniform_(-bound, bound, generator=generator)
        self.conv_bias.uniform_(-bound, bound, generator=generator)
        self.forgetting.uniform_(1, 16, generator=generator).log_()
        step = self.step_bias.uniform_(math.log(0.001), math.log(0.1), generator=generator).exp_()
        step.add_(torch.log(-torch.expm1(-step)))  # the inverse of softplus
        self.skip.fill_(1)

    def exact(self) -> list[nn.Parameter]:
        """Returns the weights that must not be rounded (`Decoder.rounded`)."""
        return [self.forgetting, self.step_bias, self.skip]

    def nothing(self) -> Tensor:
        """Returns 0 from all weights, so that they have a gradient where nothing is read this way."""
        return torch.stack([weight.sum() for weight in self.parameters()]).sum() * 0

    def packed(self, features_LE: Tensor, steps_LN: Tensor, document_L: Tensor, documents: int) -> Tensor:
        """Reads documents laid end to end, each from its first position on.

        Args:
            features_LE: What is convolved: x of all heads, b and c.
            steps_LN: Step widths, before their bias and softplus.
            document_L: The number of each position's document, from 0.
            documents: How many there are.

        Returns:
            The heads' outputs, `[L, N, H]`.
        """
        # Before each document are the empty places that its convolution looks at, so that it sees no other document.
        length, empty = len(document_L), TAPS - 1
        at_L = torch.arange(length, device=document_L.device) + empty * document_L
        spread = features_LE.new_zeros(length + empty * documents, self.features)
        convolved_LE = self._convolved(spread.index_copy(0, at_L + empty, features_LE))[at_L]
        missing = -length % CHUNK
        convolved_LE, steps_LN = (F.pad(x, (0, 0, 0, missing)) for x in (convolved_LE, self._widths(steps_LN)))
        y_LNH, _ = self._chunkwise(convolved_LE, steps_LN, F.pad(document_L, (0, missing), value=-1))
        return y_LNH[:length]

    def rows(self, features_RLE: Tensor, steps_RLN: Tensor, kept_RX: Tensor, new_R: Tensor) -> tuple[Tensor, Tensor]:
        """Reads new positions of several rows, after what each has read.

        Args:
            features_RLE: As in `packed`.
            steps_RLN: As in `packed`.
            kept_RX: What is kept of each row, `[R, kept]`; zeros where nothing was read.
            new_R: How many of the L positions aren't padding at the end.

        Returns:
            The heads' outputs, `[R, L, N, H]`, and what is kept after the new positions.
        """
        rows, length, _ = features_RLE.shape
        last = (TAPS - 1) * self.features
        recent_RWE = kept_RX[:, :last].reshape(rows, TAPS - 1, self.features)
        state_RNHS = kept_RX[:, last:].reshape(rows, self.heads, self.head_width, self.state)
        joined = torch.cat((recent_RWE, features_RLE.to(kept_RX.dtype)), 1)
        row_R1 = torch.arange(rows, device=new_R.device)[:, None]
        recent_RWE = joined[row_R1, new_R[:, None] + torch.arange(TAPS - 1, device=new_R.device)]
        convolved_RLE, steps_RLN = self._convolved(joined), self._widths(steps_RLN)
        if length == 1:
            y_RNH, state_RNHS = self._step(convolved_RLE[:, 0], steps_RLN[:, 0], state_RNHS)
            y_RLNH = y_RNH[:, None]
        else:  # padding forgets nothing and adds nothing
            is_new_RL = torch.arange(length, device=new_R.device) < new_R[:, None]
            y_RLNH, state_RNHS = self._block(convolved_RLE, steps_RLN * is_new_RL[..., None], state_RNHS)
        kept_RX = torch.cat((recent_RWE.flatten(1), state_RNHS.flatten(1)), 1)
        return y_RLNH.to(features_RLE.dtype), kept_RX

    @property
    def kept(self) -> int:
        """Numbers that are kept of each row: the last features before the convolution, and the state."""
        return kept(self.heads, self.head_width, self.state)

    def _convolved(self, x: Tensor) -> Tensor:
        """Convolves `[..., W - 1 + L, E]` along its positions, `[..., L, E]`."""
        length, weight_WE = x.shape[-2] - TAPS + 1, self.conv_weight[:, 0].T.to(x.dtype)
        out = self.conv_bias.to(x.dtype) + x[..., :length, :] * weight_WE[0]
        for tap in range(1, TAPS):
            out = torch.addcmul(out, x[..., tap : tap + length, :], weight_WE[tap])
        return F.silu(out)

    def _widths(self, steps: Tensor) -> Tensor:
        return F.softplus(wide(steps) + wide(self.step_bias))

    def _fading(self, steps: Tensor) -> Tensor:
        """Returns the logarithm of what each position leaves of the state; float64, as sums of them are subtracted."""
        return steps.double() * -self.forgetting.double().exp()

    def _parts(self, convolved: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, b, c = torch.split(convolved, [self.heads * self.head_width, self.state, self.state], -1)
        return x.reshape(*x.shape[:-1], self.heads, self.head_width), b, c

    def _step(self, convolved_RE: Tensor, steps_RN: Tensor, state_RNHS: Tensor) -> tuple[Tensor, Tensor]:
        """Reads a position of each row; returns the outputs, `[R, N, H]`, and the states after it."""
        x_RNH, b_RS, c_RS = self._parts(convolved_RE)
        left_RN = self._fading(steps_RN).exp().to(state_RNHS.dtype)
        added_RNHS = (x_RNH * steps_RN[..., None])[..., None] * b_RS[:, None, None]
        state_RNHS = torch.addcmul(added_RNHS, state_RNHS, left_RN[..., None, None])
        y_RNH = (state_RNHS @ c_RS[:, None, :, None])[..., 0]
        return y_RNH + wide(self.skip)[:, None] * x_RNH, state_RNHS

    def _block(self, convolved_RLE: Tensor, steps_RLN: Tensor, state_RNHS: Tensor) -> tuple[Tensor, Tensor]:
        """Reads several positions of each row; returns as `_step` does, `[R, L, N, H]`."""
        rows, length, _ = convolved_RLE.shape
        missing = -length % CHUNK
        flat_LE, flat_LN = (F.pad(x, (0, 0, 0, missing)).flatten(0, 1) for x in (convolved_RLE, steps_RLN))
        row_L = torch.arange(rows, device=steps_RLN.device).repeat_interleave(length + missing)
        y_LNH, after_JNHS = self._chunkwise(flat_LE, flat_LN, row_L)
        y_RLNH = y_LNH.view(rows, -1, *y_LNH.shape[1:])[:, :length]
        after_RNHS = after_JNHS.view(rows, -1, *after_JNHS.shape[1:])[:, -1]
        left_RLN = self._fading(steps_RLN).cumsum(1).exp().to(state_RNHS.dtype)
        _, _, c_RLS = self._parts(convolved_RLE)
        from_before = torch.einsum("rls,rnhs->rlnh", c_RLS, state_RNHS) * left_RLN[..., None]
        return y_RLNH + from_before, after_RNHS + left_RLN[:, -1, :, None, None] * state_RNHS

    def _chunkwise(self, convolved_LE: Tensor, steps_LN: Tensor, document_L: Tensor) -> tuple[Tensor, Tensor]:
        """Reads whole chunks of documents; returns the outputs, `[L, N, H]`, and the state after each chunk."""
        plain_LNH, b_LS, c_LS = self._parts(convolved_LE)
        document_JC = document_L.view(-1, CHUNK)
        x_LNH = (plain_LNH * steps_LN[..., None]).to(plain_LNH.dtype)
        x_JNCH = x_LNH.view(-1, CHUNK, *x_LNH.shape[1:]).transpose(1, 2)
        b_JCS, c_JCS = (x.reshape(-1, CHUNK, self.state) for x in (b_LS, c_LS))
        sums_JNC = self._fading(steps_LN).view(-1, CHUNK, self.heads).cumsum(1).mT
        log_JNC = sums_JNC.to(steps_LN.dtype)

        seen_JCC = (document_JC[:, :, None] == document_JC[:, None]).tril()
        apart_JNCC = (log_JNC[..., None] - log_JNC[..., None, :]).masked_fill(~seen_JCC[:, None], -torch.inf)
        scores_JCC = wide(c_JCS @ b_JCS.mT)
        y_JNCH = (scores_JCC[:, None] * apart_JNCC.exp()).to(x_JNCH.dtype) @ x_JNCH

        # The state each chunk leaves: from its own positions, of the document in which it ends.
        last_J = document_JC[:, -1]
        leaving_JNC = (log_JNC[..., -1:] - log_JNC).exp() * (document_JC == last_J[:, None])[:, None]
        left_JNHS = wide((x_JNCH * leaving_JNC[..., None]).to(x_JNCH.dtype).mT @ b_JCS[:, None])
        goes_on_J = F.pad(last_J[1:] == last_J[:-1], (1, 0))
        after_JNHS = _carried(left_JNHS, sums_JNC[..., -1], goes_on_J)
        # What a chunk's positions see of the state that enters it: those of the document in which the one before ended.
        seen_JNC = log_JNC[1:].exp() * (document_JC[1:] == last_J[:-1, None])[:, None]
        across_JNCH = (c_JCS[1:, None] @ after_JNHS[:-1].to(c_JCS.dtype).mT) * seen_JNC[..., None]
        y_JNCH = wide(y_JNCH) + F.pad(across_JNCH, (0, 0, 0, 0, 0, 0, 1, 0))
        y_LNH = y_JNCH.transpose(1, 2).flatten(0, 1) + wide(self.skip)[:, None] * plain_LNH
        return y_LNH.to(plain_LNH.dtype), after_JNHS


def kept(heads: int, head_width: int, state: int) -> int:
    """Returns the numbers that are kept of a row to go on from."""
    return (TAPS - 1) * (heads * head_width + 2 * state) + heads * head_width * state


def _carried(left_JNHS: Tensor, log_JN: Tensor, goes_on_J: Tensor) -> Tensor:
    """Returns the states after each chunk, given what each leaves by itself.

    Args:
        left_JNHS: What each chunk leaves.
        log_JN: The logarithm of what each chunk leaves of the state that enters it, float64.
        goes_on_J: Whether a chunk begins and ends in the document in which the one before ended.
    """
    chunks, heads, dtype = *log_JN.shape, left_JNHS.dtype
    if chunks > _TOGETHER:
        missing = -chunks % _TOGETHER
        left_JNHS = F.pad(left_JNHS, (0, 0, 0, 0, 0, 0, 0, missing))
        log_JN, goes_on_J = F.pad(log_JN, (0, 0, 0, missing)), F.pad(goes_on_J, (0, missing), value=True)
    size = min(chunks, _TOGETHER)
    log_KNJ = log_JN.view(-1, size, heads).cumsum(1).mT
    breaks_KJ = (~goes_on_J).view(-1, size).cumsum(1)
    same_KJJ = (breaks_KJ[:, :, None] == breaks_KJ[:, None]).tril()
    apart_KNJJ = (log_KNJ[..., None] - log_KNJ[..., None, :]).masked_fill(~same_KJJ[:, None], -torch.inf)
    left_KJNHS = left_JNHS.view(-1, size, *left_JNHS.shape[1:])
    after_KJNHS = torch.einsum("knij,kjnhs->kinhs", apart_KNJJ.exp().to(dtype), left_KJNHS)
    if chunks <= _TOGETHER:
        return after_KJNHS.flatten(0, 1)
    entering_KNHS = _carried(after_KJNHS[:, -1], log_KNJ[..., -1], breaks_KJ[:, -1] == 0)[:-1]
    reach_KJN = (log_KNJ.exp() * (breaks_KJ == 0)[:, None])[1:].mT.to(dtype)
    reached = reach_KJN[..., None, None] * entering_KNHS[:, None]
    return (after_KJNHS + F.pad(reached, (0, 0, 0, 0, 0, 0, 0, 0, 1, 0))).flatten(0, 1)[:chunks]


def both_ways(
    ways: tuple[Scan, Scan], features_LE: Tensor, steps_LN: Tensor, bounds: Tensor, *, causal: bool
) -> Tensor:
    """Reads documents laid end to end: causal ones forwards, bidirectional ones both ways.

    Args:
        ways: The weights forwards and backwards.
        features_LE: As in `Scan.packed`.
        steps_LN: As in `Scan.packed`.
        bounds: Start of each document and the end of the last, `[documents + 1]`.
        causal: Whether the documents are causal rather than bidirectional.

    Returns:
        The heads' outputs, `[L, N, H]`.
    """
    documents = len(bounds) - 1
    document_L = torch.bucketize(torch.arange(len(steps_LN), device=bounds.device), bounds[1:], right=True)
    forwards = ways[0].packed(features_LE, steps_LN, document_L, documents)
    if causal:
        return forwards
    turned = features_LE.flip(0), steps_LN.flip(0), documents - 1 - document_L.flip(0)
    return forwards + ways[1].packed(*turned, documents).flip(0)
