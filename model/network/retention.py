"""Retention: who is looked at counts less the farther away it stands, and no softmax stands in between.

Position n of head h takes from position m of its document the value v_m with the weight D_nm q_n . k_m, where
D_nm = gamma^|n - m| and gamma = 1 - 2^(-5 - h); in a causal document D_nm = 0 for m > n. The sum is divided by
sqrt(sum_m D_nm). Distances are those within the document, whatever its positions are. One sum in three forms:

    parallel    all pairs at once: the definition
    chunkwise   pairs within chunks of 128 positions, the rest by the chunks' states: its cost grows with L, but for the
                sum over pairs of chunks that carries the states on, which up to 60,000 positions is the lesser part
    recurrent   position by position: the state S_n = gamma S_n-1 + k_n^T v_n, `[H, H]` a head, is all that is kept

Source: RetNet (Sun et al., 2023), section 2.1, https://arxiv.org/abs/2307.08621. Bidirectional documents aren't in the
paper. Left out is its division by max(|sum_m D_nm q_n . k_m|, 1): the group norm that follows undoes it.

Axes: B batch, L positions, N heads, H head width, J chunks, C positions of a chunk.
"""

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

CHUNK = 128
"""Positions whose pairs are all computed: about where pairs and states cost the same for heads of 64 to 128."""


def log_decays(heads: int, device: torch.device) -> Tensor:
    """Returns the logarithm of each head's gamma, `[N]` float32."""
    return torch.log1p(-(2.0 ** (-5 - torch.arange(heads, device=device, dtype=torch.float32))))


def _sum_of_powers(log_decay: Tensor, last: Tensor) -> Tensor:
    """Returns the sum of gamma^i for i = 0 ... `last`."""
    return torch.expm1(log_decay * (last + 1)) / torch.expm1(log_decay)


def parallel(q_BLNH: Tensor, k_BLNH: Tensor, v_BLNH: Tensor, seen_B1LL: Tensor) -> Tensor:
    """Sums over all pairs.

    Args:
        q_BLNH: Queries.
        k_BLNH: Keys.
        v_BLNH: Values.
        seen_B1LL: True where the first position may look at the second.

    Returns:
        Like `q_BLNH`.
    """
    q, k, v = (x.transpose(1, 2) for x in (q_BLNH, k_BLNH, v_BLNH))
    at_L = torch.arange(q.shape[2], device=q.device)
    log_N11 = log_decays(q.shape[1], q.device)[:, None, None]
    decay_BNLL = (log_N11 * (at_L[:, None] - at_L).abs()).exp() * seen_B1LL
    scores = (q @ k.mT).float() * decay_BNLL / decay_BNLL.sum(-1, keepdim=True).sqrt()
    return (scores.to(v.dtype) @ v).transpose(1, 2)


def chunkwise(q_LNH: Tensor, k_LNH: Tensor, v_LNH: Tensor, bounds: Tensor, *, causal: bool) -> Tensor:
    """Sums over documents that are laid end to end.

    Args:
        q_LNH: Queries.
        k_LNH: Keys.
        v_LNH: Values.
        bounds: Where the documents begin, and the end of the last, `[documents + 1]`.
        causal: Whether the documents are causal, or bidirectional.

    Returns:
        Like `q_LNH`.
    """
    at_L = torch.arange(len(q_LNH), device=q_LNH.device)
    document_L = torch.bucketize(at_L, bounds[1:], right=True)
    log_N = log_decays(q_LNH.shape[1], q_LNH.device)
    sums = _behind(q_LNH, k_LNH, v_LNH, document_L, nearest=0)
    total_LN = _sum_of_powers(log_N, (at_L - bounds[document_L])[:, None])
    if not causal:
        turned = (x.flip(0) for x in (q_LNH, k_LNH, v_LNH, document_L))
        sums = sums + _behind(*turned, nearest=1).flip(0)
        total_LN = total_LN + _sum_of_powers(log_N, (bounds[document_L + 1] - 1 - at_L)[:, None]) - 1
    return (sums.float() / total_LN[..., None].sqrt()).to(v_LNH.dtype)


