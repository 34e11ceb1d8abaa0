"""Predictions of several views or networks, fused by their certainty."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Literal

import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ...labels import IGNORE
from ...mixing import ORIENTATIONS, Orientation, orient, orient_back
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.recording import eval_mode
from ...teacher_student.step import Step, Views
from ...thresholds import Uncertainty, fuse, uncertainty_of, variance_of
from ...validation import check_choice, check_range
from .._parts.features import active_dropout, dropouts
from .._parts.network_hook import STUDENT, NetworkHook, targets_of

Extent = Literal["pixel", "image"]


@HOOKS.register_module()
class UncertaintyFusionHook(NetworkHook):
    """Pseudo labels from several predictions, weighted by 1 / uncertainty (UMCT, WACV 2020).

    Without `networks` the teacher sees the weak view in each of the orientations. With them
    there is one orientation for each network, which labels and learns in it, and the student has
    the first one, which must be "identity"; each network then learns a fusion of its own
    (`exclude_self`: of the other predictions). The labels of a network come from its teacher
    (`auxiliary_teachers` of the model), or from itself in eval mode. Thresholds are for the
    student; the auxiliary networks learn every pixel of their fusions.

    Args:
        views: Orientations: identity, hflip, vflip, rot90, rot180, rot270.
        networks: Keys of networks in `auxiliary` of the model.
        uncertainty: "entropy" (divided by ln C) or "margin"; with `passes`, the variance between
            passes replaces it.
        passes: Monte Carlo passes with dropout, at least 2; 0 is one pass without.
        extent: Uncertainty of each pixel, or its mean over an image.
        exclude_self: A network's fusion leaves out its own prediction (without networks: the
            first view).
        eps: Added to the uncertainty: the most certain prediction weighs (1 + eps) / eps times as
            much as the least certain.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), UncertaintyFusionHook(["identity", "hflip", "rot180"]))
        >>> "fusion/changed" in step.log
        True
        >>> UncertaintyFusionHook(passes=1)
        Traceback (most recent call last):
        ValueError: UncertaintyFusionHook: passes=1: one pass has no variance, ...
    """

    phase = Phase.LABEL
    needs_twin = True
    needs = frozenset({"soft"})
    selects_labels = True

    def __init__(
        self,
        views: Sequence[Orientation] = ("identity", "hflip"),
        *,
        networks: Sequence[str] = (),
        uncertainty: Uncertainty = "entropy",
        passes: int = 0,
        extent: Extent = "pixel",
        exclude_self: bool = False,
        eps: float = 0.01,
    ) -> None:
        name = type(self).__name__
        for view in views:
            check_choice(name, "views", view, ORIENTATIONS)
        check_choice(name, "uncertainty", uncertainty, Uncertainty)
        check_choice(name, "extent", extent, Extent)
        check_range(name, "passes", passes, 0, float("inf"))
        if passes == 1:
            raise ValueError(
                f"{name}: passes=1: one pass has no variance, so all would be fused alike; give 2 "
                "or more, or 0 for the uncertainty of a pass without dropout"
            )
        check_range(name, "eps", eps, 1e-6, float("inf"))
        if len(views) < 1 + exclude_self:
            raise ValueError(
                f"{name}: views={list(views)} leave nothing to fuse with "
                f"exclude_self={exclude_self}; give more of them"
            )
        if networks and (len(views) != len(networks) + 1 or views[0] != "identity"):
            raise ValueError(
                f"{name}: views={list(views)} and networks={list(networks)}: give one view for the "
                "student ('identity') and one for each network"
            )
        self.views, self.names = tuple(views), tuple(networks)
        self.uncertainty, self.passes, self.extent = uncertainty, int(passes), extent
        self.exclude_self, self.eps = exclude_self, eps

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse passes without dropout."""
        super().on_attach(model)
        for name in (STUDENT, *self.names) if self.passes else ():
            if not dropouts(self.network(name)):
                raise ValueError(
                    f"{type(self).__name__}: passes={self.passes}, but the network {name!r} has no "
                    "dropout, so its passes would be equal and it would seem certain of "
                    "everything; set dropout_ratio of its decode_head above 0, or passes=0"
                )

    def after_teacher(self, step: Step) -> None:
        """Fuse the predictions of the views or the networks."""
        found = [self._predict(step, *source) for source in self._sources()]
        probabilities = torch.stack([one for one, _ in found])
        uncertainty = torch.stack([one for _, one in found])
        pseudo = step.pseudo_pixels
        valid = pseudo.valid & probabilities.isfinite().all(2).all(0)
        probabilities = probabilities.where(valid[None, :, None], 1.0 / probabilities.shape[2])
        uncertainty = uncertainty.where(valid[None], 1.0)
        if self.extent == "image":
            pixels = valid.sum((1, 2)).clamp(min=1)
            uncertainty = (uncertainty * valid).sum((2, 3)) / pixels
            uncertainty = uncertainty[..., None, None]
        learners = 1 + len(self.names)
        fused = [
            fuse(probabilities, uncertainty, without=i if self.exclude_self else None, eps=self.eps)
            for i in range(learners)
        ]
        scores, labels = fused[0].max(1)
        step.count(
            "fusion/changed", ((labels != pseudo.labels) & valid).sum() / valid.sum().clamp(1)
        )
        step.count("fusion/uncertainty", uncertainty.mean())
        pseudo.valid = valid
        pseudo.labels = labels.where(valid, IGNORE)
        pseudo.scores = scores.where(valid, 0.0)
        pseudo.soft = fused[0].where(valid[:, None], 0.0)
        if learners > 1:
            others = torch.stack([one.argmax(1) for one in fused[1:]], dim=1)
            pseudo.extra_labels = others.where(valid[:, None], IGNORE)

    def after_loss(self, step: Step) -> None:
        """Each auxiliary network learns in its own orientation."""
        for number, (name, view) in enumerate(zip(self.names, self.views[1:], strict=False)):
            self.supervise(step, name, _labeled(step.sup, view))
            for branch, targets in step.targets.items():
                own = targets_of(targets, number).map(lambda field, v=view: orient(field, v))
                seen = step.strong[branch]
                self.teach(step, name, branch, own, Views(orient(seen.inputs, view), seen.samples))

    def _sources(self) -> list[tuple[nn.Module, Orientation]]:
        """The networks that predict, and the orientation of each."""
        names = (STUDENT, *self.names) if self.names else (STUDENT,) * len(self.views)
        pairs = self.attached_model.pairs
        networks = [pairs[name][1] if name in pairs else self.network(name) for name in names]
        return list(zip(networks, self.views, strict=True))

    def _predict(self, step: Step, network: nn.Module, view: Orientation) -> tuple[Tensor, Tensor]:
        """Probabilities (B, C, H, W) and uncertainty (B, H, W) in the frame of the weak view."""
        if network is self.attached_model.teacher and view == "identity" and not self.passes:
            known = step.pseudo_pixels.soft  # what the core has just computed
            if known is not None:
                return known, uncertainty_of(known, self.uncertainty)
        inputs = orient(step.weak_views.inputs, view).contiguous()
        size = inputs.shape[-2:]
        metas = [{"img_shape": size, "ori_shape": size} for _ in inputs]
        model: Any = self.attached_model
        passes = []
        dropping = active_dropout(network) if self.passes else nullcontext()
        with eval_mode(network), dropping:
            for _ in range(max(1, self.passes)):
                logits = network.inference(inputs, metas)  # type: ignore[operator]
                passes.append(orient_back(model.probabilities(logits), view))
        every = torch.stack(passes)
        mean = every.mean(0)
        return mean, variance_of(every) if self.passes else uncertainty_of(mean, self.uncertainty)


def _labeled(views: Views | None, view: Orientation) -> Views | None:
    """Labeled images and their maps in another orientation."""
    if views is None:
        return None
    samples = []
    for sample in views.samples:
        turned = SegDataSample(metainfo=sample.metainfo)
        turned.gt_sem_seg = PixelData(data=orient(sample.gt_sem_seg.data, view).contiguous())
        samples.append(turned)
    return Views(orient(views.inputs, view).contiguous(), samples)
