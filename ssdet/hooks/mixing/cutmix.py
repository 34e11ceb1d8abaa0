"""CutMix of strong views."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ...mixing import box_mask, sample_box
from ...registry import HOOKS
from ...teacher_student.phase import Phase
from .._parts.pixel_mix import Fields, PixelMixHook, Source


@HOOKS.register_module()
class CutMixHook(PixelMixHook):
    """Paste a box of another image into each strong view, with its pseudo labels.

    French et al. 2020, with the boxes of UniMatch; see `PixelMixHook` for the partners.

    Args:
        prob: Probability, for each image, that something is pasted into it.
        area: Lowest and highest share of the view that the box covers, in (0, 1].
        aspect: Lowest and highest height of the box divided by its width, both measured in the
            height and width of the view.
        source: Paste from other images of the strong view ("unlabeled") or from the labeled batch
            ("labeled").

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), CutMixHook(prob=1.0))
        >>> step.log["cutmix/skipped"]  # each image has a partner: the next one of the batch
        tensor(0.)
        >>> CutMixHook(area=(0.5, 0.2))
        Traceback (most recent call last):
        ValueError: CutMixHook: area=(0.5, 0.2) is not (low, high) with 0 < low <= high <= 1
    """

    phase = Phase.MIX
    mix = "cutmix"

    def __init__(
        self,
        prob: float = 0.5,
        *,
        area: Sequence[float] = (0.02, 0.4),
        aspect: Sequence[float] = (0.3, 1 / 0.3),
        source: Source = "unlabeled",
    ) -> None:
        super().__init__(prob, source)
        name = type(self).__name__
        self.area = _checked_range(name, "area", area, 1.0)
        self.aspect = _checked_range(name, "aspect", aspect, float("inf"))

    def mask(self, partner: Fields) -> Tensor:
        """A random box."""
        height, width = partner["inputs"].shape[-2:]
        box = sample_box((height, width), self.area, self.aspect)
        return box_mask([box], (height, width))[0].to(partner["inputs"].device)


def _checked_range(
    owner: str, name: str, values: Sequence[float], limit: float
) -> tuple[float, float]:
    ordered = len(values) == 2 and 0 < values[0] <= values[1] <= limit
    if not ordered:
        raise ValueError(
            f"{owner}: {name}={values!r} is not (low, high) with 0 < low <= high <= {limit:g}"
        )
    return values[0], values[1]
