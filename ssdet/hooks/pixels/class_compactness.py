"""SS-Net: pixels of a class are pulled to remembered ones of it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...labels import IGNORE
from ...losses.compactness import class_distances
from ...models.compactness_head import CompactnessHead
from ...ranks import any_rank
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.schedules import Ramp, ramp
from ...teacher_student.step import Step
from ...validation import check_choice, check_range
from .._parts.feature_bank import FeatureBank
from .._parts.model_kind import segmentor_only
from .._parts.student_views import passed_views, valid_pixels
from ..step_hook import StepHook


@HOOKS.register_module()
class ClassCompactnessHook(StepHook):
    """Pull the features of each class to remembered ones of annotated pixels.

    SS-Net (Wu et al., MICCAI 2022). Projected features of annotated pixels that are predicted
    rightly are remembered for each class. Every pixel's feature, projected and predicted by a
    `CompactnessHead`, has to point as those of its class do: the annotated class, or for
    unlabeled images the predicted one. `unsup_loss_compact` is the mean of 1 - cosine over pixels,
    which a learned selection weighs, and over remembered features.

    Args:
        head: Name of the `CompactnessHead` in the model's `auxiliary`.
        rows: Features that are remembered of each class.
        weight: Factor on the loss.
        ramp_length: Iterations after the burn-in over which the factor rises.
        ramp_kind: "sigmoid", exp(-5 (1 - t/length)^2), or "linear".
        samples: Pixels of each view that learn, drawn at random.
        background: A class that is not remembered, and so not pulled together; None: all are.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> head = dict(type="CompactnessHead", in_channels=8, num_classes=4)
        >>> step = take_step(segmentor(auxiliary=dict(compactness=head)), ClassCompactnessHook())
        >>> step.losses["unsup_loss_compact"].ndim
        0
    """

    phase = Phase.MEMORY
    needs = frozenset({"student_outputs", "pixel_features"})
    learns_without_labels = True

    def __init__(
        self,
        *,
        head: str = "compactness",
        rows: int = 32,
        weight: float = 0.01,
        ramp_length: int = 0,
        ramp_kind: Ramp = "sigmoid",
        samples: int = 65536,
        background: int | None = 0,
    ) -> None:
        name = type(self).__name__
        for key, value in dict(rows=rows, samples=samples).items():
            check_range(name, key, value, 2, float("inf"))
        check_range(name, "weight", weight, 0, float("inf"))
        check_range(name, "ramp_length", ramp_length, 0, float("inf"))
        check_choice(name, "ramp_kind", ramp_kind, Ramp)
        self.head, self.weight, self.samples = head, weight, int(samples)
        self.ramp_length, self.ramp_kind, self.background = ramp_length, ramp_kind, background
        self.bank = FeatureBank(name, int(rows), per_step=int(rows))

    def on_attach(self, model: TeacherStudent) -> None:
        """Refuse a model that is no segmentor, or has no such head."""
        model = segmentor_only(self, model, "compares features of pixels")
        found = dict(model.auxiliary.items()).get(self.head)
        if not isinstance(found, CompactnessHead) or found.num_classes != model.num_classes:
            raise ValueError(
                f"{type(self).__name__}: the model's auxiliary {self.head!r} must be a "
                f"CompactnessHead of its {model.num_classes} classes. Set auxiliary=dict("
                f"{self.head}=dict(type='CompactnessHead', in_channels=..., "
                f"num_classes={model.num_classes}))."
            )
        super().on_attach(model)

    def after_loss(self, step: Step) -> None:
        """Remember the annotated pixels of this step, and pull all to what is remembered."""
        head: Any = step.model.auxiliary[self.head]
        loss = step.model.zero_loss(head)
        generator = step.generator(type(self).__name__)
        views = [name for name in passed_views(step) if name in step.pixel_features]
        self._remember(step, head, "sup" in views, generator)
        since = step.iteration - step.model.burn_in
        if since >= 0:
            for name in views:
                loss = loss + self._loss(step, head, name, generator)
        factor = self.weight * ramp(since, self.ramp_length, self.ramp_kind) if since >= 0 else 0.0
        step.losses["unsup_loss_compact"] = loss * factor

    def _remember(self, step: Step, head: Any, labeled: bool, generator: torch.Generator) -> None:
        """Annotated pixels that are predicted rightly, of all processes."""
        classes = step.model.num_classes
        features = head.projection[0].weight.new_zeros(0, head.projection[0].in_features)
        labels = features.new_zeros(0, dtype=torch.long)
        if labeled:
            features, labels, predicted = self._pixels(step, "sup")
            right = labels == predicted
            features, labels = features[right], labels[right]
        members = F.one_hot(labels, classes).bool()
        if self.background is not None:
            members[:, self.background] = False
        self.bank.push(head.remembered(features), members, generator)
        step.count("compactness/remembered", sum(map(len, self.bank.rows)))

    def _loss(self, step: Step, head: Any, name: str, generator: torch.Generator) -> Tensor:
        features, labels, _ = self._pixels(step, name)
        if len(features) > self.samples:
            drawn = torch.randperm(len(features), generator=generator)[: self.samples]
            features, labels = (one[drawn.to(one.device)] for one in (features, labels))
        few = len(features) < 2  # batch norm needs two
        if not any_rank(not few):
            return features.sum() * 0.0
        # Under SyncBN other processes wait for this one: zeros take the pass, and teach nothing.
        predicted, weights = head(features.new_zeros(2, features.shape[1]) if few else features)
        if few:
            return (predicted.sum() + weights.sum() + features.sum()) * 0.0
        return class_distances(predicted, labels, self.bank.rows, weights)

    def _pixels(self, step: Step, name: str) -> tuple[Tensor, Tensor, Tensor]:
        """Features (N, D) of the pixels of a view, their classes, and the predicted ones."""
        model: Any = step.model
        maps = step.pixel_features[name]
        size = maps.shape[-2:]
        valid = valid_pixels(step, name, size)
        predicted = model.probabilities(step.outputs[name].detach()).argmax(1)
        labels = predicted
        if name == "sup":
            given = torch.stack([one.gt_sem_seg.data[0] for one in step.branches[name].samples])
            labels = F.interpolate(given[:, None].float(), size, mode="nearest")[:, 0].long()
            valid &= labels != IGNORE
        features = maps.movedim(1, -1)[valid]
        return features.float(), labels[valid], predicted[valid]

    def state_dict(self) -> dict[str, Any]:
        """What is remembered."""
        return self.bank.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what is remembered."""
        self.bank.load_state_dict(state)
