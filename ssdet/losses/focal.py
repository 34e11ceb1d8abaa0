"""Focal loss over a softmax."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def softmax_focal(logits: Tensor, labels: Tensor, gamma: float, **settings: Any) -> Tensor:
    """(1 - p)^gamma * -log p, with the probability p of the labeled class, for each row: (N,).

    The settings are those of PyTorch's cross entropy (weights of classes, an index to ignore).
    """
    # An index to ignore is no class whose probability could be gathered.
    probability = logits.softmax(-1).gather(1, labels.clamp(0, logits.shape[1] - 1)[:, None])[:, 0]
    loss = F.cross_entropy(logits, labels, reduction="none", **settings)
    return (1 - probability).clamp(min=1e-6) ** gamma * loss
