"""CorrMatch: labels spread from pixel to pixel, and over regions of pixels that correlate."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...labels import IGNORE
from ...losses import Reduction, masked_cross_entropy
from ...losses.correlation import Normalize, correlation, propagate, regions, spread
from ...losses.pixels import two_channels
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.heads import last_decode_head
from ...teacher_student.passes import WEAK
from ...teacher_student.phase import Phase
from ...teacher_student.recording import eval_mode
from ...teacher_student.step import PixelLabels, Step
from ...validation import check_choice, check_range
from .._parts.model_kind import logits_only
from ..step_hook import StepHook


@HOOKS.register_module()
class CorrelationPropagationHook(StepHook):
    """Propagate labels along the correlation of pixels, which a head of its own learns.

    CorrMatch (Sun et al., CVPR 2024). *Pixels:* the student's logits, without their gradient, are
    spread along the correlation of the deepest features, and what arrives is trained on the labels
    of labeled images (`sup_loss_correlation`), and on the pseudo labels of the weak and the strong
    views, half each (`unsup_loss_correlation`). *Regions:* the correlation of one pixel with all
    others, cut at one half, is a region; if enough of it passed the threshold, and nearly all of
    that has one label, the whole region takes it (`correlation/propagated` is their share).

    Both shares are compared with the threshold of the hook that filters, so list one with a single
    threshold, as `CorrelationThresholdHook`. Two projections per pixel are correlated with all
    others: 4 N^2 bytes for each image (27 MB with 51 x 51 pixels).

    Args:
        head: Name of the `CorrelationHead` in the model's `auxiliary`. With a twin in
            `auxiliary_teachers`, that finds the regions.
        regions: How many pixels of a view are asked for their region. 0: none.
        labeled_weight: Factor on the loss of labeled images, beside the supervised weight.
        weight: Factor on the loss of the others, beside the unsupervised weight.
        normalize: What sums to 1: what a pixel gives ("source", as in the official code), or
            what it gets ("target").

    Examples:
        >>> from ssdet.hooks import CorrelationThresholdHook
        >>> from ssdet.testing import segmentor, take_step
        >>> head = dict(type="CorrelationHead", in_channels=32, num_classes=4, channels=8)
        >>> hooks = CorrelationThresholdHook(0.3), CorrelationPropagationHook(regions=8)
        >>> step = take_step(segmentor(auxiliary=dict(correlation=head)), *hooks)
        >>> [name for name in step.losses if "correlation" in name]
        ['sup_loss_correlation', 'unsup_loss_correlation']
    """

    phase = Phase.WEIGHT
    needs = frozenset({"features", "student_outputs", "weak_pass"})
    needs_twin = True

    def __init__(
        self,
        *,
        head: str = "correlation",
        regions: int = 128,
        labeled_weight: float = 1.0,
        weight: float = 0.5,
        normalize: Normalize = "source",
    ) -> None:
        name = type(self).__name__
        for key, value in dict(
            regions=regions, labeled_weight=labeled_weight, weight=weight
        ).items():
            check_range(name, key, value, 0, float("inf"))
        check_choice(name, "normalize", normalize, Normalize)
        self.head, self.regions = head, int(regions)
        self.labeled_weight, self.weight, self.normalize = labeled_weight, weight, normalize
        self._weak: PixelLabels | None = None

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model that is no segmentor, or has no such head."""
        name = type(self).__name__
        model = logits_only(self, model, "correlates pixels")
        head = dict(model.auxiliary.items()).get(self.head)
        classes = getattr(head, "num_classes", None)
        if classes != model.num_classes:
            found = sorted(model.auxiliary) if head is None else f"one of {classes} classes"
            raise ValueError(
                f"{name}: the model's auxiliary {self.head!r} must be a CorrelationHead of its "
                f"{model.num_classes} classes, but there is {found}. Set auxiliary=dict("
                f"{self.head}=dict(type='CorrelationHead', in_channels=..., "
                f"num_classes={model.num_classes}))."
            )
        super().on_attach(model)

    def after_teacher(self, step: Step) -> None:
        """Let regions take a label; remember the labels without, for the weak view's own loss."""
        pseudo = step.pseudo_pixels
        self._weak = pseudo.map(torch.Tensor.clone)
        if not self.regions:
            return
        if step.teacher_features is None:
            raise ValueError(
                f"{type(self).__name__}: the teacher saw the weak views in windows, so there are "
                "no features of a whole view. Set test_cfg=dict(mode='whole'), or regions=0."
            )
        found = self._regions(step, pseudo)
        kept = pseudo.valid & (pseudo.weights > 0)
        threshold = self._threshold(step)
        classes = step.model.num_classes
        labels, changed = propagate(pseudo.labels, kept, found, threshold, classes)
        pseudo.labels = labels
        pseudo.weights = torch.where(changed & ~kept, 1.0, pseudo.weights)
        new = (changed & ~kept).sum() / pseudo.valid.sum().clamp(min=1)
        step.count("correlation/propagated", new)

    def after_loss(self, step: Step) -> None:
        """Add the losses of the spread logits."""
        model: Any = step.model
        labeled = unlabeled = model.zero_loss(model.auxiliary[self.head])
        if step.sup is not None and "sup" in step.outputs:
            labels = torch.stack([sample.gt_sem_seg.data[0] for sample in step.sup.samples]).long()
            known = labels != IGNORE
            annotated = PixelLabels(labels, known.float(), known.float(), known)
            labeled = labeled + self._loss(step, "sup", annotated, "valid")
        for name, targets in step.targets.items():
            # The stream of perturbed features shows the weak view, which has a loss of its own.
            if name in step.outputs and name not in step.derived and not _is_weak(step, name):
                found = self._loss(step, name, targets, model.reduction)
                unlabeled = unlabeled + found * (0.5 / _images(step))
        if self._weak is not None and WEAK in step.outputs:
            unlabeled = unlabeled + 0.5 * self._loss(step, WEAK, self._weak, model.reduction)
        self._weak = None
        step.losses["sup_loss_correlation"] = labeled * self.labeled_weight * model.sup_weight
        step.losses["unsup_loss_correlation"] = unlabeled * self.weight * step.unsup_weight

    def _loss(self, step: Step, name: str, targets: PixelLabels, mean: Reduction) -> Tensor:
        """Cross entropy of the logits that arrive at each pixel of a branch."""
        model: Any = step.model
        corners = last_decode_head(model.student).align_corners
        first, second = model.auxiliary[self.head](step.features[name])
        logits = two_channels(step.outputs[name].detach().float())
        low = F.interpolate(logits, first.shape[-2:], mode="bilinear", align_corners=corners)
        with torch.autocast(first.device.type, enabled=False):
            arrived = spread(low, correlation(first, second, self.normalize))
            size = step.branches[name].inputs.shape[-2:]
            large = F.interpolate(arrived, size, mode="bilinear", align_corners=corners)
        height, width = targets.labels.shape[-2:]  # a joint pass may have padded the view further
        return masked_cross_entropy(
            large[..., :height, :width], targets.labels, targets.weights, targets.valid, mean
        )

    def _regions(self, step: Step, pseudo: PixelLabels) -> Tensor:
        """Regions of pixels drawn at random, the same places in all images; (B, K, H, W)."""
        twins = dict(step.model.auxiliary_teachers.items())
        network: Any = twins.get(self.head, step.model.auxiliary[self.head])
        with torch.no_grad(), eval_mode(network):
            first, second = network(step.teacher_features)
        height, width = first.shape[-2:]
        drawn = torch.randint(
            height * width, (self.regions,), generator=step.generator(type(self).__name__)
        ).to(first.device)
        # Only the rows that are looked at.
        rows = correlation(first.flatten(2)[..., drawn, None], second, "source")
        maps = rows.view(len(rows), self.regions, height, width)
        student: Any = step.model.student
        corners = last_decode_head(student).align_corners
        size = pseudo.labels.shape[-2], pseudo.labels.shape[-1]
        parts = [regions(part, size, align_corners=corners) for part in maps.split(16, dim=1)]
        return torch.cat(parts, dim=1) & pseudo.valid[:, None]

    def _threshold(self, step: Step) -> float:
        """The one threshold of the hook that filtered."""
        limits = [getattr(hook, "last_limits", None) for hook in step.model.hooks]
        found = next((one for one in reversed(limits) if one is not None), None)
        if found is None:
            raise ValueError(
                f"{type(self).__name__}: there is no threshold to compare regions with. Add "
                "dict(type='CorrelationThresholdHook') to custom_hooks, or set regions=0."
            )
        return float(found.upper.mean())


def _is_weak(step: Step, name: str) -> bool:
    """Whether a view shows the weak images themselves."""
    return step.weak is not None and step.strong[name].inputs is step.weak.inputs


def _images(step: Step) -> int:
    """How many strong views have images of their own."""
    return sum(n not in step.derived and not _is_weak(step, n) for n in step.targets)
