"""Is the teacher any good, and what is to be done? The first thing that a page answers."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from ..run_files import CONFIG
from .health import Verdict
from .quality import Counts, kept, reaching
from .run_folder import Run
from .summary import Task, better_model

RIGHT, PARTLY = 0.8, 0.6  # of what is kept; below, much or most of what the student learns is wrong
FOUND = 0.4  # of the objects, below which much is missed
MARGIN = 0.05  # of a score: a threshold that is nearer is the same


def teacher_verdict(run: Run) -> Verdict:
    """How far the labels that a run keeps are right."""
    hidden = _hidden(run)
    if hidden is not None:
        pixels = run.stats[-1].get("unit") == "pixels"
        return _judged(*hidden, pixels, "on the unlabeled images, by their hidden labels")
    counts = ((run.quality or {}).get("models") or {}).get("teacher")
    if counts is None:
        text = "No validation has counted how often its labels are right. Look at them yourself."
        return Verdict("note", "Not known yet", text)
    pixels = (run.quality or {}).get("unit") == "pixels"
    limits = _limits(run, len(counts["truth"]))
    precision, recall = kept(counts, limits, pixels=pixels)
    where = f"on the validation images, with a threshold{_named(limits)}"
    if precision is None or recall is None:
        text = f"No label is kept {where}. Lower it, or lengthen the burn-in (burn_in)."
        return Verdict("bad", "Not yet", text)
    found = _judged(precision, recall, pixels, where)
    advice = _advice(counts, limits, precision, pixels=pixels)
    return Verdict(found.level, found.title, f"{found.text} {advice}".strip())


def next_steps(run: Run, task: Task) -> list[tuple[str, str]]:
    """What to do with a run, each with its command; only what its folder allows."""
    steps = []
    folder = shlex.quote(str(run.path))
    if not (run.path / CONFIG).is_file() or not any((run.path / "checkpoints").glob("*.pth")):
        return []
    if run.role == "semi":
        text = "See the labels of your own images, and try other thresholds"
        steps.append((text, f"ssdet browse {folder}"))
        text = "Find out what to label next, and which labels look wrong"
        steps.append((text, f"ssdet audit {folder}"))
        if not task.baseline:
            config = f"{folder}/{CONFIG}"
            text = "Find out what the unlabeled images are worth: the same without them"
            steps.append((text, f"ssdet train {config} --work-dir {folder}-compared --baseline"))
    model = better_model(task)
    option = " --model student" if model == "student" else ""
    text = f"Use the model ({model})" if model else "Use the model"
    return [*steps, (text, f"ssdet export {folder}{option}")]


def _judged(precision: float, recall: float, pixels: bool, where: str) -> Verdict:
    what = "all pixels" if pixels else "the objects"
    where = f"mean over the classes, {where}" if pixels else where
    text = f"{precision:.0%} of the labels that are kept are right, and {recall:.0%} of {what} "
    text += f"are found ({where})."
    precision = round(precision, 2)  # as it is said
    if precision < PARTLY:
        return Verdict("bad", "No", text)
    if precision < RIGHT:
        return Verdict("note", "In part: some of what it teaches is wrong", text)
    if recall < FOUND:
        return Verdict("note", "In part: what it teaches is right, but much is missed", text)
    return Verdict("good", "Yes", text)


def _advice(counts: Counts, limits: Sequence[float], precision: float, *, pixels: bool) -> str:
    """A better threshold, if there is one."""
    good, wrong = reaching(counts, RIGHT, pixels=pixels), round(precision, 2) < RIGHT
    if good is None:
        return (
            ""
            if not wrong
            else (
                f"No threshold makes {RIGHT:.0%} right: the teacher needs a longer burn-in "
                "(burn_in), pretrained weights or more labels first."
            )
        )
    _, found = kept(counts, [good] * len(limits), pixels=pixels)
    share = f"{RIGHT:.0%} are right from a score of {good:.2f} on, where {found or 0:.0%} are found"
    if wrong:
        return f"Raise the threshold: {share}."
    if good < min(limits) - MARGIN:
        return f"A lower threshold would teach more: {share}."
    return ""


def _limits(run: Run, classes: int) -> list[float]:
    """The thresholds of the classes at the end of the run; 0.5 where it has none."""
    found: Any = next((line["threshold"] for line in run.stats[::-1] if line.get("threshold")), [])
    return [float(v) for v in found] if len(found) == classes else [0.5] * classes


def _named(limits: Sequence[float]) -> str:
    low, high = min(limits), max(limits)
    return f" of {low:.2f}" if high - low < 0.005 else f" of {low:.2f} to {high:.2f}, by class"


def _hidden(run: Run) -> tuple[float, float] | None:
    """Precision and recall of the last pseudo labels against hidden ones, if there are any."""
    truth = run.stats[-1].get("truth") if run.stats else None
    every = truth.get("all") if isinstance(truth, dict) else None
    if not isinstance(every, dict):
        return None
    values = every.get("precision"), every.get("recall")
    numbers = [v for v in values if isinstance(v, (int, float))]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None
