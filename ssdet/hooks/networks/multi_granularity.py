"""Multi-granularity distillation: a light student between a wide and a deep network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ...labels import IGNORE
from ...losses import gap_logit_l1, masked_cross_entropy, region_similarity
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent, weighted
from ...teacher_student.heads import last_decode_head
from ...teacher_student.phase import Phase
from ...teacher_student.recording import recorded_layers
from ...teacher_student.step import PixelLabels, Step
from ...validation import check_choice, check_range
from .._parts.network_hook import (
    STUDENT,
    NetworkHook,
    prefix_of,
    require_average,
    targets_of,
)

Learning = Literal["none", "wide", "all"]
Outputs = dict[str, Tensor]  # logits and features of a network, by the names of the layers


@HOOKS.register_module()
class MultiGranularityHook(NetworkHook):
    """Teach a light student with two larger networks on three levels (MGD, ECCV 2022).

    * pixels: cross entropy with the labels of each of the two, on unlabeled and on labeled
      images; the networks that learn take the student's labels in turn;
    * regions: self-similarity of the features of student and `wide` network, 7x7 regions;
    * image: mean logits of student and `deep` network.

    Both larger networks train on annotations during the burn-in, like the student; after it those
    not in `learning` are frozen, batch statistics included. (Without a burn-in they have to come
    from checkpoints, `init_cfg` in their configs.) Region and image losses never reach them. List
    `TeacherEMAHook(momentum=0.0)`: the teacher then is the student itself, or use a higher momentum
    for a mean teacher.

    Args:
        wide, deep: Keys of the two networks in `auxiliary` of the model.
        learning: Which of them still learn after the burn-in: "none" (as published), "wide" or
            "all".
        region_weight, image_weight: Factors on the two losses; the second is a sum over images and
            classes and needs a small one.
        pool: Regions along each side.
        region_layer, logit_layer: Layers of every network that output its features and logits.

    Examples:
        >>> from ssdet.testing import segmentor
        >>> segmentor().attach(MultiGranularityHook(wide="wide", deep="deep"))
        Traceback (most recent call last):
        ValueError: MultiGranularityHook: there is no network 'wide'; ...
    """

    phase = Phase.LABEL
    needs_twin = True
    learns_all_pixels = True

    def __init__(
        self,
        *,
        wide: str = "wide",
        deep: str = "deep",
        learning: Learning = "none",
        region_weight: float = 100.0,
        image_weight: float = 0.002,
        pool: int = 7,
        region_layer: str = "decode_head.bottleneck",
        logit_layer: str = "decode_head.conv_seg",
    ) -> None:
        name = type(self).__name__
        check_choice(name, "learning", learning, Learning)
        for key, value in dict(region_weight=region_weight, image_weight=image_weight).items():
            check_range(name, key, value, 0, float("inf"))
        check_range(name, "pool", pool, 1, 64)
        if wide == deep:
            raise ValueError(f"{name}: wide and deep are both {wide!r}: give two networks")
        self.names = (wide, deep)
        self.learning = {"none": set(), "wide": {wide}, "all": {wide, deep}}[learning]
        self.region_weight, self.image_weight, self.pool = region_weight, image_weight, int(pool)
        self.region_layer, self.logit_layer = region_layer, logit_layer
        self.layers = (region_layer, logit_layer)
        self._student: dict[str, Outputs] = {}

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse networks without the layers to compare, or without logits for each class."""
        super().on_attach(model)
        if getattr(last_decode_head(model.student), "out_channels", None) == 1:
            raise ValueError(
                f"{type(self).__name__}: the decode head gives one map for two classes, and MGD "
                "compares logits class by class; set out_channels=2 and use_sigmoid=False of its "
                "loss in all networks"
            )
        for name in (STUDENT, *self.names):
            layers = dict(self.network(name).named_modules())
            for key in ("region_layer", "logit_layer"):
                if getattr(self, key) not in layers:
                    raise ValueError(
                        f"{type(self).__name__}: {key}={getattr(self, key)!r} is no part of the "
                        f"network {name!r} ({type(layers['']).__name__}); give the name of a "
                        "layer that all networks have"
                    )

    def before_train(self, runner: Any) -> None:
        """Refuse a teacher that does not follow its student."""
        require_average(self)
        super().before_train(runner)

    def before_teacher(self, step: Step) -> None:
        """A new step; after the burn-in the networks that do not learn are frozen."""
        self._student = {}
        model = self.attached_model
        distilling = step.weak is not None and step.iteration >= model.burn_in
        model.frozen = set(self.names) - self.learning if distilling else set()

    def after_teacher(self, step: Step) -> None:
        """The student learns the labels of the wide network; the other labels go along."""
        own = step.pseudo_pixels
        wide, deep = (self.label(step, name) for name in self.names)
        wide.extra_labels = torch.stack([own.labels, deep.labels], dim=1)
        step.pseudo = wide
        same = (wide.labels == deep.labels) & own.valid
        step.count("mgd/agreement", same.sum() / own.valid.sum().clamp(min=1))

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Keep the student's features and logits."""
        with recorded_layers(self.attached_model.student, self.layers) as outputs:
            yield
        self._student[branch] = outputs

    def after_loss(self, step: Step) -> None:
        """The losses of the larger networks, and those between them and the student."""
        labeled = {name: self._supervised(step, name) for name in self.names}
        if step.sup is not None and step.targets:
            self._labeled_pixels(step, labeled)
        for view, targets in step.targets.items():
            found = {name: self._taught(step, name, view, targets) for name in self.names}
            if view in self._student:
                self._distil(step, view, targets, found)
        self._student = {}

    # ------------------------------------------------------------------ the larger networks

    def _supervised(self, step: Step, name: str) -> Outputs:
        """Outputs of a network for the labeled images, which it learns unless it is frozen."""
        network = self.network(name)
        frozen = name in self.attached_model.frozen
        if frozen or step.sup is None:
            step.losses[f"sup_{name}_loss"] = self.attached_model.zero_loss(network)
            return {} if step.sup is None else self.outputs_of(name, step.sup.inputs, self.layers)
        with recorded_layers(network, self.layers) as outputs:
            self.supervise(step, name)
        return outputs

    def _taught(self, step: Step, name: str, view: str, targets: PixelLabels) -> Outputs:
        """The same on a strong view, where it learns the labels of the student."""
        if name in self.attached_model.frozen:
            return self.outputs_of(name, step.strong[view].inputs, self.layers)
        with recorded_layers(self.network(name), self.layers) as outputs:
            self.teach(step, name, view, targets_of(targets, 0))
        return outputs

    # ------------------------------------------------------------------ the student

    def _distil(
        self, step: Step, view: str, targets: PixelLabels, found: dict[str, Outputs]
    ) -> None:
        """Pixels (the deep network's labels; the wide one's are the targets), regions, image."""
        wide, deep = (found[name] for name in self.names)
        own, second = self._student[view], targets_of(targets, 1)
        logits = self._resized(STUDENT, own[self.logit_layer], second.labels)
        losses = {
            "loss_deep": masked_cross_entropy(
                logits, second.labels, second.weights, second.valid, self.reduction
            ),
            "loss_region": self.region_weight
            * region_similarity(
                own[self.region_layer], wide[self.region_layer].detach(), self.pool
            ),
            "loss_image": self.image_weight
            * gap_logit_l1(own[self.logit_layer], deep[self.logit_layer].detach()),
        }
        weight = step.unsup_weight * step.shares[view]
        step.losses.update(weighted(losses, f"{prefix_of(view)}mgd_", weight))

    def _labeled_pixels(self, step: Step, labeled: dict[str, Outputs]) -> None:
        """Cross entropy with the labels of each other, on labeled images."""
        truth = torch.stack([sample.gt_sem_seg.data[0] for sample in step.sup.samples])  # type: ignore[union-attr]
        valid = truth != IGNORE
        outputs = {STUDENT: self._student["sup"], **labeled}
        logits = {
            name: self._resized(name, one[self.logit_layer], truth) for name, one in outputs.items()
        }
        labels = {name: one.detach().argmax(1) for name, one in logits.items()}
        ones = valid.float()
        pairs = ((STUDENT, self.names), *((name, (STUDENT,)) for name in self.names))
        for learner, teachers in pairs:
            if learner in self.attached_model.frozen:
                continue
            losses = {
                f"loss_{name}": masked_cross_entropy(
                    logits[learner], labels[name], ones, valid, self.reduction
                )
                for name in teachers
            }
            step.losses.update(weighted(losses, f"sup_mgd_{learner}_", step.unsup_weight))

    @property
    def reduction(self) -> Any:
        """The model's mean over pixels."""
        model: Any = self.attached_model
        return model.reduction

    def _resized(self, name: str, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits of a network in the size of the labels, as its own losses enlarge them."""
        corners = last_decode_head(self.network(name)).align_corners
        return F.interpolate(
            logits.float(), labels.shape[-2:], mode="bilinear", align_corners=corners
        )
