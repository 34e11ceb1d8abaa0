"""Decoder queries: of a teacher and a student for the same boxes, and those that vote for a box."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .set_prediction import BoxTargets, corners, overlaps


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


def distinct(content: Tensor, scores: Tensor, most: float) -> Tensor:
    """Which queries (N, D) are unlike all better ones that are kept: cosines up to `most`."""
    rows = F.normalize(content.detach().float(), dim=-1)
    alike = rows @ rows.T > most
    kept = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
    for row in scores.argsort(descending=True, stable=True).tolist():
        kept[row] = ~(alike[row] & kept).any()
    return kept


def query_votes(logits: Tensor, boxes: Tensor, target: BoxTargets, agreement: float) -> Tensor:
    """How many queries (Q, C), (Q, 4) predict each box (N,): its class, and enough overlap."""
    ious, _ = overlaps(corners(boxes.float())[:, None], corners(target.boxes)[None])
    same = logits.argmax(-1)[:, None] == target.labels
    return (same & (ious >= agreement)).sum(0)


def text_contrast(texts: Tensor, found: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """-log softmax of the cosine of a box's query with its text, among those of noise (G, N).

    Args:
        texts: What each box is called (N, D).
        found: G decoded queries of each box (G, N, D).
        noise: As many that were made of places beside the boxes; those of a group are the negatives
            of all its boxes.
        temperature: By which cosines are divided.
    """
    texts, found, noise = (F.normalize(one.float(), dim=-1) for one in (texts, found, noise))
    near = (found * texts).sum(-1, keepdim=True)
    far = torch.einsum("nd,gmd->gnm", texts, noise)
    logits = torch.cat([near, far], -1) / temperature
    return logits.logsumexp(-1) - logits[..., 0]
