"""What the page says in sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from .run_folder import Line, Run
from .summary import Other, Task, best_mean, gain, gains, may_be_chance, scores

REASONS = {
    "score": "the score is below the threshold",
    "size": "they were too small",
    "uncertainty": "their position was uncertain",
    "jitter": "their position was uncertain",
    "level": "no threshold was passed, and a better box is there or the score is very low",
    "not_mined": "the score is below the threshold; some are queries without a label",
    "stored": "an earlier mined box is there",
}
PANELS = {
    "weak": "The teacher's view and labels",
    "labels": "The teacher's labels",
    "kept": "What the thresholds keep",
    "strong": "What the student learns",
    "truth": "The labels",
    "found": "What the teacher finds",
}
BATCH_TITLES = {
    "labeled": "A labeled batch, with its labels",
    "unlabeled": "An unlabeled batch as the student sees it, with the pseudo labels",
}
FACTS = (
    ("ssdet", "ssdet"),
    ("python", "Python"),
    ("torch", "PyTorch"),
    ("onedl-mmengine", "MMEngine"),
    ("onedl-mmcv", "MMCV"),
    ("onedl-mmdetection", "MMDetection"),
    ("onedl-mmsegmentation", "MMSegmentation"),
    ("numpy", "NumPy"),
    ("device", "Device"),
    ("git_commit", "Commit"),
)


def story(tasks: Sequence[Task]) -> str:
    """One sentence for the head of the page."""
    compared = [(task, points) for task in tasks if (points := gain(task)) is not None]
    if not compared:
        return (
            "What a teacher and a student learned, what was kept of the teacher's labels, and why."
        )
    parts = [f"{points:+.1f} points in {task.metric.task.lower()}" for task, points in compared]
    helped = all(points > 0 for _, points in compared)
    start = "Same labels, same number of iterations; one of the two also has many unlabeled "
    start += "images, and a method that learns from them. "
    return (
        start
        + ("Together they were worth " if helped else "Together they changed the result by ")
        + _and(parts)
        + "."
    )


def headline(task: Task) -> str:
    """The result of a task in one sentence."""
    found, points = scores(task), gain(task)
    name = task.metric.name
    if points is not None:
        best = best_mean(task)
        word = "more" if points >= 0 else "less"
        return (
            f"With unlabeled images the model reaches {best:.1f} {name}, "
            f"{abs(points):.1f} points {word} than the {found['baseline'].mean:.1f} "
            "of the supervised baseline."
        )
    known = [f"{role} {score.mean:.1f}" for role, score in found.items() if score.mean is not None]
    if not known:
        return "No model has been evaluated yet: the numbers appear with the first validation."
    return f"{name} so far: {_and(known)}."


def answer(task: Task) -> str:
    """Whether the unlabeled images helped: yes, no, or unclear from these runs.

    They are what the run has beyond the control run, if there is one, else beyond the baseline.
    """
    over: Other = "control" if task.control else "baseline"
    points, name = gain(task, over), task.metric.name
    if points is None:
        return "It cannot be said: one of the runs has not been evaluated."
    other = "the same training with labeled images in their place" if task.control else (
        "the supervised baseline"
    )  # fmt: skip
    seeds = len(gains(task, over))
    text = f"{points:+.1f} points of {name} over {other}"
    text += f", mean of {seeds} seeds" if seeds > 1 else ", with one seed"
    if may_be_chance(task, over):
        return f"Unclear: {text}, which may be chance. {explained(task)}".strip()
    return f"{'Yes' if points > 0 else 'No'}: {text}. {explained(task)}".strip()


def explained(task: Task) -> str:
    """How much of the gain the method brings without one new image, if a control run tells."""
    points, new = gain(task), gain(task, "control")
    if points is None or new is None:
        return ""
    # Of the rounded numbers, so that the sum is right on the page, too.
    method = round(points, 1) - round(new, 1)
    return (
        f"Of the {points:+.1f} points over the baseline, the method alone (strong views, mixing, "
        f"averaged weights) brings {method:+.1f}, and the unlabeled images {new:+.1f}."
    )


def panel_title(view: str, unit: Any) -> str:
    """What an image of the gallery shows."""
    if view == "weak" and unit == "pixels":
        return "What the teacher sees"
    head, _, number = view.partition("_")
    return PANELS.get(head, view) + (f" (view {number})" if number else "")


def caption(line: Line) -> str:
    """What became of the teacher's labels in one image."""
    text = f"Iteration {line['iter']:,}. "
    dropped = line.get("dropped") or {}
    score = line.get("score")
    sure = f", mean score {score:.2f}" if isinstance(score, float) else ""
    kept = line.get("kept") or 0
    if line.get("unit") == "pixels":
        text += f"{kept:.0%} of the pixels are kept{sure}"
        lost = sum(dropped.values())
        return text + (f"; {lost:.0%} are left out, striped gray." if lost else ".")
    text += f"{_count(kept)} kept{sure if kept else ''}"
    text += f"; {_count(line['ignored'])} ignored" if line.get("ignored") else ""
    for why, number in dropped.items():
        text += f"; {_count(number)} dropped: {REASONS.get(why, why)}" if number else ""
    drawn = line.get("drawn")
    some = isinstance(drawn, int) and drawn < sum(dropped.values())
    return text + (f" (the {drawn} with the highest scores are drawn)." if some else ".")


