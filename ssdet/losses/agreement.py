"""How well another prediction agrees with a label: the weight of a label that may be wrong."""

from torch import Tensor

from .dice import class_dice, weighted_dice
from .pixels import one_hot


def agreement(probabilities: Tensor, labels: Tensor) -> Tensor:
    """1 - |p - 1| = p of the labeled class, for each pixel (B, H, W); 0 where there is no label.

    Probabilities are (B, C, H, W); a label outside of the classes (255) is none.
    """
    known = (labels >= 0) & (labels < probabilities.shape[1])
    found = probabilities.float().gather(1, labels.where(known, 0)[:, None])[:, 0]
    return found.where(known, 0.0)


def noise_weighted_dice(
    student: Tensor,
    labels: Tensor,
    weights: Tensor,
    *,
    squared: bool = False,
    per_class: bool = False,
) -> Tensor:
    """A Dice loss in which unlikely labels count little.

    Student probabilities are (B, C, H, W), labels and weights (B, H, W); a pixel of weight 0 does
    not exist for it. The mean over classes of one ratio for each (`class_dice`), or over images of
    one ratio for all classes (`weighted_dice`): as probabilities sum to 1, that is without
    `squared` no more than 1 - sum(w p_label) / sum(w).
    """
    if per_class:
        return class_dice(student, labels, weights, squared=squared)
    classes = student.shape[1]
    known = (labels >= 0) & (labels < classes)
    target = one_hot(labels, classes, known)
    return weighted_dice(student, target, weights * known, squared=squared).mean()
