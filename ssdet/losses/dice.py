"""Dice loss with a weight for each pixel."""

from torch import Tensor

from .pixels import one_hot


def weighted_dice(
    probabilities: Tensor,
    target: Tensor,
    weights: Tensor,
    *,
    squared: bool = True,
    eps: float = 1e-3,
) -> Tensor:
    """1 - 2 sum(w p y) / (sum(w p^2) + sum(w y^2)) for each image, over pixels and classes: (B,).

    Probabilities and target are (B, C, H, W), weights (B, H, W). As a ratio it is blind to a
    common factor: weights only compare the pixels of one image. A pixel of weight 0 does not
    exist for it, and an image without any weight has the loss 0.

    Args:
        squared: Milletari 2016 (V-Net); else without the squares in the denominator.
        eps: With squares it is added to both sums of the denominator, without them to numerator
            and denominator, as in MMSegmentation.
    """
    weights = weights[:, None].float()
    probabilities, target = probabilities.float(), target.float()
    overlap = 2 * _sum(weights * probabilities * target)
    if squared:
        dice = overlap / (_sum(weights * (probabilities**2 + target**2)) + 2 * eps)
    else:
        dice = (overlap + eps) / (_sum(weights * (probabilities + target)) + eps)
    return (1 - dice).where(_sum(weights) > 0, 0.0)


def class_dice(
    probabilities: Tensor,
    labels: Tensor,
    weights: Tensor,
    *,
    squared: bool = True,
    eps: float = 1e-5,
) -> Tensor:
    """The mean over classes of 1 - (2 sum(w p y) + eps) / (sum(w p^2) + sum(w y^2) + eps).

    Without `squared`, sum(w p) + sum(w y) + eps is what it divides by.
    Sums are over all pixels of the batch, so that a small organ counts as much as the background.
    Probabilities are (B, C, H, W), labels and weights (B, H, W). A pixel of weight 0, or whose
    label is none of the classes, does not exist for it: not as background either.
    """
    classes = probabilities.shape[1]
    known = (labels >= 0) & (labels < classes)
    weights = (weights.float() * known)[:, None]
    target = one_hot(labels, classes, known)
    probabilities = probabilities.float()

    def total(values: Tensor) -> Tensor:
        return (weights * values).sum((0, 2, 3))

    overlap = 2 * total(probabilities * target) + eps
    sizes = probabilities**2 + target if squared else probabilities + target
    dice = overlap / (total(sizes) + eps)
    return (1 - dice).mean()


def _sum(values: Tensor) -> Tensor:
    return values.flatten(1).sum(1)
