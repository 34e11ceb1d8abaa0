"""ClassMix of strong views."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ...mixing import class_mask
from ...registry import HOOKS
from ...teacher_student.phase import Phase
from ...validation import check_range
from .._parts.pixel_mix import Fields, PixelMixHook, Source


@HOOKS.register_module()
class ClassMixHook(PixelMixHook):
    """Paste the pixels of half of another image's classes into each strong view.

    ClassMix (Olsson et al. 2021): the objects keep their outlines, as precise as the pseudo labels
    are. With `source="labeled"` outlines come from annotations, and labeled objects are pasted
    into unlabeled images, as in DACS (Tranheden et al. 2021). DACS changes colors after the mix;
    here the views change them before it. Pixels that are not valid are never pasted; see
    `PixelMixHook` for the partners.

    Args:
        prob: Probability, for each image, that something is pasted into it.
        share: Share of the partner's classes that is pasted, rounded up.
        source: Paste from other images of the strong view ("unlabeled") or from the labeled batch
            ("labeled").
        skip: Strong views that are left alone.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), ClassMixHook(source="labeled"))
        >>> bool((step.targets["unsup_student"].scores == 1).any())  # annotated pixels are certain
        True
    """

    phase = Phase.MIX
    mix = "classmix"

    def __init__(
        self,
        prob: float = 1.0,
        *,
        share: float = 0.5,
        source: Source = "unlabeled",
        skip: Sequence[str] = (),
    ) -> None:
        super().__init__(prob, source, skip)
        check_range(type(self).__name__, "share", share)
        self.share = share

    def mask(self, partner: Fields) -> Tensor:
        """All pixels of a random share of the classes."""
        return class_mask(partner["labels"], partner["valid"], self.share)
