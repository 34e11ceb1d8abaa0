"""RankMatch: a pixel resembles the same agents, in the same order, in the strong view."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...losses.ranks import farthest_agents, rank_divergence
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.geometry import in_one_frame
from ...teacher_student.hook_points import phase_of
from ...teacher_student.passes import WEAK
from ...teacher_student.phase import LAYER, Phase
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.layers import check_layer
from .._parts.model_kind import segmentor_only
from .._parts.pixel_mix import PixelMixHook, own_places
from ..step_hook import StepHook


@HOOKS.register_module()
class RankCorrelationHook(StepHook):
    """Keep the order in which a pixel resembles others, from the weak view to the strong one.

    RankMatch (Mai et al., CVPR 2024). `agents` pixels of the weak view are chosen, each as
    orthogonal as can be to those before. Each pixel's products with them give probabilities, and
    the `top` most probable agents a distribution over their orders; that of the strong view, with
    the same pixels as agents, is to be that of the weak view: `unsup_loss_ranks`, the KL divergence
    as a mean over pixels and orders.

    Features of the weak view are the student's, without their gradient. Where CutMix or ClassMix
    shows another image of the batch, that one's features are taken; pixels of images that are not
    in it are left out, as is padding. The views must show the same part of an image.

    Args:
        weight: Factor on the loss, beside the unsupervised weight.
        agents: How many pixels others are compared with.
        top: How many of them are put in order; there are top! orders.
        layer: The layer of the student whose output is taken: the end of the ASPP.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> hook = RankCorrelationHook(agents=8, layer="decode_head.convs")
        >>> step = take_step(segmentor(), hook)
        >>> step.losses["unsup_loss_ranks"].ndim
        0
    """

    phase = Phase.LOSS
    learns_without_labels = True  # ranks need none

    def __init__(
        self,
        weight: float = 0.2,
        *,
        agents: int = 64,
        top: int = 4,
        layer: str = "decode_head.bottleneck",
    ) -> None:
        name = type(self).__name__
        check_range(name, "weight", weight, 0, float("inf"))
        check_range(name, "top", top, 2, 6)
        check_range(name, "agents", agents, top, float("inf"))
        self.weight, self.agents, self.top, self.layer = weight, int(agents), int(top), layer
        self.needs = frozenset({"weak_pass", "shown", LAYER + layer})

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model that is no segmentor, or has no such layer."""
        model = segmentor_only(self, model, "compares pixels")
        check_layer(self, model.student, self.layer)
        super().on_attach(model)

    def before_student(self, step: Step) -> None:
        """Both views must show the same pixels, but for what CutMix and ClassMix paste."""
        name = type(self).__name__
        moving = [
            type(hook).__name__
            for hook in step.model.hooks
            if phase_of(hook) is Phase.MIX and not hook.keeps_places
            if not isinstance(hook, PixelMixHook)
        ]
        if moving:
            raise ValueError(
                f"{name}: {moving[0]} does not tell which image a pixel shows. Mix with CutMixHook "
                "or ClassMixHook."
            )
        for views in step.strong.values():
            for source, target in zip(step.weak_views.samples, views.samples, strict=True):
                if not in_one_frame(source, target):
                    raise ValueError(
                        f"{name}: compares pixels of the weak and the strong view, but they show "
                        "other parts of the image. Put resizing, cropping and flipping into "
                        "`shared` of WeakStrongViews."
                    )

    def after_loss(self, step: Step) -> None:
        """Add the loss: the mean over the strong views that have images of their own."""
        key = LAYER + self.layer
        weak = step.layers.get(WEAK, {}).get(key)
        names = [name for name in step.targets if _has_images(step, name)]
        found = [
            self._loss(step, name, weak.detach(), step.layers[name][key])
            for name in names
            if weak is not None and key in step.layers.get(name, {})
        ]
        loss = torch.stack([one for one, _ in found]).mean() if found else step.model.zero_loss()
        for _, share in found:
            step.count("ranks/pixels", share / len(found))
        step.losses["unsup_loss_ranks"] = loss * self.weight * step.unsup_weight

    def _loss(self, step: Step, name: str, weak: Tensor, strong: Tensor) -> tuple[Tensor, float]:
        """The mean over the pixels of a view, and which share of them counts."""
        places = self._places(step, name, strong.shape[-2:])
        given = weak.movedim(1, -1).float()
        generator = step.generator(f"{type(self).__name__}.{name}")
        losses = []
        for place, image in zip(places, strong.movedim(1, -1).float(), strict=True):
            known = place >= 0
            if int(known.sum()) < max(self.top, 2):
                continue
            rows, columns = known.nonzero(as_tuple=True)
            with torch.autocast(strong.device.type, enabled=False):
                seen = given[place[known], rows, columns]
                first = int(torch.randint(len(seen), (), generator=generator))
                agents = farthest_agents(seen, self.agents, first)
                losses.append(rank_divergence(seen, image[known], agents, self.top))
        mean = torch.cat(losses).mean() if losses else strong.sum() * 0.0
        return mean, sum(map(len, losses)) / places.numel()

    @staticmethod
    def _places(step: Step, name: str, size: torch.Size) -> Tensor:
        """For each feature the image of the batch that it is of; -1: of none, or of padding."""
        targets = step.targets[name]
        shown = step.shown.get(name)
        known = (own_places(targets) if shown is None else shown).where(targets.valid, -1)
        return F.interpolate(known[:, None].float(), size, mode="nearest")[:, 0].long()


def _has_images(step: Step, name: str) -> bool:
    """Whether a strong view is more than the features of the weak one."""
    return name not in step.derived and step.strong[name].inputs is not step.weak_views.inputs
