"""A module that learns, and a copy that follows it slowly or stays fixed."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import nn
from typing_extensions import Self

from ..teacher_student.average import move


class Averaged(BaseModule):
    """A module `learner` with a second copy `average`, which never gets a gradient.

    Calling the module calls the learner. The hook that owns it moves the average with `follow`
    and calls `self.average(...)` where it uses what was learned. Both travel with the checkpoint.
    """

    def __init__(self, learner: nn.Module, init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg)
        self.learner = learner
        self.average = copy.deepcopy(learner).requires_grad_(False).eval()

    def forward(self, *inputs: Any) -> Any:
        """The output of the learner."""
        return self.learner(*inputs)

    def train(self, mode: bool = True) -> Self:
        """The average stays in eval mode."""
        super().train(mode)
        self.average.eval()
        return self

    def init_weights(self) -> None:
        """Initialize the learner; the average starts as its copy."""
        super().init_weights()
        self.follow(0.0)

    def is_copy(self) -> bool:
        """Whether the average is what the learner is now."""
        pairs = zip(
            self.average.state_dict().values(), self.learner.state_dict().values(), strict=True
        )
        return all(torch.equal(one, other) for one, other in pairs)

    @torch.no_grad()
    def follow(self, kept: float) -> None:
        """average <- kept * average + (1 - kept) * learner; integer buffers are copied."""
        move(self.average.state_dict(), self.learner.state_dict(), kept)
