"""CW-BASS v2: a strict threshold for a teacher that is right when it is sure, else a floor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.logging import print_log

from ...registry import HOOKS
from ...teacher_student.step import PixelLabels, Step
from ...thresholds.saturation import confidence_floor, precision_range, saturation
from ...validation import check_pair, check_range
from .._parts.held_out import HeldOutFold, Judged
from .threshold_hook import Limits, ThresholdHook

FEW_IMAGES = 8


@HOOKS.register_module()
class ReliabilityGateHook(ThresholdHook):
    """Measure once how right the teacher is where it is sure, and choose a threshold by that.

    CW-BASS v2 (Tarubinga et al.). At iteration `at` the teacher labels the images that `held_out`
    of the `LabeledUnlabeledDataset` keeps out of the training. If at least the share `score` of
    what reaches `score` is right, the threshold stays at `score`: high scores can be trusted. If
    less is, that threshold would choose by the wrong measure, and the floor takes its place:
    `scale` times the running mean of all scores, within `bounds`. Where images drawn anew would
    decide otherwise, the strict threshold stays, too. The log says what was measured.

    Args:
        score: The strict threshold, and the share of right labels that it needs.
        at: Iterations after the burn-in, when the teacher is measured.
        scale: Of the floor, times the mean score.
        momentum: Share of that mean that a step keeps.
        start: The mean before the first step.
        bounds: Lowest and highest floor.
        max_images: Held-out images that are looked at, in all processes together.
        pipeline: Transforms of the held-out images; None: those of the labeled images.

    Examples:
        >>> from ssdet.testing import pixel_step
        >>> hook = ReliabilityGateHook(score=0.95, start=0.6)
        >>> hook.strict = False  # what a measurement may decide
        >>> step = pixel_step([[0.9, 0.5]])
        >>> hook.after_teacher(step)
        >>> step.log["threshold/all"]  # 0.95 (0.99 0.6 + 0.01 0.7)
        tensor(0.5709)
    """

    uncertain_as = "drop"
    one_limit = True

    def __init__(
        self,
        score: float = 0.95,
        *,
        at: int = 0,
        scale: float = 0.95,
        momentum: float = 0.99,
        start: float = 0.6,
        bounds: Sequence[float] = (0.3, 0.95),
        max_images: int = 500,
        pipeline: Sequence[Any] | None = None,
    ) -> None:
        name = type(self).__name__
        for key, value in dict(score=score, scale=scale, momentum=momentum, start=start).items():
            check_range(name, key, value)
        check_range(name, "at", at, 0, float("inf"))
        check_range(name, "max_images", max_images, 1, float("inf"))
        self.score, self.at, self.scale, self.momentum = score, int(at), scale, momentum
        self.bounds = check_pair(name, "bounds", bounds)
        self.max_images, self.pipeline = max_images, pipeline
        self.mean = float(start)
        self.strict: bool | None = None  # not decided yet: strict
        self.fold: HeldOutFold | None = None

    def before_train(self, runner: Any) -> None:
        """Find the held-out images."""
        super().before_train(runner)
        self.fold = HeldOutFold.of_runner(
            type(self).__name__, runner, self.pipeline, self.max_images
        )

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Measure when due, before the step is taken."""
        super().before_train_iter(runner, batch_idx, data_batch)
        model = self.attached_model
        if self.fold is not None and self.strict is None and runner.iter >= model.burn_in + self.at:
            self.decide(self.fold.judged(model, 0))

    def decide(self, judged: Judged) -> None:
        """Choose the threshold by what the teacher said about the held-out images."""
        scores, right, images = judged.scores, judged.right, judged.images
        share, precision = saturation(scores, right, self.score)
        _, high = precision_range(scores, right, images, self.score)
        # Nothing that is sure: there is nothing to trust.
        self.strict = not math.isnan(high) and high >= self.score
        count = len(images.unique())
        few = f" ({count} held-out images are few)" if count < FEW_IMAGES else ""
        kind = f"the strict threshold {self.score:g}" if self.strict else "the floor"
        print_log(
            f"{type(self).__name__}: {share:.1%} of the labels reach {self.score:g}, and "
            f"{precision:.1%} of these are right; {kind} is used from now on{few}",
            logger="current",
        )

    def observe(self, step: Step) -> None:
        """Move the mean of all scores."""
        if isinstance(step.pseudo, PixelLabels):
            scores, count = step.pseudo.scores[step.pseudo.valid], step.pseudo.valid.sum()
        else:
            scores = torch.cat([boxes.scores for boxes in step.pseudo_boxes])
            count = torch.tensor(len(scores), device=scores.device)
        sums = torch.stack([scores.double().sum(), count.double()])
        all_reduce(sums)
        if sums[1] > 0:
            kept = self.momentum * self.mean
            self.mean = kept + (1 - self.momentum) * float(sums[0] / sums[1])
        step.log["gate/mean"] = self.mean
        step.log["gate/strict"] = float(self.strict is not False)

    def limits(self, classes: int, device: torch.device) -> Limits:
        """The same for every class."""
        floor = confidence_floor(self.mean, self.scale, self.bounds)
        value = floor if self.strict is False else self.score
        return Limits(torch.full((classes,), value, device=device))

    def state_dict(self) -> dict[str, Any]:
        """The mean, and the decision if there is one."""
        decided = {} if self.strict is None else {"strict": self.strict}
        return {"mean": self.mean, **decided}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.mean, self.strict = state["mean"], state.get("strict")