def facts(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Versions and machine, from the first run that knows them."""
    found = []
    for key, name in FACTS:
        values = (value for run in runs if (value := lookup(run.info, key)) not in (None, ""))
        value = next(values, None)
        if value is not None:
            found.append((name, str(value)))
    return found


def run_facts(run: Run) -> list[str]:
    """Length, seed, data and time of a run, and whether it can be repeated, as far as known."""
    info, found = run.info, []
    if run.last_iteration:
        found.append(f"{run.last_iteration:,} iterations")
    if info.get("seed") is not None:
        found.append(f"seed {info['seed']}")
    train, val = _images(run, "train"), _images(run, "val")
    if train and val:
        found.append(f"{train:,} images to train, {val:,} to validate")
    try:
        times = [datetime.strptime(info[key], "%Y-%m-%dT%H:%M:%S%z") for key in ("start", "end")]
        found.append(f"{(times[1] - times[0]).total_seconds() / 60:.1f} minutes")
    except (KeyError, TypeError, ValueError):
        pass  # it still runs, or did not say
    if info.get("seed") is not None and info.get("device"):
        found.append(_repeatable(run))
    return found


def _repeatable(run: Run) -> str:
    """Whether another run with the seed gives the same numbers, and what does not."""
    on_cpu = str(run.info["device"]).startswith("cpu")
    if on_cpu or re.search(r"\bdeterministic'?\s*[=:]\s*True", run.config):
        return "ssdet rerun gives the same numbers on such a machine"
    return "last digits vary, since a GPU adds in any order without --deterministic"


def image_counts(task: Task) -> str:
    """How many images had labels and how many had none, if the runs of the task say so."""
    base = {_images(run, "train") for run in task.baseline}
    both = {_images(run, "train") for run in task.semi}
    if len(base) != 1 or len(both) != 1:
        return ""
    labeled, total = base.pop(), both.pop()
    if not (labeled and total and labeled < total):
        return ""
    return (
        f"Both learned from the same {labeled:,} labeled images; "
        f"{total - labeled:,} more came without labels."
    )


def _images(run: Run, part: str) -> int | None:
    data = run.info.get("data")
    found = data.get(part) if isinstance(data, dict) else None
    images = found.get("images") if isinstance(found, dict) else None
    return images if isinstance(images, int) else None


def lookup(info: Any, key: str) -> Any:
    """A value by its name, at the top of `run.json` or in one of its groups."""
    if key in info:
        return info[key]
    groups = (value for value in info.values() if isinstance(value, dict))
    return next((group[key] for group in groups if key in group), None)


def _count(number: int) -> str:
    return "1 box" if number == 1 else f"{number} boxes"


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
