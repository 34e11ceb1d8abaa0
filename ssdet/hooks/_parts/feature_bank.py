"""A memory of features for each class, the same in all processes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .score_history import gathered


class FeatureBank:
    """The latest `size` features of each class; the oldest leave first.

    Args:
        owner: Whose it is, for errors.
        size: Of each class; the first one, mostly the background, may have `first` of them.
        per_step: At most so many of a class, drawn at random, are taken from a step and process.
    """

    def __init__(self, owner: str, size: int, *, first: int | None = None, per_step: int) -> None:
        self.owner, self.size, self.first, self.per_step = owner, size, first or size, per_step
        self.rows: list[Tensor] = []

    def push(self, features: Tensor, members: Tensor, generator: torch.Generator) -> None:
        """Add features (N, D) of all processes to the classes that they are `members` (N, C) of."""
        chosen = [self._drawn(column, generator) for column in members.unbind(1)]
        number = torch.cat([torch.full_like(own, c) for c, own in enumerate(chosen)])
        picked = features.detach().float()[torch.cat(chosen)]
        together = gathered(torch.cat([picked, number[:, None].float()], dim=1))
        rows, classes = together[:, :-1].half(), together[:, -1].long()
        if not self.rows:
            self.rows = [rows[:0] for _ in range(members.shape[1])]
        for c, old in enumerate(self.rows):
            limit = self.size if c else self.first
            # Autocast of bfloat16 refuses to join tensors of the other half precision.
            with torch.autocast(rows.device.type, enabled=False):
                self.rows[c] = torch.cat([old.to(rows.device), rows[classes == c]])[-limit:]

    def draw(
        self, number: int, shape: tuple[int, ...], generator: torch.Generator
    ) -> Tensor | None:
        """Features (*shape, D) of a class, drawn with replacement; None if it has none."""
        if not self.rows or not len(self.rows[number]):
            return None
        own = self.rows[number]
        drawn = torch.randint(len(own), shape, generator=generator).to(own.device)
        return own[drawn].float()

    def _drawn(self, members: Tensor, generator: torch.Generator) -> Tensor:
        """Which features are taken of a class."""
        (places,) = members.nonzero(as_tuple=True)
        if len(places) <= self.per_step:
            return places
        order = torch.randperm(len(places), generator=generator)[: self.per_step]
        return places[order.to(places.device)]

    def state_dict(self) -> dict[str, Any]:
        """The features, in half precision."""
        return {"rows": [own.cpu() for own in self.rows]} if self.rows else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the features."""
        self.rows = list(state.get("rows", []))
