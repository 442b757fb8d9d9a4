"""Retention: attention without softmax, in which a position counts less the farther away it is.

Position n of head h sums the values v_m of its document with the weights D_nm q_n . k_m, where D_nm = gamma^|n - m| and
gamma = 1 - 2^(-5 - h). In a causal document D_nm = 0 for m > n. The sum is divided by sqrt(sum_m D_nm). Distances count
places in the document; its `positions` play no part. There are three forms of the same sum:

    parallel    all pairs at once: the definition
    chunkwise   pairs within chunks of 128 positions, and a state per chunk for the rest. The cost is linear in L, but
                for the sum over pairs of chunks that passes the states on; up to 60,000 positions that is the smaller
                part
    recurrent   position by position, keeping only the state S_n = gamma S_n-1 + k_n^T v_n, `[H, H]` per head

Source: RetNet (Sun et al., 2023), section 2.1, https://arxiv.org/abs/2307.08621. Bidirectional documents are our
addition. The paper's division by max(|sum_m D_nm q_n . k_m|, 1) is left out, as the group norm that follows undoes it.

Axes: B batch, L positions, N heads, H head width, J chunks, C positions of a chunk.
"""

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

CHUNK = 128
"""Positions of a chunk. At about this size, pairs and states cost the same for heads of width 64 to 128."""


def log_decays(heads: int, device: torch.device) -> Tensor:
    """Returns log(gamma) of each head, `[N]` float32."""
    return torch.log1p(-(2.0 ** (-5 - torch.arange(heads, device=device, dtype=torch.float32))))


def _sum_of_powers(log_decay: Tensor, last: Tensor) -> Tensor:
    """Returns the sum of gamma^i for i = 0 ... `last`."""
    return torch.expm1(log_decay * (last + 1)) / torch.expm1(log_decay)


def parallel(q_BLNH: Tensor, k_BLNH: Tensor, v_BLNH: Tensor, seen_B1LL: Tensor) -> Tensor:
    """Computes retention over all pairs.

    Args:
        q_BLNH: Queries.
        k_BLNH: Keys.
        v_BLNH: Values.
        seen_B1LL: True where the first position may attend to the second.

    Returns:
        The heads' outputs, shaped like `q_BLNH`.
    """
    q, k, v = (x.transpose(1, 2) for x in (q_BLNH, k_BLNH, v_BLNH))
    at_L = torch.arange(q.shape[2], device=q.device)
    log_N11 = log_decays(q.shape[1], q.device)[:, None, None]
    decay_BNLL = (log_N11 * (at_L[:, None] - at_L).abs()).exp() * seen_B1LL
    scores = (q @ k.mT).float() * decay_BNLL / decay_BNLL.sum(-1, keepdim=True).sqrt()
    return (scores.to(v.dtype) @ v).transpose(1, 2)


def chunkwise(q_LNH: Tensor, k_LNH: Tensor, v_LNH: Tensor, bounds: Tensor, *, causal: bool) -> Tensor:
    """Computes retention within documents laid end to end.

    Args:
        q_LNH: Queries.
        k_LNH: Keys.
        v_LNH: Values.
        bounds: Start of each document and the end of the last, `[documents + 1]`.
        causal: Whether the documents are causal rather than bidirectional.

    Returns:
        The heads' outputs, shaped like `q_LNH`.
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
    """Sums over the positions of the same document that are at least `nearest` places back."""
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

    # The state each chunk leaves: from its own positions, of the document in which it ends.
    last_J = document_JC[:, -1]
    leaving_NC = (log_N1 * (CHUNK - 1 - at_C)).exp()
    left_JNHH = (k * (leaving_NC * (document_JC == last_J[:, None])[:, None])[..., None]).to(k.dtype).mT @ v
    # The state that enters the chunk after i: the states up to i, back to the start of the document of i.
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
    """Computes causal retention of new positions over a state and over themselves.

    Args:
        q_BLNH: Queries of the new positions.
        k_BLNH: Keys.
        v_BLNH: Values.
        state_BNHH: State after the positions read so far, float32.
        read_B: Number of positions read so far.
        new_B: Number of the L new positions that aren't padding.

    Returns:
        The heads' outputs, shaped like `q_BLNH`, and the state after the new positions.
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
