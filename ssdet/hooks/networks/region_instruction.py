"""RAIL: two groups of two students; the best one instructs the others where they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor

from ...labels import IGNORE
from ...losses import (
    dice_loss,
    disagreement_focused,
    flatten_confidence,
    sharpen,
    squared_error,
)
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent, weighted
from ...teacher_student.heads import last_decode_head
from ...teacher_student.phase import Phase
from ...teacher_student.recording import recorded_layers
from ...teacher_student.schedules import ramp
from ...teacher_student.step import PixelLabels, Step
from ...validation import check_range
from .._parts.network_hook import STUDENT, NetworkHook, prefix_of

Maps = dict[str, Tensor]  # probabilities (B, C, H, W) of each network
LOGITS = "decode_head.conv_seg"


@HOOKS.register_module()
class RegionInstructionHook(NetworkHook):
    """Region-aware instructive learning (RAIL, 2025), for any number of classes.

    Two groups of two students take turns; all four process every batch, and the one with the best
    Dice on its labeled images instructs. The students of the group whose turn it is learn

    * from the labels: the losses of the segmentor, and once more, with `disagreement_focused`,
      where a student disagrees with the best one;
    * on unlabeled images: the sharpened probabilities of the best student (squared error), and,
      where they disagree with it, a low confidence (`flatten`);
    * from the mean teacher of their group: its sharpened probabilities (squared error).

    The teacher of a group follows its first student: that of the first group is the model's own,
    the other one is in `auxiliary_teachers`. In the first turn of each group there are only
    supervised losses and the teacher's. The core's losses on pseudo labels are replaced.
    During the burn-in all four learn the labels. The networks may have different architectures.

    Args:
        groups: Names of the students; the first one of the first group is "student".
        period: Iterations of a turn.
        temperature: Of the sharpening.
        region, error: Factors of the two parts of `disagreement_focused`.
        flatten: Factor on the term that flattens the confidence, within the consistency.
        consistency, teacher: Factors on the losses towards the best student and the teacher.
        ramp_length: Iterations after the burn-in over which these two rise:
            exp(-5 (1 - t/length)^2).

    Examples:
        >>> from ssdet.testing import segmentor
        >>> segmentor().attach(RegionInstructionHook())  # four networks in two groups
        Traceback (most recent call last):
        ValueError: RegionInstructionHook: there is no network 'second'; ...
    """

    phase = Phase.LABEL
    needs_twin = True
    needs = frozenset({"soft_targets", "student_outputs"})
    learns_without_labels = True
    learns_all_pixels = True

    def __init__(
        self,
        groups: Sequence[Sequence[str]] = (("student", "second"), ("third", "fourth")),
        *,
        period: int = 1000,
        temperature: float = 0.1,
        region: float = 0.5,
        error: float = 0.05,
        flatten: float = 0.1,
        consistency: float = 20.0,
        teacher: float = 10.0,
        ramp_length: int = 3000,
    ) -> None:
        own = type(self).__name__
        names = [name for group in groups for name in group]
        if [len(group) for group in groups] != [2, 2] or len(set(names)) != 4:
            raise ValueError(f"{own}: groups={groups!r} are not two pairs of different networks")
        if names[0] != STUDENT:
            raise ValueError(f"{own}: groups={groups!r} have to begin with {STUDENT!r}")
        check_range(own, "period", period, 1, float("inf"))
        check_range(own, "temperature", temperature, 1e-3, float("inf"))
        check_range(own, "ramp_length", ramp_length, 0, float("inf"))
        factors = dict(region=region, error=error, flatten=flatten)
        for key, value in dict(factors, consistency=consistency, teacher=teacher).items():
            check_range(own, key, value, 0, float("inf"))
        self.groups = tuple(tuple(group) for group in groups)
        self.names = tuple(names[1:])
        self.period, self.temperature = int(period), temperature
        self.ramp_length = int(ramp_length)
        self.region, self.error, self.flatten = region, error, flatten
        self.consistency, self.teacher = consistency, teacher

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a second group without a teacher, and networks without a layer of logits."""
        super().on_attach(model)
        leader = self.groups[1][0]
        if leader not in model.pairs:
            raise ValueError(
                f"{type(self).__name__}: the second group has no teacher: set "
                f"auxiliary_teachers=[{leader!r}] in the model"
            )
        for name in (STUDENT, *self.names):
            if LOGITS not in dict(self.network(name).named_modules()):
                raise TypeError(
                    f"{type(self).__name__}: the network {name!r} has no {LOGITS}; RAIL compares "
                    "logits of pixels, which a head that matches masks does not have"
                )

    def before_teacher(self, step: Step) -> None:
        """Choose the group whose turn it is; the other one is frozen."""
        since = step.iteration - self.attached_model.burn_in
        if step.weak is None or since < 0:
            self.attached_model.frozen = set()
            return
        turn = since // self.period
        self.attached_model.frozen = set(self.groups[1 - turn % 2])
        step.count("rail/group", float(turn % 2))

    def after_teacher(self, step: Step) -> None:
        """The labels are those of the teacher of the group."""
        if self._group(step) == 1:
            step.pseudo = self.label(step, self.groups[1][0])

    def after_loss(self, step: Step) -> None:
        """The losses of all four students."""
        if not step.targets:
            for name in self.names:
                self.supervise(step, name)
            return
        if step.sup is None:
            raise ValueError(
                f"{type(self).__name__}: a step without labeled images: the best student is found "
                "on them. Every batch needs some, and no other hook may take them out."
            )
        labels = torch.stack([sample.gt_sem_seg.data[0] for sample in step.sup.samples])
        # So far there are the student's losses: those for pseudo labels are not RAIL's, and a
        # frozen one has none. With 0 they keep the graph that other processes wait for.
        frozen = STUDENT in self.attached_model.frozen
        gone = {k: v for k, v in step.losses.items() if frozen or k.startswith("unsup")}
        step.losses.update(weighted(gone, "", 0.0))
        found = {name: self._supervised(step, name, labels) for name in (STUDENT, *self.names)}
        best = self._best(found, labels)
        step.count("rail/best", float((STUDENT, *self.names).index(best)))
        first_turn = step.iteration - self.attached_model.burn_in < 2 * self.period
        if not first_turn:
            self._focus_errors(step, found, labels, best)
        for view, targets in step.targets.items():
            self._learn_view(step, view, targets, None if first_turn else best)

    # ------------------------------------------------------------------ labeled images

    def _supervised(self, step: Step, name: str, labels: Tensor) -> Tensor:
        """Probabilities of a network on the labeled images, which it learns unless it is frozen."""
        if name == STUDENT:
            return self._probabilities(name, step.outputs["sup"], labels)
        network = self.network(name)
        if name in self.attached_model.frozen:
            step.losses[f"sup_{name}_loss"] = self.attached_model.zero_loss(network)
            seen: Any = step.sup
            logits = self.outputs_of(name, seen.inputs, (LOGITS,))[LOGITS]
            return self._probabilities(name, logits, labels)
        with recorded_layers(network, (LOGITS,)) as outputs:
            self.supervise(step, name)
        return self._probabilities(name, outputs[LOGITS], labels)

    def _best(self, found: Maps, labels: Tensor) -> str:
        """Name of the network with the lowest Dice loss, in all processes together."""
        valid, classes = labels != IGNORE, self.attached_model.num_classes
        scores = [dice_loss(one.argmax(1), labels, classes, valid) for one in found.values()]
        mean = torch.stack(scores).detach()
        all_reduce(mean, "mean")
        return list(found)[int(mean.argmin())]

    def _focus_errors(self, step: Step, found: Maps, labels: Tensor, best: str) -> None:
        """Disagreement-focused supervision of the active students."""
        valid, instructor = labels != IGNORE, found[best].argmax(1)
        for name in self._active(step):
            value = disagreement_focused(
                found[name],
                labels,
                None if name == best else instructor,
                valid,
                region=self.region,
                error=self.error,
            )
            step.losses[f"sup_{name}_rail_loss"] = value * self.attached_model.sup_weight

    # ------------------------------------------------------------------ unlabeled images

    def _learn_view(self, step: Step, view: str, targets: PixelLabels, best: str | None) -> None:
        if view not in step.outputs or targets.soft is None:
            return  # nothing in the view is valid
        maps = {name: self._view(step, view, name, targets) for name in self._needed(step, best)}
        since = step.iteration - self.attached_model.burn_in
        share = ramp(since, self.ramp_length) * step.shares[view]
        target = sharpen(targets.soft, self.temperature)
        for name in self._active(step):
            own = maps[name]
            losses = {"loss_teacher": self.teacher * squared_error(own, target, targets.valid)}
            if best is not None and name != best:
                losses["loss_best"] = self.consistency * self._instructed(own, maps[best], targets)
            step.losses.update(weighted(losses, f"{prefix_of(view)}{name}_", share))

    def _instructed(self, own: Tensor, best: Tensor, targets: PixelLabels) -> Tensor:
        best = best.detach()
        apart = targets.valid & (own.argmax(1) != best.argmax(1))
        consistent = squared_error(own, sharpen(best, self.temperature), targets.valid)
        return consistent + self.flatten * flatten_confidence(own, apart)

    def _view(self, step: Step, view: str, name: str, targets: PixelLabels) -> Tensor:
        if name == STUDENT:
            logits = step.outputs[view]
        elif name in self.attached_model.frozen:
            logits = self.outputs_of(name, step.strong[view].inputs, (LOGITS,))[LOGITS]
        else:
            logits = self.network(name)(step.strong[view].inputs, mode="tensor")
        return self._probabilities(name, logits, targets.labels)

    # ------------------------------------------------------------------ helpers

    def _group(self, step: Step) -> int:
        return max(0, step.iteration - self.attached_model.burn_in) // self.period % 2

    def _active(self, step: Step) -> tuple[str, ...]:
        return self.groups[self._group(step)]

    def _needed(self, step: Step, best: str | None) -> set[str]:
        """The networks whose prediction of a view is used."""
        return {*self._active(step), *([best] if best else [])}

    def _probabilities(self, name: str, logits: Tensor, labels: Tensor) -> Tensor:
        """Probabilities of a network in the size of the labels, as its own losses enlarge them."""
        model: Any = self.attached_model
        size, corners = labels.shape[-2:], last_decode_head(self.network(name)).align_corners
        logits = F.interpolate(logits.float(), size, mode="bilinear", align_corners=corners)
        return model.probabilities(logits)
