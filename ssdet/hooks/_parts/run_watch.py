"""Rules that say, while a run goes on, that something about its pseudo labels is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...engine.checkpoint_hook import HEADLINES

FLOOD = 3.0  # pseudo labels in an image, as a multiple of the labeled objects in one
ONE_CLASS, USUAL_SHARE = 0.95, 0.7  # of all pseudo labels; and of the labels, at most
DRIFT = 0.5  # share of the pseudo labels that would have to change their class
SHIFT = 2.0  # distance of the mean images, in standard deviations between images
BEHIND, FALLEN = 0.02, 0.1  # shares of the student's, and of the best, value


@dataclass(frozen=True)
class Advice:
    """What was noticed, once in a run: a key, what was seen, and what to do about it."""

    key: str
    seen: str
    advice: str

    def __str__(self) -> str:
        return f"{self.seen} {self.advice}"


@dataclass
class RunWatch:
    """Looks at the counts of each interval and at each validation, and speaks up once of each kind.

    Args:
        patience: Intervals in a row after which a state is a finding.
        evaluations: Evaluations in a row after which it is one.
        labels: Labels of each class in the labeled data, and `amount` the images they lie in;
            empty where they are not known.
    """

    patience: int = 5
    evaluations: int = 3
    labels: Sequence[float] = ()
    amount: float = 0.0
    said: list[str] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    ever: list[int] = field(default_factory=list)
    seen: int = 0
    metrics: list[dict[str, float]] = field(default_factory=list)

    def look(self, line: dict[str, Any]) -> list[Advice]:
        """The new findings after one more interval."""
        self.lines = [*self.lines, line][-self.patience :]
        self.seen += 1
        findings = list(self._findings()) if len(self.lines) == self.patience else []
        kept = line["kept"]
        self.ever = [a + b for a, b in zip(self.ever or [0] * len(kept), kept, strict=True)]
        return self._new(findings)

    def validated(self, metrics: dict[str, Any]) -> list[Advice]:
        """The new findings after one more validation."""
        values = headline(metrics)
        if not values:
            return []
        self.metrics.append(values)
        return self._new([f for rule in (_behind, _falling) if (f := rule(self)) is not None])

    def state_dict(self) -> dict[str, Any]:
        """What was seen and said so far."""
        names = ("said", "lines", "ever", "seen", "metrics")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        for name, value in state.items():
            setattr(self, name, value)

    def _new(self, findings: list[Advice]) -> list[Advice]:
        new = [one for one in findings if one.key not in self.said]
        self.said += [one.key for one in new]
        return new

    def _findings(self) -> Iterator[Advice]:
        for rule in RULES:
            found = rule(self)
            if found is not None:
                yield found

    @property
    def span(self) -> str:
        """Which iterations the last lines are about, in words."""
        first, last = self.lines[0]["iter"], self.lines[-1]["iter"]
        return f"iterations {first - self.lines[0]['iterations'] + 1:,} to {last:,}"

    def sums(self, key: str = "kept") -> list[int]:
        """A column of the last lines, added up."""
        return [sum(values) for values in zip(*(one[key] for one in self.lines), strict=True)]


def _silent(watch: RunWatch) -> Advice | None:
    if any(watch.sums()):
        return None
    proposed = sum(watch.sums("proposed"))
    advice = (
        "The threshold is higher than every score: lower it, or use thresholds that adapt."
        if proposed
        else "The teacher finds nothing at all: lengthen the burn-in (burn_in), or start from "
        "pretrained weights (load_from)."
    )
    return Advice(
        "silent", f"No pseudo label was kept in {watch.span}: no unlabeled image is used.", advice
    )


def _vanished(watch: RunWatch) -> Advice | None:
    kept = watch.sums()
    if not any(kept):
        return None
    names = watch.lines[-1]["classes"]
    before = watch.ever or [0] * len(kept)
    gone = [i for i, n in enumerate(kept) if not n and before[i] >= watch.patience]
    known = watch.labels if len(watch.labels) == len(kept) else [0.0] * len(kept)
    late = watch.seen >= 2 * watch.patience
    never = [i for i, n in enumerate(kept) if late and not n and not before[i] and known[i] > 0]
    if not gone and not never:
        return None
    which = _listed([names[i] for i in gone or never])
    state = "has no pseudo labels any more" if gone else "never had a pseudo label"
    return Advice(
        "vanished",
        f"Class {which} {state} ({watch.span}); the student learns it as background.",
        "Give it a threshold of its own (LabelDistributionThresholdHook, or score=dict(...) of "
        "FixedThresholdHook).",
    )


def _flood(watch: RunWatch) -> Advice | None:
    line, images = watch.lines[-1], sum(one["images"] for one in watch.lines)
    if line["unit"] != "boxes" or not watch.amount or not sum(watch.labels):
        return None
    usual, now = sum(watch.labels) / watch.amount, sum(watch.sums()) / max(images, 1)
    if now <= FLOOD * usual:
        return None
    return Advice(
        "flood",
        f"{now:.1f} pseudo labels are kept in an image, and labeled images have {usual:.1f} "
        f"objects ({watch.span}).",
        "Raise the threshold; many labels of one object hint at the NMS of the teacher's test_cfg.",
    )


def _collapse(watch: RunWatch) -> Advice | None:
    kept = watch.sums()
    if len(kept) < 2 or not sum(kept):
        return None
    top = max(range(len(kept)), key=kept.__getitem__)
    usual = _share(watch.labels, top)
    if kept[top] < ONE_CLASS * sum(kept) or usual is None or usual > USUAL_SHARE:
        return None
    name = watch.lines[-1]["classes"][top]
    return Advice(
        "collapse",
        f"{kept[top] / sum(kept):.0%} of the pseudo labels are “{name}”, which has {usual:.0%} of "
        f"the labels ({watch.span}).",
        "The teacher confirms itself: lower unsup_weight, lengthen the burn-in, or use thresholds "
        "for each class (LabelDistributionThresholdHook).",
    )


def _drift(watch: RunWatch) -> Advice | None:
    values = [one.get("drift") for one in watch.lines]
    if any(value is None or value <= DRIFT for value in values):
        return None
    return Advice(
        "drift",
        f"Pseudo labels and labels have different classes: {values[-1]:.0%} of the pseudo labels "
        f"would have to change theirs ({watch.span}).",
        "If the unlabeled images really differ, all is well; else see the counts of each class in "
        "the report, and use thresholds for each class.",
    )


def _shifted(watch: RunWatch) -> Advice | None:
    value = watch.lines[-1].get("image_shift")
    if value is None or value <= SHIFT:
        return None
    return Advice(
        "shift",
        "Labeled and unlabeled images look different: their mean colors are "
        f"{value:.1f} standard deviations apart.",
        "Check that both come from the same source and pass through the same color conversion.",
    )


def _behind(watch: RunWatch) -> Advice | None:
    last = watch.metrics[-watch.evaluations :]
    pairs = [(one["teacher"], one["student"]) for one in last if {"teacher", "student"} <= {*one}]
    if len(pairs) < watch.evaluations:
        return None
    if not all(student > 0 and teacher < student * (1 - BEHIND) for teacher, student in pairs):
        return None
    return Advice(
        "behind",
        f"The teacher was worse than its student in the last {len(pairs)} evaluations "
        f"({pairs[-1][0]:.3g} against {pairs[-1][1]:.3g}).",
        "It lags behind: lower the momentum of TeacherEMAHook, or let it warm up.",
    )


def _falling(watch: RunWatch) -> Advice | None:
    values = [one.get("teacher", one.get("model", 0.0)) for one in watch.metrics]
    best, last = max(values), values[-watch.evaluations :]
    if len(values) <= watch.evaluations or max(last) >= best * (1 - FALLEN):
        return None
    return Advice(
        "falling",
        f"The validation has fallen: {last[-1]:.3g} after {best:.3g}, lower in "
        f"{len(last)} evaluations in a row.",
        "The best checkpoint is kept. Stop here, or lower unsup_weight or the learning rate.",
    )


RULES: tuple[Callable[[RunWatch], Advice | None], ...] = (
    _silent,
    _vanished,
    _flood,
    _collapse,
    _drift,
    _shifted,
)


def headline(metrics: dict[str, Any]) -> dict[str, float]:
    """The main metric of the teacher and of the student, or of the only "model"."""
    for name in HEADLINES:
        found = {}
        for key, value in metrics.items():
            role, _, rest = key.partition("/")
            if key.endswith(name) and isinstance(value, (int, float)):
                found[role if role in ("teacher", "student") and rest else "model"] = float(value)
        if found:
            return found
    return {}


def distance_of_classes(kept: Sequence[float], labels: Sequence[float]) -> float | None:
    """The share of the pseudo labels that has other classes than the labels; None if unknown."""
    if len(kept) != len(labels) or not sum(kept) or not sum(labels):
        return None
    shares = zip(kept, labels, strict=True)
    return 0.5 * sum(abs(k / sum(kept) - n / sum(labels)) for k, n in shares)


def _share(values: Sequence[float], place: int) -> float | None:
    total = float(sum(values))
    return values[place] / total if place < len(values) and total else None


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
