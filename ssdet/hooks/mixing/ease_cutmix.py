"""iMAS's CutMix: the harder a batch the rarer, and hard images meet easy ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from ...mixing import box_around, box_mask, paste
from ...mixing.cutmix import Box
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import PixelLabels, Step
from ...validation import check_pair
from .._parts.model_kind import segmentor_only
from ..step_hook import StepHook


@HOOKS.register_module()
class EaseCutMixHook(StepHook):
    """CutMix of one strong view, with the mean ease of the batch as its probability.

    iMAS (Zhao et al., CVPR 2023), behind a `HardnessHook`. Images are sorted by how easy they are,
    and the hardest gets a box of the easiest, the second hardest one of the second easiest, and so
    on. In a step without CutMix the view is left out, and the other views share its part of the
    weight. The choice is the same in all processes, by the mean over all of them.

    Args:
        view: The branch that is mixed; with iMAS it shows the weak augmentation.
        side: Lowest and highest side of a box, as a share of the view's; its center lies anywhere
            from a sixteenth on, and it is cut off at the border.

    Examples:
        >>> from ssdet.hooks import HardnessHook
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), HardnessHook(0.0), EaseCutMixHook(), views=2)
        >>> step.log["ease_cutmix/mixed"]  # every image is easy
        tensor(1.)
    """

    phase = Phase.MIX

    def __init__(
        self, view: str = "unsup_student_2", *, side: Sequence[float] = (0.1, 0.9)
    ) -> None:
        self.view, self.side = view, check_pair(type(self).__name__, "side", side)

    def on_attach(self, model: TeacherStudent) -> None:
        """Boxes cannot be cut like pixels."""
        super().on_attach(segmentor_only(self, model, "mixes the labels of pixels"))

    def before_student(self, step: Step) -> None:
        """Mix the view, or leave it out."""
        name = type(self).__name__
        if "ease" not in step.measures:
            raise ValueError(
                f"{name}: nobody measured how easy the images are. Add dict(type='HardnessHook') "
                "to custom_hooks."
            )
        if self.view not in step.strong or len(step.strong) < 2:
            raise ValueError(
                f"{name}: view={self.view!r}: the batch has the strong views {list(step.strong)}, "
                "but it must be one of at least two. Add it to the branches of the pipeline."
            )
        easy = step.measures["ease"].float()
        sums = torch.stack([easy.sum(), torch.ones_like(easy).sum()])
        all_reduce(sums)
        common = step.generator(name, all_ranks_alike=True)
        mixed = float(torch.rand((), generator=common)) < float(sums[0] / sums[1])
        step.count("ease_cutmix/mixed", float(mixed))
        if mixed:
            self._mix(step, easy, step.generator(name))
            return
        del step.strong[self.view], step.targets[self.view]
        lost = step.shares.pop(self.view)
        for other in step.shares:
            step.shares[other] /= 1 - lost

    def _mix(self, step: Step, easy: Tensor, generator: torch.Generator) -> None:
        views, targets = step.strong[self.view], step.targets[self.view]
        size = (views.inputs.shape[-2], views.inputs.shape[-1])
        order = easy.argsort()
        partner = torch.empty_like(order)
        partner[order] = order.flip(0)
        low, high = self.side
        side = low + (high - low) * float(torch.rand((), generator=generator))
        centers = 1 / 16 + 15 / 16 * torch.rand(len(easy), 2, generator=generator)
        boxes: list[Box | None] = [box_around(c, (side, side), size) for c in centers.tolist()]
        masks = box_mask(boxes, size).to(views.inputs.device)
        views.inputs = paste(views.inputs, views.inputs[partner], masks)
        step.targets[self.view] = PixelLabels(
            **{key: paste(v, v[partner], masks) for key, v in targets.fields().items()}
        )
