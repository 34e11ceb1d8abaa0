"""Sample-adaptive views: images that have become easy get a harder strong view."""

from __future__ import annotations

import zlib
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...labels import IGNORE
from ...losses.pixels import two_channels
from ...mixing import paste
from ...registry import HOOKS
from ...teacher_student.core import STRONG, TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import PixelLabels, Step
from ...thresholds import two_means
from ...validation import check_range
from .._parts.image_names import image_name
from .._parts.model_kind import segmentor_only
from .._parts.score_history import gathered
from ..step_hook import StepHook

SECOND = f"{STRONG}_2"


@HOOKS.register_module()
class SampleAdaptiveHook(StepHook):
    """Half of the strong view of an image that teaches little any more shows another strong view.

    SAA (Gui et al., ICCV 2023): each unlabeled image has a history of its loss. Images below the
    threshold that divides all histories best (Otsu) are naive; the left or the upper half of
    their strong view becomes that of the second one, labels included. So the
    unlabeled images have two strong views, which may show different parts of the image; the
    second one is trained on as it is.

    Args:
        begin: Iterations after the burn-in before views are changed. (SAA waits longer than most
            trainings here last.)
        momentum: Share of the history that a new loss leaves. SAA keeps nearly nothing, 0.001.
        interval: Iterations between two thresholds.

    Examples:
        >>> from ssdet.testing import segmentor, take_step
        >>> step = take_step(segmentor(), SampleAdaptiveHook(), views=2)
        >>> step.log["sample_adaptive/naive"]  # nothing is known of any image
        tensor(0.)
    """

    phase = Phase.MIX
    needs = frozenset({"student_outputs"})

    def __init__(self, *, begin: int = 0, momentum: float = 0.001, interval: int = 50) -> None:
        name = type(self).__name__
        check_range(name, "begin", begin, 0, float("inf"))
        check_range(name, "momentum", momentum, 0, 0.999)
        check_range(name, "interval", interval, 1, float("inf"))
        self.begin, self.momentum, self.interval = begin, momentum, interval
        self.history: dict[int, float] = {}  # by the checksum of a path
        self.threshold = float("-inf")

    def on_attach(self, model: TeacherStudent) -> None:
        """Boxes cannot be cut like pixels."""
        super().on_attach(segmentor_only(self, model, "changes halves of views"))

    def before_student(self, step: Step) -> None:
        """Change the first strong view of naive images."""
        if SECOND not in step.strong:
            raise ValueError(
                f"{type(self).__name__}: mixes two strong views, but the unlabeled images have "
                f"{sorted(step.strong)}. Add 'unsup_student_2' to the views of the unlabeled data"
            )
        first, second = step.strong[STRONG], step.strong[SECOND]
        since = step.iteration - step.model.burn_in
        keys = [_key(sample) for sample in first.samples]
        known = [self.history.get(key, float("inf")) < self.threshold for key in keys]
        naive = torch.tensor(known) if since >= self.begin else torch.zeros(len(keys)).bool()
        step.count("sample_adaptive/naive", naive.float().mean())
        if first.inputs.shape != second.inputs.shape:
            raise ValueError(
                f"{type(self).__name__}: the strong views have the shapes "
                f"{tuple(first.inputs.shape)} and {tuple(second.inputs.shape)}: crop both alike"
            )
        height, width = first.inputs.shape[-2:]
        mask = torch.zeros(len(keys), height, width, dtype=torch.bool)
        left = torch.rand(len(keys), generator=step.generator(type(self).__name__)) < 0.5
        mask[:, :, : width // 2] |= (naive & left)[:, None, None]
        mask[:, : height // 2] |= (naive & ~left)[:, None, None]
        mask = mask.to(first.inputs.device)
        others = step.targets[SECOND].fields()
        fields = step.targets[STRONG].fields()
        first.inputs = paste(first.inputs, second.inputs, mask)
        mixed = {key: paste(value, others[key], mask) for key, value in fields.items()}
        step.targets[STRONG] = PixelLabels(**mixed)

    @torch.no_grad()
    def after_loss(self, step: Step) -> None:
        """Keep the loss of each image; find the threshold now and then."""
        if not step.targets:
            return
        rows = torch.zeros(0, 2, dtype=torch.float64)
        if STRONG in step.outputs:
            values = _losses(step.outputs[STRONG], step.targets[STRONG])
            keys = [_key(sample) for sample in step.strong[STRONG].samples]
            pairs = [[key, value] for key, value in zip(keys, values.tolist(), strict=True)]
            rows = torch.tensor(pairs, dtype=torch.float64)
            rows = rows[values.isfinite().cpu()]
        device = next(step.model.parameters()).device
        for key, value in gathered(rows.to(device)).tolist():
            before = self.history.get(int(key), value)
            self.history[int(key)] = self.momentum * before + (1 - self.momentum) * value
        if len(self.history) > 1 and (step.iteration + 1) % self.interval == 0:
            found = torch.tensor(list(self.history.values()), dtype=torch.float64)
            high, low = two_means(found)
            self.threshold = (high + low) / 2 if high > low else float("-inf")

    def state_dict(self) -> dict[str, Any]:
        """The histories and the threshold."""
        return {"history": dict(self.history), "threshold": self.threshold}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.history, self.threshold = dict(state["history"]), state["threshold"]


def _key(sample: Any) -> int:
    return zlib.crc32(str(image_name(SampleAdaptiveHook.__name__, sample)).encode())


def _losses(logits: Tensor, targets: PixelLabels) -> Tensor:
    """Mean cross entropy (B,) over the pixels of each image that are trained on; nan without."""
    if logits.shape[-2:] != targets.labels.shape[-2:]:
        logits = F.interpolate(logits, targets.labels.shape[-2:], mode="bilinear")
    kept = targets.valid & (targets.weights > 0)
    labels = targets.labels.where(kept, IGNORE).long()
    losses = F.cross_entropy(
        two_channels(logits.float()), labels, ignore_index=IGNORE, reduction="none"
    )
    return losses.sum((1, 2)) / kept.sum((1, 2))
