"""ClassMix: the pixels of half of the classes of one image are pasted over another."""

import torch
from torch import Tensor


def class_mask(
    labels: Tensor,
    valid: Tensor,
    share: float = 0.5,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Pixels (H, W) of a random share of the classes that the valid labels (H, W) show.

    Of n classes ceil(share n) are drawn, so one that is alone is drawn always. Where nothing is
    valid the mask is empty.
    """
    classes = labels[valid].unique()
    count = -int(-share * len(classes) // 1)
    drawn = torch.randperm(len(classes), generator=generator)[:count]
    return torch.isin(labels, classes[drawn.to(classes.device)]) & valid
