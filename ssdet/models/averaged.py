"""A part that learns, and a copy that follows it slowly or stands still."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import nn
from typing_extensions import Self


class Averaged(BaseModule):
    """A module `learner` with a second copy `average`, which never gets a gradient.

    Calling the module calls the learner. The hook that owns it moves the average with `follow`
    and asks `self.average(...)` where it uses what was learnt. Both travel with the checkpoint.
    """

    def __init__(self, learner: nn.Module, init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg)
        self.learner = learner
        self.average = copy.deepcopy(learner).requires_grad_(False).eval()

    def forward(self, *inputs: Any) -> Any:
        """What the learner says."""
        return self.learner(*inputs)

    def train(self, mode: bool = True) -> Self:
        """The average stays in eval mode."""
        super().train(mode)
        self.average.eval()
        return self

    def init_weights(self) -> None:
        """Initialise the learner; the average starts as its copy."""
        super().init_weights()
        self.follow(0.0)

    @torch.no_grad()
    def follow(self, kept: float) -> None:
        """average <- kept * average + (1 - kept) * learner; integer buffers are copied."""
        learnt = self.learner.state_dict()
        for key, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(learnt[key].to(value.dtype), 1.0 - kept)
            else:
                value.copy_(learnt[key])

    def zero_loss(self) -> torch.Tensor:
        """Zero, connected to every parameter that learns, so that no process waits for it."""
        return torch.stack([p.sum() for p in self.learner.parameters()]).sum() * 0.0
