"""Is a run healthy? Each rule looks at one thing and says in plain words what it found.

A rule returns a `Verdict`, or None where the run has nothing that it could look at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from .run_folder import Line, Run
from .summary import Metric, Task, curve, gain, main_metric, may_be_chance

SILENT_SHARE = 0.2  # of the run without one pseudo label
BEHIND_POINTS = 0.5  # that the teacher may lie below the student
RATIO_HIGH, RATIO_LOW = 4.0, 0.02  # unsupervised / supervised loss
FALL_SHARE = 0.1  # of its best value that a model may lose
SKIPPED = "skipped_steps"
# Warnings of `PseudoLabelMonitorHook` that no rule here covers, with their titles.
NOTICED = {
    "vanished": "A class lost its pseudo labels during the run",
    "flood": "Far more pseudo labels than there are objects",
    "collapse": "Nearly all pseudo labels are of one class",
    "drift": "Pseudo labels have other classes than the labels",
    "shift": "Labeled and unlabeled images look different",
}


@dataclass(frozen=True)
class Verdict:
    """What a rule says: "good", "note" (worth knowing) or "bad" (look at this first)."""

    level: Literal["good", "note", "bad"]
    title: str
    text: str


def verdicts(run: Run, task: Task | None = None) -> list[Verdict]:
    """What all rules say about a run, the bad news first."""
    found = [rule(run) for rule in RULES] + noticed(run)
    if task is not None and run.role == "semi":
        found.append(beats_baseline(task))
    order = {"bad": 0, "note": 1, "good": 2}
    return sorted((v for v in found if v is not None), key=lambda v: order[v.level])


def state(run: Run) -> Verdict | None:
    """Whether the run has come to its end."""
    planned, done = run.info.get("max_iterations"), run.last_iteration
    said = str(run.info.get("state", ""))
    if said.startswith("failed"):
        text = f"It stopped at iteration {done:,}: {said.removeprefix('failed: ')}"
        return Verdict("bad", "This run has failed", text)
    if not run.train and not run.val:
        return Verdict("bad", "Nothing was logged", "The run folder holds no measurement (yet).")
    if not isinstance(planned, int) or done >= planned:
        return None
    text = (
        f"{done:,} of {planned:,} iterations are logged. If the training still goes on, make this "
        "page again later; if it has died, start the same command again with --resume."
    )
    return Verdict("note", "This run is not finished", text)


def silence(run: Run) -> Verdict | None:
    """The longest stretch without a single pseudo label."""
    kept = run.series("pseudo/kept")
    if len(kept) < 3:
        return None
    longest, end = _longest_zero(kept)
    span = kept[-1][0] - kept[0][0] or 1
    if longest < SILENT_SHARE * span:
        return Verdict(
            "good",
            "Pseudo labels throughout the training",
            "There was no long stretch without pseudo labels: the unlabeled images were used.",
        )
    text = (
        f"No pseudo label was kept for {longest:,} iterations in a row (up to iteration "
        f"{end:,}), so the unlabeled images taught nothing. Either the teacher is not good enough "
        "yet (lengthen the burn-in, burn_in) or the threshold is too high."
    )
    return Verdict("bad", "No pseudo labels for a long time", text)


def missing_classes(run: Run) -> Verdict | None:
    """Classes for which not one pseudo label was kept."""
    totals = class_totals(run)
    if not totals:
        return None
    never = [name for name, row in totals.items() if not row["kept"]]
    if not never:
        return Verdict(
            "good",
            "Every class has pseudo labels",
            f"All {len(totals)} classes were pseudo-labeled at least once.",
        )
    proposed = [name for name in never if totals[name]["proposed"]]
    why = (
        f" The teacher did propose {_listed(proposed)}, but never with a score above the threshold:"
        " a threshold for each class may help."
        if proposed
        else " The teacher never even proposed them: are there labeled examples?"
    )
    text = f"No pseudo label was ever kept for {_listed(never)}.{why}"
    return Verdict("bad", f"{len(never)} of {len(totals)} classes never have pseudo labels", text)


def teacher_behind(run: Run) -> Verdict | None:
    """The teacher should be at least as good as its student."""
    metric = main_metric(run)
    teacher, student = curve(run, metric, "teacher"), curve(run, metric, "student")
    if not (teacher and student):
        return None
    lead = teacher[-1][1] - student[-1][1]
    values = f"{teacher[-1][1]:.1f} against {student[-1][1]:.1f} {metric.name}"
    if lead >= -BEHIND_POINTS:
        text = f"At the end the teacher reaches {values} of the student."
        return Verdict("good", "The teacher keeps up with its student", text)
    text = (
        f"At the end the teacher reaches {values} of the student. It lags: the momentum "
        "of the average is too high for a run of this length, or a shorter warm-up is needed."
    )
    return Verdict("bad", "The teacher is worse than its student", text)


def loss_ratio(run: Run) -> Verdict | None:
    """Neither the supervised nor the unsupervised loss should dominate."""
    pairs = [_losses(line) for line in run.train]
    pairs = [p for p in pairs if p[0] > 0 and math.isfinite(sum(p))]
    pairs = pairs[-max(len(pairs) // 4, 1) :]
    if run.role != "semi" or not pairs:
        return None
    ratio = fmean(u for _, u in pairs) / fmean(s for s, _ in pairs)
    text = f"In the last quarter, the unsupervised loss is {ratio:.2g} times the supervised one"
    if ratio > RATIO_HIGH:
        text += ": the labeled images hardly count. Lower unsup_weight."
        return Verdict("bad", "The unsupervised loss dominates", text)
    if ratio < RATIO_LOW:
        text += ": the unlabeled images hardly count. Raise unsup_weight or lower the threshold."
        return Verdict("note", "The unsupervised loss hardly counts", text)
    return Verdict("good", "Supervised and unsupervised loss are in balance", text + ".")


def not_finite(run: Run) -> Verdict | None:
    """Steps that were skipped because of numbers that are not finite."""
    skipped = max((value for _, value in run.series(SKIPPED)), default=0.0)
    broken = [i["iter"] for i in run.train if any(_broken(v) for k, v in i.items() if "loss" in k)]
    if not skipped and not broken:
        return None
    text = "Some losses were infinite or not a number"
    text += f", first logged at iteration {broken[0]:,}" if broken else ""
    text += f"; {skipped:.0f} steps were skipped" if skipped else ""
    text += ". Lower the learning rate or clip the gradient (optim_wrapper.clip_grad)."
    return Verdict("bad", "Losses that are not finite", text)


def fallen(run: Run) -> Verdict | None:
    """Whether the last model is about as good as the best one."""
    metric = main_metric(run)
    points = _shipped(run, metric)
    if len(points) < 3:
        return None
    where, best = max(points, key=lambda p: p[1])
    last = points[-1][1]
    if best - last <= FALL_SHARE * abs(best):
        return None
    text = (
        f"{metric.name} was {best:.1f} at iteration {where:,} and is {last:.1f} now. The best "
        "checkpoint is kept; wrong pseudo labels that confirm themselves are a usual cause."
    )
    return Verdict("note", "The best model is not the last one", text)


def noticed(run: Run) -> list[Verdict]:
    """What the monitor said while the run went on."""
    return [
        Verdict(
            "note" if line["key"] in ("drift", "shift") else "bad",
            NOTICED[line["key"]],
            f"Iteration {line['iter']:,}: {line.get('seen', '')} {line.get('advice', '')}".strip(),
        )
        for line in run.advice
        if line.get("key") in NOTICED
    ]


def unreadable(run: Run) -> Verdict | None:
    """What could not be read in the run folder."""
    if not run.problems:
        return None
    shown = " ".join(run.problems[:3])
    more = len(run.problems) - 3
    text = shown + (f" And {more} more." if more > 0 else "")
    return Verdict("note", "Parts of the run folder could not be read", text)


def beats_baseline(task: Task) -> Verdict | None:
    """Whether the semi-supervised training was of any use."""
    points = gain(task)
    if points is None:
        return None
    if points >= 0.05 and may_be_chance(task):
        text = (
            f"{points:+.1f} points of {task.metric.name} over the baseline on the same labels may "
            "be chance. Train both with other seeds, too."
        )
        return Verdict("note", "Semi-supervised training may have helped", text)
    if points >= 0.05:
        text = f"{points:+.1f} points of {task.metric.name} over the baseline on the same labels."
        return Verdict("good", "Semi-supervised training helped", text)
    text = (
        f"{points:+.1f} points of {task.metric.name} against the baseline on the same labels. See "
        "the other verdicts for a reason; if there is none, more unlabeled images of the same "
        "kind, or a longer run, are what usually helps."
    )
    return Verdict("bad", "Semi-supervised training did not help", text)


RULES: tuple[Callable[[Run], Verdict | None], ...] = (
    state,
    silence,
    missing_classes,
    teacher_behind,
    loss_ratio,
    not_finite,
    fallen,
    unreadable,
)


def class_totals(run: Run) -> dict[str, dict[str, float]]:
    """Proposed and kept labels and the mean score of the kept ones, for each class of the run."""
    totals: dict[str, dict[str, float]] = {}
    for line in run.stats:
        columns = (line.get(k) or [] for k in ("classes", "proposed", "kept", "score"))
        rows = zip(*columns, strict=False)
        for name, proposed, kept, score in rows:
            row = totals.setdefault(str(name), {"proposed": 0, "kept": 0, "score": 0.0})
            row["proposed"] += proposed
            row["kept"] += kept
            row["score"] += (score or 0.0) * kept
    for row in totals.values():
        row["score"] = row["score"] / row["kept"] if row["kept"] else math.nan
    return totals


def _longest_zero(points: Sequence[tuple[int, float]]) -> tuple[int, int]:
    """Length and end of the longest stretch of zeros, in iterations."""
    longest, end, start = 0, 0, None
    previous = points[0][0]
    for iteration, value in points:
        if value > 0:
            start = None
        else:
            start = previous if start is None else start
            if iteration - start > longest:
                longest, end = iteration - start, iteration
        previous = iteration
    return longest, end


def _losses(line: Line) -> tuple[float, float]:
    """Sums of the supervised and of the unsupervised losses of a line."""
    sums = []
    for prefix in ("sup_", "unsup_"):
        values = [v for k, v in line.items() if k.startswith(prefix) and "loss" in k]
        sums.append(float(sum(v for v in values if isinstance(v, (int, float)))))
    return sums[0], sums[1]


def _shipped(run: Run, metric: Metric) -> list[tuple[int, float]]:
    return curve(run, metric, "teacher") or curve(run, metric)


def _broken(value: object) -> bool:
    """A number that is not finite; the metrics file writes it as null."""
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _listed(names: Sequence[str], most: int = 8) -> str:
    quoted = [f"“{name}”" for name in names[:most]]
    more = len(names) - most
    if more > 0:
        return ", ".join(quoted) + f" and {more} more"
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + f" and {quoted[-1]}"
