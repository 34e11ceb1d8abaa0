"""A round of a federated training: some iterations from given weights, at one place.

Nothing here talks to anybody; `tools/federated.py` sends the weights, on Flower.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..exits import RunError
from ..registry import RUNNERS
from ..seeds import derive_seed
from .checkpoint_file import write_checkpoint

Weights = dict[str, Tensor]
# What a run of hours has and a round of a minute does without. Signals belong to the main thread.
_OFF = ("run_folder", "stop", "monitor", "report", "checkpoint", "metrics")


@dataclass(frozen=True)
class Round:
    """What a place gives back.

    Attributes:
        student: The floating-point tensors of the student, which are averaged.
        teacher: Those of its average, which stays at the place.
        losses: Of the last iteration.
        scores: Of the evaluation, where the config has one.
    """

    student: Weights
    teacher: Weights
    losses: dict[str, float]
    scores: dict[str, float]


def train_round(
    config: Any,
    folder: str | Path,
    iterations: int,
    *,
    start: Mapping[str, Tensor] | None = None,
    teacher: Mapping[str, Tensor] | None = None,
    number: int = 0,
    evaluate: bool = False,
) -> Round:
    """Train the model of a config for some iterations, from weights of elsewhere.

    Args:
        config: Of a training; its schedules begin anew in each round.
        folder: For the log.
        iterations: Of the round.
        start: Weights of the student. None: as the config initializes it.
        teacher: Of its average, which goes on from them. None: `start`.
        number: Of the round; another one draws other images.
        evaluate: Whether the model is evaluated in the end.
    """
    config = copy.deepcopy(config)
    config.work_dir = str(folder)
    config.launcher, config.resume, config.load_from = "none", False, None
    config.train_cfg.update(max_iters=iterations, val_interval=iterations)
    for name in _OFF:
        config.default_hooks[name] = None
    given = dict(config.get("randomness") or {})
    config.randomness = {**given, "seed": derive_seed(given.get("seed") or 0, number) % 2**31}
    if not evaluate:
        for part in ("val_cfg", "val_dataloader", "val_evaluator"):
            config[part] = None
    for part in ("test_cfg", "test_dataloader", "test_evaluator"):
        config[part] = None
    if start is not None:
        config.load_from = str(Path(folder) / "start.pth")
        write_checkpoint(checkpoint_of(start, teacher or start), Path(config.load_from))
    runner: Any = RUNNERS.build(config)
    runner.train()
    if config.load_from is not None:
        Path(config.load_from).unlink()
    model = runner.model
    numbers = {name: log.data[0] for name, log in runner.message_hub.log_scalars.items()}
    found = Round(
        _averaged(model.student.state_dict()),
        _averaged(model.teacher.state_dict()),
        {k.removeprefix("train/"): float(v[-1]) for k, v in numbers.items() if "loss" in k},
        {
            k.removeprefix("val/"): float(v[-1])
            for k, v in numbers.items()
            if k.startswith(("val/student/", "val/teacher/"))
        },
    )
    if not all(bool(value.isfinite().all()) for value in found.student.values()):
        raise RunError(f"{folder}: the weights of round {number} are not finite; lower the rate")
    return found


def checkpoint_of(
    student: Mapping[str, Tensor], teacher: Mapping[str, Tensor] | None = None
) -> dict[str, Weights]:
    """A checkpoint of averaged weights; batch norm's counters, which are not sent, are 0."""
    named: Weights = {}
    for role, weights in (("student", student), ("teacher", teacher or {})):
        for name, value in weights.items():
            named[f"{role}.{name}"] = value
            layer, _, kind = name.rpartition(".")
            if kind == "running_mean":
                named[f"{role}.{layer}.num_batches_tracked"] = torch.tensor(0)
    return {"state_dict": named}


def _averaged(state: Mapping[str, Tensor]) -> Weights:
    """What can be averaged: no counter of batches."""
    return {
        name: value.detach().cpu().clone()
        for name, value in state.items()
        if torch.is_floating_point(value)
    }
