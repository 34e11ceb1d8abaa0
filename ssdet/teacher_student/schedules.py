"""How a weight or a momentum changes over the iterations."""

import math
from typing import Any, Literal

from mmengine.logging import print_log

from ..validation import check_choice, check_range

Ramp = Literal["linear", "sigmoid", "step"]
MomentumSchedule = Literal["constant", "mean", "linear", "cosine"]


def ramp(t: float, length: float, kind: Ramp = "sigmoid") -> float:
    """Rise from (almost) 0 to 1 over `length` iterations; 1 if there is no length.

    `sigmoid` is exp(-5 (1 - t/length)^2) (Laine & Aila 2017), which starts at 0.0067; `step` is 0
    until then.
    """
    if length <= 0 or t >= length:
        return 1.0
    if kind == "step":
        return 0.0
    share = max(t, 0.0) / length
    return share if kind == "linear" else math.exp(-5.0 * (1.0 - share) ** 2)


def momentum_at(
    t: int,
    momentum: float,
    *,
    schedule: MomentumSchedule = "constant",
    length: int = 0,
    start: float = 0.0,
    gamma: float = 1.0,
) -> float:
    """Kept share of the teacher in update number `t` (from 0).

    `mean` is min(momentum, 1 - gamma/(t+gamma)): the teacher is the running mean of the student
    until the horizon of the momentum is reached. The larger gamma, the more later weights count;
    the very first update copies the student. `linear` and `cosine` go from `start` to
    `momentum` over `length` updates.
    """
    if schedule == "mean":
        return min(momentum, 1.0 - gamma / (t + gamma))
    if schedule == "constant" or length <= 0:
        return momentum
    share = min(t / length, 1.0)
    if schedule == "cosine":
        share = (1.0 - math.cos(math.pi * share)) / 2.0
    return start + (momentum - start) * share


def annealed(t: float, length: float, start: float, end: float) -> float:
    """A weight that goes from `start` (t = 0) to `end` (t >= length) in a straight line."""
    share = min(max(t, 0.0) / length, 1.0)
    return start + (end - start) * share


def checked_ramp(owner: str, setting: dict[str, Any] | None) -> dict[str, Any]:
    """Arguments of `ramp`, from the setting `unsup_ramp`; "step" is logged, for its losses of 0."""
    setting = dict(setting or {"length": 0})
    unknown = sorted(set(setting) - {"length", "kind"})
    if unknown or "length" not in setting:
        raise ValueError(
            f"{owner}: unsup_ramp={setting!r} takes 'length' (iterations) and 'kind' only"
        )
    check_range(owner, "unsup_ramp.length", setting["length"], 0, float("inf"))
    check_choice(owner, "unsup_ramp.kind", setting.get("kind", "sigmoid"), Ramp)
    if setting.get("kind") == "step":
        print_log(
            f"{owner}: unsup_ramp of kind 'step': the unsupervised losses are 0 in the first "
            f"{setting['length']} iterations after the burn-in",
            logger="current",
        )
    return setting