def _behind(q_LNH: Tensor, k_LNH: Tensor, v_LNH: Tensor, document_L: Tensor, *, nearest: int) -> Tensor:
    """Sums what stands at least `nearest` positions behind, in the same document."""
    length, heads, _ = q_LNH.shape
    missing = -length % CHUNK
    q, k, v = (
        F.pad(x, (0, 0, 0, 0, 0, missing)).view(-1, CHUNK, *x.shape[1:]).transpose(1, 2) for x in (q_LNH, k_LNH, v_LNH)
    )
    document_JC = F.pad(document_L, (0, missing), value=-1).view(-1, CHUNK)
    at_C = torch.arange(CHUNK, device=q.device)
    log_N1 = log_decays(heads, q.device)[:, None]

    distance_CC = at_C[:, None] - at_C
    seen_JCC = (document_JC[:, :, None] == document_JC[:, None]) & (distance_CC >= nearest)
    decay_NCC = (log_N1[..., None] * distance_CC.clamp_min(0)).exp()
    within = ((q @ k.mT).float() * (decay_NCC * seen_JCC[:, None])).to(v.dtype) @ v

    # What a chunk leaves behind: the state after it, of the document that it ends in and of its own positions alone.
    last_J = document_JC[:, -1]
    leaving_NC = (log_N1 * (CHUNK - 1 - at_C)).exp()
    left_JNHH = (k * (leaving_NC * (document_JC == last_J[:, None])[:, None])[..., None]).to(k.dtype).mT @ v
    # What reaches the chunk after i: the states up to i, as far back as the document of i goes.
    chunks = torch.arange(len(last_J), device=q.device)
    apart_JJ = chunks[:, None] - chunks
    reaching_JJ = (last_J[:, None] == last_J) & (apart_JJ >= 0)
    carried_NJJ = (log_N1[..., None] * CHUNK * apart_JJ.clamp_min(0)).exp() * reaching_JJ
    state_JNHH = torch.einsum("nij,jnkv->inkv", carried_NJJ.to(v.dtype), left_JNHH)
    entering_JNC = (log_N1 * (at_C + 1)).exp() * (document_JC[1:] == last_J[:-1, None])[:, None]
    across = (q[1:] * entering_JNC[..., None]).to(v.dtype) @ state_JNHH[:-1]
    sums_JNCH: Tensor = within + F.pad(across, (0, 0, 0, 0, 0, 0, 1, 0))
    return sums_JNCH.transpose(1, 2).flatten(0, 1)[:length]


def recurrent(
    q_BLNH: Tensor, k_BLNH: Tensor, v_BLNH: Tensor, state_BNHH: Tensor, *, read_B: Tensor, new_B: Tensor
) -> tuple[Tensor, Tensor]:
    """Sums over what a state holds and over new positions behind it.

    Args:
        q_BLNH: Queries of the new positions.
        k_BLNH: Keys.
        v_BLNH: Values.
        state_BNHH: What was read, float32.
        read_B: How many positions that was.
        new_B: How many of the L new positions aren't padding.

    Returns:
        Like `q_BLNH`, and the state after the new positions.
    """
    q, k, v = (x.transpose(1, 2).float() for x in (q_BLNH, k_BLNH, v_BLNH))
    at_L = torch.arange(q.shape[2], device=q.device)
    log_N1 = log_decays(q.shape[1], q.device)[:, None]
    distance_LL = at_L[:, None] - at_L
    decay_NLL = (log_N1[..., None] * distance_LL).exp().tril()
    sums = (q @ k.mT * decay_NLL) @ v + q * (log_N1 * (at_L + 1)).exp()[..., None] @ state_BNHH
    total_BNL = _sum_of_powers(log_N1, (read_B[:, None] + at_L)[:, None])

    left_B1L = (new_B[:, None] - 1 - at_L)[:, None]
    kept_BNL = (log_N1 * left_B1L.clamp_min(0)).exp() * (left_B1L >= 0)
    state = (log_N1 * new_B[:, None, None]).exp()[..., None] * state_BNHH + (k * kept_BNL[..., None]).mT @ v
    return (sums / total_BNL[..., None].sqrt()).transpose(1, 2).to(q_BLNH.dtype), state
