"""CutMix of strong views."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ...mixing import box_mask, sample_box
from ...mixing.cutmix import Box
from ...registry import HOOKS
from ...teacher_student.phase import Phase
from ...validation import check_range
from .._parts.pixel_mix import Fields, PixelMixHook, Source


@HOOKS.register_module()
class CutMixHook(PixelMixHook):
    """Paste a box of another image into each strong view, with its pseudo labels.

    French et al. 2020, with the boxes of UniMatch; see `PixelMixHook` for the partners. CPS takes
    three boxes, whose area is shared out among them, and pastes where an odd number of them lie.

    Args:
        prob: Probability, for each image, that something is pasted into it.
        boxes: How many boxes.
        area: Lowest and highest share of the view that the boxes cover together, in (0, 1], if
            none of them overlap.
        aspect: Lowest and highest height of a box divided by its width, both measured in the
            height and width of the view.
        source: Paste from other images of the strong view ("unlabeled") or from the labeled batch
            ("labeled").
        skip: Strong views that are left alone.

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
        boxes: int = 1,
        area: Sequence[float] = (0.02, 0.4),
        aspect: Sequence[float] = (0.3, 1 / 0.3),
        source: Source = "unlabeled",
        skip: Sequence[str] = (),
    ) -> None:
        super().__init__(prob, source, skip)
        name = type(self).__name__
        check_range(name, "boxes", boxes, 1, float("inf"))
        self.boxes = int(boxes)
        self.area = _checked_range(name, "area", area, 1.0)
        self.aspect = _checked_range(name, "aspect", aspect, float("inf"))

    def mask(self, partner: Fields) -> Tensor:
        """Where an odd number of random boxes lie: with one of them, the box."""
        height, width = partner["inputs"].shape[-2:]
        share = (self.area[0] / self.boxes, self.area[1] / self.boxes)
        drawn: list[Box | None] = [
            sample_box((height, width), share, self.aspect) for _ in range(self.boxes)
        ]
        odd = box_mask(drawn, (height, width)).sum(0) % 2 == 1
        return odd.to(partner["inputs"].device)


def _checked_range(
    owner: str, name: str, values: Sequence[float], limit: float
) -> tuple[float, float]:
    ordered = len(values) == 2 and 0 < values[0] <= values[1] <= limit
    if not ordered:
        raise ValueError(
            f"{owner}: {name}={values!r} is not (low, high) with 0 < low <= high <= {limit:g}"
        )
    return values[0], values[1]
