"""The views that the student learned from in a step, for losses without pseudo labels."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ...labels import IGNORE
from ...teacher_student.step import Step


def passed_views(step: Step) -> list[str]:
    """The labeled branch and the strong views with images of their own, as far as passed."""
    names = ["sup"] if step.sup is not None else []
    names += [name for name in step.targets if name not in step.derived]
    return [name for name in names if name in step.outputs]


def passes_together(step: Step, names: list[str]) -> Iterator[list[str]]:
    """Views whose further passes share batch statistics: all in a joint pass, else each alone."""
    yield from [names] if step.model.joint_pass and names else ([name] for name in names)


def shown_labels(step: Step, name: str) -> Tensor:
    """Labels (B, H, W) of a view, annotated ones or the teacher's; 255 where there is none."""
    if name == "sup":
        samples = step.branches[name].samples
        return torch.stack([one.gt_sem_seg.data[0] for one in samples])
    targets = step.targets[name]
    return targets.labels.where(targets.valid, IGNORE)


def valid_pixels(step: Step, name: str, size: torch.Size | tuple[int, int]) -> Tensor:
    """Which pixels (B, h, w) of a view are no padding, in the size of a map."""
    found = shown_labels(step, name) != IGNORE if name == "sup" else step.targets[name].valid
    return F.interpolate(found[:, None].float(), tuple(size), mode="nearest")[:, 0] > 0
