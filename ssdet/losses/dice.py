"""Dice loss with a weight for each pixel."""

from torch import Tensor


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
    common factor: weights say how the pixels of one image compare. A pixel of weight 0 does not
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


def _sum(values: Tensor) -> Tensor:
    return values.flatten(1).sum(1)
