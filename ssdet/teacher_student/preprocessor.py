"""Batches of several branches through the preprocessor of a plain model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

LABELED = "sup"


class Branches(nn.Module):
    """Run a model's own data preprocessor on each branch of a MultiBranch batch.

    A batch is `{"inputs": {branch: [image or None, ...]}, "data_samples": {branch: [...]}}`; None
    marks a branch that a sample does not have. A plain batch passes through as it is. Further
    views of labeled images (`sup_2`, ...) join the branch `sup`: the student sees all in one pass.
    Batch augmentations of the preprocessor (a random size for the whole batch) move pixels without
    recording it, so the unlabeled branches go without them.
    """

    def __init__(
        self, config: dict[str, Any] | nn.Module | None, build: Callable[[dict[str, Any]], Any]
    ) -> None:
        super().__init__()
        if isinstance(config, dict):
            # MMDetection's wrapper for the same purpose: what it wraps is what is needed here.
            config = build(dict(config.get("data_preprocessor", config)))
        self.inner: Any = config or build({"type": "BaseDataPreprocessor"})

    @property
    def device(self) -> torch.device:
        """Where the preprocessor puts its batches."""
        return self.inner.device

    def cast_data(self, data: Any) -> Any:
        """Move data to the device of the model."""
        return self.inner.cast_data(data)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Normalize, pad and stack each branch that has a sample in this batch."""
        if not isinstance(data["inputs"], dict):
            return self.inner(data, training)
        result: dict[str, dict[str, Any]] = {"inputs": {}, "data_samples": {}}
        for branch, batch in _by_branch(data).items():
            processed = self._process(branch, batch, training)
            for key in result:
                result[key][branch] = processed[key]
        return result

    def _process(self, branch: str, batch: dict[str, Any], training: bool) -> dict[str, Any]:
        augments = getattr(self.inner, "batch_augments", None)
        if branch == LABELED or augments is None:
            return self.inner(batch, training)
        self.inner.batch_augments = None
        try:
            return self.inner(batch, training)
        finally:
            self.inner.batch_augments = augments


def _by_branch(data: dict[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """The images and samples of each branch that has any."""
    found: dict[str, dict[str, list[Any]]] = {}
    for branch, images in data["inputs"].items():
        name = LABELED if branch.startswith(f"{LABELED}_") else branch
        for number, image in enumerate(images):
            if image is not None:
                batch = found.setdefault(name, {"inputs": [], "data_samples": []})
                for key, column in batch.items():
                    column.append(data[key][branch][number])
    return found
