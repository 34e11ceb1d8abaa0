"""Decoder queries of a teacher and of a student that belong to the same boxes."""

import torch.nn.functional as F
from torch import Tensor


def direction_gap(one: Tensor, other: Tensor) -> Tensor:
    """Mean square of the difference of unit vectors (..., D), over their channels.

    Equal directions have 0, orthogonal ones 2 / D. The second argument has no gradient.
    """
    apart = F.normalize(one.float(), dim=-1) - F.normalize(other.detach().float(), dim=-1)
    return apart.square().mean(-1)


def beside_mask(extra: int, known: Tensor) -> Tensor:
    """The mask of self-attention with `extra` queries put first; true is what may not be seen.

    They see each other and the matching queries, the denoising ones not; no other query sees them.

    Args:
        extra: How many.
        known: The mask (Q, Q) without them. Its last row is a matching query, which sees all
            matching ones and no denoising one.
    """
    mask = F.pad(known, (extra, 0, extra, 0), value=False)
    mask[extra:, :extra] = True
    mask[:extra, extra:] = known[-1]
    return mask
