"""Consistency that is weighted by how plausible the teacher's shapes are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...labels import IGNORE
from ...losses.shape_prior import plausibility, reconstruction_loss, weighted_consistency
from ...mixing.label_noise import clipped_noise, swap_labels
from ...models.label_autoencoder import LabelAutoEncoder
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.schedules import Ramp
from ...teacher_student.step import Step
from ...validation import check_range
from .consistency import ConsistencyHook


@HOOKS.register_module()
class ShapePriorHook(ConsistencyHook):
    """Follow the teacher where its labels look like labels ("Anatomically-aware uncertainty").

    MICCAI 2022, for slices. First a `LabelAutoEncoder` learns to repair corrupted copies of
    the labeled masks; then it is frozen. Its output p' for the teacher's labels is
    compared with the teacher's probabilities p: U = (p' - p)^2 is their uncertainty, and the loss
    sum(w (p_s - p)^2) / (2 sum(w)) has the weights w = exp(-gamma U). One more pass, and no
    sampling. Without hard pseudo labels, as published, set `unsup_weight=0.0` of the model. Mixing
    makes implausible shapes: use it without hooks that paste.

    Args:
        prior: Name of the auto-encoder in the model's `auxiliary`.
        gamma: How fast the weight falls with the uncertainty.
        learn_for: Iterations in which the prior learns, from the first one. None: the burn-in.
        swap, block: Share of the blocks of a mask that change places, and their side in pixels of
            the prior's size.
        noise, noise_limit: Standard deviation and bound of the noise on the prior's input.
        prior_weight: Factor on the loss of the prior.
        weight, ramp_length, ramp_kind: Of the consistency; see `ConsistencyHook`.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> prior = dict(type="LabelAutoEncoder", num_classes=4)
        >>> model = segmentor(auxiliary=dict(shape_prior=prior))
        >>> step = take_step(model, ShapePriorHook(learn_for=100))  # learns shapes at first
        >>> bool(step.losses["prior_loss"] > 0)
        True
    """

    loss_name = "shape_consistency"
    needs_labels = False

    def __init__(
        self,
        prior: str = "shape_prior",
        *,
        gamma: float = 1.0,
        learn_for: int | None = None,
        swap: float = 0.2,
        block: int = 1,
        noise: float = 0.1,
        noise_limit: float = 0.2,
        prior_weight: float = 1.0,
        weight: float = 0.1,
        ramp_length: int = 0,
        ramp_kind: Ramp = "sigmoid",
    ) -> None:
        super().__init__(weight, ramp_length=ramp_length, ramp_kind=ramp_kind)
        name, numbers = type(self).__name__, dict(gamma=gamma, noise=noise, noise_limit=noise_limit)
        for key, value in {**numbers, "prior_weight": prior_weight}.items():
            check_range(name, key, value, 0, float("inf"))
        check_range(name, "swap", swap)
        check_range(name, "block", block, 1, float("inf"))
        if learn_for is not None:
            check_range(name, "learn_for", learn_for, 1, float("inf"))
        self.name, self.gamma, self.learn_for, self.swap, self.block = (
            prior, gamma, learn_for, swap, block
        )  # fmt: skip
        self.noise, self.noise_limit, self.prior_weight = noise, noise_limit, prior_weight
        self._learning = False

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model without the auto-encoder, or without iterations to train it."""
        super().on_attach(model)
        name = type(self).__name__
        prior = dict(model.auxiliary.items()).get(self.name)
        if not isinstance(prior, LabelAutoEncoder):
            raise ValueError(
                f"{name}: the model's auxiliary has {sorted(model.auxiliary)} and no "
                f"LabelAutoEncoder called {self.name!r}; add auxiliary=dict({self.name}=dict("
                f"type='LabelAutoEncoder', num_classes={model.num_classes}))"
            )
        if prior.num_classes != model.num_classes:
            raise ValueError(
                f"{name}: auxiliary[{self.name!r}] has num_classes={prior.num_classes}, the "
                f"segmentor {model.num_classes}; give both the same"
            )
        if self.learn_for is None and not model.burn_in:
            raise ValueError(
                f"{name}: with burn_in=0 the prior never learns; give the model a burn_in, or the "
                "hook learn_for=<iterations>"
            )
        self.prior = prior

    def after_loss(self, step: Step) -> None:
        """Train the prior at first; then compare student and teacher."""
        until = step.model.burn_in if self.learn_for is None else self.learn_for
        self._learning = step.iteration < until and step.sup is not None
        loss = self._repair(step) if self._learning else step.model.zero_loss(self.prior)
        step.losses["prior_loss"] = self.prior_weight * loss
        super().after_loss(step)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Update the copy that predicts, until the prior is frozen."""
        if self._learning:
            self.prior.follow(0.0)

    def compare(self, step: Step, name: str) -> Tensor:
        """Squared difference of student and teacher, weighted by plausibility."""
        targets = step.targets[name]
        student, teacher = self.probabilities(step.outputs[name], targets)
        with torch.no_grad():
            prior = self.prior.plausible(teacher.argmax(1))
            weights = plausibility(prior, teacher, self.gamma)
        seen = targets.valid[:, None].expand_as(weights)
        if seen.any():
            step.count("prior/weight", weights[seen].mean() * step.shares[name])
        return weighted_consistency(student, teacher, weights, targets.valid)

    def _repair(self, step: Step) -> Tensor:
        """The loss of the prior on corrupted labeled masks."""
        samples = step.sup.samples if step.sup is not None else []
        maps = [sample.gt_sem_seg.data for sample in samples]
        # Views of one batch are padded to one size by the preprocessor; one map for each anyway.
        labels = torch.cat([self.prior.resized(one) for one in maps])
        # 255 is no class: the network sees the first class there, and it has no loss.
        wrong = swap_labels(labels.where(labels != IGNORE, 0), self.swap, self.block)
        encoded = clipped_noise(self.prior.encode(wrong), self.noise, self.noise_limit)
        return reconstruction_loss(self.prior(encoded).float().sigmoid(), labels)
