"""Which charts and tables a page has, and what they say to the reader."""

from __future__ import annotations

import math
from typing import Any

from .charts import Series, line_chart, smooth
from .health import class_totals
from .run_folder import Line, Run
from .summary import Task, baseline_curve, better_model, curve, scores

LEGEND = (
    ("kept", "solid, in the color of its class: kept, the student learns it"),
    ("ignored", "hatched: ignored, no loss is taken there"),
    ("dropped", "dashed gray: dropped; the number is the teacher's score"),
)
MODELS = (
    ("baseline", "Baseline", "labeled images only"),
    ("control", "Control", "the method, labeled images in the place of the unlabeled ones"),
    ("student", "Student", "labeled images and pseudo labels"),
    ("teacher", "Teacher", "average of the student"),
)
AVERAGED = "labeled images only; the better of its plain and its averaged weights"


def table_rows(task: Task) -> list[dict[str, Any]]:
    """Baseline, student and teacher with their final values, and bars to compare them by."""
    found = scores(task)
    top = max((s.mean for s in found.values() if s.mean is not None), default=0.0)
    averaged = any(curve(run, task.metric, "teacher") for run in task.baseline)
    better = better_model(task)
    rows = []
    for role, name, what in MODELS:
        score, base = found[role], found["baseline"].mean
        if score.mean is None:
            continue
        lead = None if base is None or role == "baseline" else f"{score.mean - base:+.1f}"
        rows.append(
            {
                "role": role,
                "name": name,
                "what": (AVERAGED if role == "baseline" and averaged else what)
                + ("; use this one" if role == better else ""),
                "value": f"{score.mean:.1f}"
                + ("" if score.deviation is None else f" ± {score.deviation:.1f}"),
                "each": [f"{v:.1f}" for v in score.values] if len(score.values) > 1 else [],
                "gain": lead,
                "share": f"{100 * max(score.mean, 0) / top:.1f}" if top > 0 else "0",
            }
        )
    return rows


def task_chart(task: Task) -> dict[str, Any] | None:
    """The metric of all models over the iterations."""
    series = [
        Series("baseline", baseline_curve(run, task.metric), "baseline", dots=True)
        for run in task.baseline
    ]
    series += [
        Series("control", baseline_curve(run, task.metric), "control", dots=True)
        for run in task.control
    ]
    for role in ("student", "teacher"):
        series += [
            Series(role, curve(run, task.metric, role), role, dots=True) for run in task.semi
        ]
    what = f"{task.metric.name} on validation images that no model has trained on."
    return _chart(f"{task.metric.name} over the training", series, what, floor=0.0)


def run_charts(run: Run, task: Task) -> list[dict[str, Any]]:
    """Losses, pseudo labels, their scores and thresholds: whatever of it was logged."""
    semi = run.role != "baseline"
    labeled = _sum(run, "sup_") if semi else run.series("loss")
    charts = [
        _chart(
            "Losses",
            [
                *_smoothed("on labels", labeled, "c0"),
                *_smoothed("on pseudo labels", _sum(run, "unsup_"), "c1"),
            ],
            (
                "How wrong the student is on labeled images (should fall) and on the teacher's "
                "labels (may rise while more of them are kept). Neither should drown the other."
                if semi
                else "How wrong the model is on the labeled images; it should fall."
            ),
            log=True,
        )
    ]
    pixels = any(line.get("unit") == "pixels" for line in [*run.stats, *run.gallery])
    amounts = [("kept", "pseudo/kept"), ("ignored", "pseudo/ignored")]
    amounts += [
        (key.removeprefix("pseudo/").replace("_", ": "), key)
        for key in run.logged()
        if key.startswith("pseudo/dropped_")
    ]
    series = [
        line
        for number, (name, key) in enumerate(amounts)
        if any(value for _, value in run.series(key))
        for line in _smoothed(name, run.series(key), f"c{number + 1}")
    ]
    what = "Share of the pixels" if pixels else "Boxes in an image"
    charts.append(
        _chart(
            "Pseudo labels kept",
            series,
            f"{what} that the teacher labeled and that were kept for the student. "
            "Zero for long means that the unlabeled images are not used.",
            floor=0.0,
        )
    )
    charts.append(
        _chart(
            "Confidence of the teacher",
            _smoothed("mean score of what is kept", run.series("pseudo/score"), "teacher"),
            "The mean score of the labels that were kept, from 0 to 1; nothing kept counts as 0.",
            floor=0.0,
        )
    )
    charts.append(_thresholds(run))
    charts += [*_monitored(run), *_pace(run)]
    return [chart for chart in charts if chart]


def class_rows(run: Run) -> list[dict[str, Any]]:
    """For each class: how much was proposed and kept, and how confident the teacher was."""
    totals = class_totals(run)
    most = max((row["proposed"] for row in totals.values()), default=0) or 1
    return [
        {
            "name": name,
            "proposed": _amount(row["proposed"]),
            "kept": _amount(row["kept"]),
            "share": f"{row['kept'] / row['proposed']:.0%}" if row["proposed"] else "–",
            "score": "–" if math.isnan(row["score"]) else f"{row['score']:.2f}",
            # The length of a bar goes with the root: a background of pixels dwarfs all else.
            "width": f"{100 * math.sqrt(row['proposed'] / most):.1f}",
            "filled": f"{100 * row['kept'] / row['proposed']:.1f}" if row["proposed"] else "0",
            **_truth(run.stats[-1], name),
        }
        for name, row in totals.items()
    ]


def _truth(line: Line, name: str) -> dict[str, str]:
    """Precision and recall of a class at the end, where hidden labels were given."""
    names, truth = line.get("classes") or [], line.get("truth")
    if not isinstance(truth, dict) or name not in names:
        return {"precision": "", "recall": ""}
    values = {key: truth[key][names.index(name)] for key in ("precision", "recall")}
    return {key: "–" if v is None else f"{v:.2f}" for key, v in values.items()}


def _thresholds(run: Run) -> dict[str, Any] | None:
    keys = [key for key in run.logged() if key.startswith("threshold/")]
    series = [
        Series(key.removeprefix("threshold/"), run.series(key), f"c{number % 8}")
        for number, key in enumerate(keys)
    ]
    what = "The score that a label of the teacher must reach to be kept, where it moves."
    return _chart("Thresholds", series, what)


def _monitored(run: Run) -> list[dict[str, Any] | None]:
    """What the monitor measured: agreement, the distance of the classes, hidden labels."""
    pair = [
        Series("agreement of the labels", _column(run, "agreement"), "c0", dots=True),
        Series("distance of the weights", _column(run, "weight_distance"), "c2"),
    ]
    classes = [Series("distance of the classes", _column(run, "drift"), "c3")]
    truth = [
        Series(f"{name} of what is kept", _column(run, "truth", "all", name), color)
        for name, color in (("precision", "c0"), ("recall", "c1"), ("iou", "c4"))
    ]
    truth.append(
        Series("precision of what is dropped", _column(run, "truth", "all", "dropped_precision"),
               "c2")
    )  # fmt: skip
    return [
        _chart(
            "Are the pseudo labels right?",
            truth,
            "Measured against labels that the training never sees. Correct labels among the "
            "dropped ones mean that the threshold is too high.",
            floor=0.0,
        ),
        _chart(
            "Teacher and student",
            pair,
            "How far the student finds the teacher's labels (1: all of them), and how far their "
            "weights are apart. A student that has nothing left to learn agrees fully.",
            floor=0.0,
        ),
        _chart(
            "Classes of the pseudo labels",
            classes,
            "The share of the pseudo labels that would need another class to be distributed like "
            "the labels; it should stay low if both kinds of images are alike.",
            floor=0.0,
        ),
    ]


def _pace(run: Run) -> list[dict[str, Any] | None]:
    """What sets the pace: momentum, learning rate, and the time of a step."""
    momentum = [Series("kept of the teacher", _column(run, "momentum"), "teacher")]
    rate = [Series("learning rate", run.series("lr"), "c0")]
    time = [
        *_smoothed("a whole step", run.series("time"), "c0"),
        *_smoothed("of it, waiting for images", run.series("data_time"), "c5"),
    ]
    return [
        _chart(
            "Momentum of the teacher",
            momentum,
            "The share of the teacher that stays when it takes over a part of the student. The "
            "higher it is, the longer the teacher remembers.",
        ),
        _chart(
            "Learning rate",
            rate,
            "How far a step of the optimizer moves the weights.",
            floor=0.0,
        ),
        _chart(
            "Time of a step",
            time,
            "Seconds. Where most of it is waiting, more workers (num_workers) help.",
            floor=0.0,
        ),
    ]


def _column(run: Run, *keys: str) -> list[tuple[int, float]]:
    """(iteration, value) of the monitor's lines, where there is a number."""
    found = []
    for line in run.stats:
        value: Any = line
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, (int, float)) and math.isfinite(value):
            found.append((line["iter"], float(value)))
    return found


def _chart(title: str, series: list[Series], what: str, **options: Any) -> dict[str, Any] | None:
    drawing = line_chart(series, title=title, **options)
    return {"title": title, "drawing": drawing, "what": what} if drawing else None


def _smoothed(name: str, points: list[tuple[int, float]], style: str) -> list[Series]:
    """A noisy line: pale as it is, and bold as its running mean."""
    window = max(len(points) // 20, 1)
    if window == 1:
        return [Series(name, points, style)]
    return [Series("", points, style, faint=True), Series(name, smooth(points, window), style)]


def _sum(run: Run, prefix: str) -> list[tuple[int, float]]:
    """Sum of the losses with this prefix in each logged iteration."""
    keys = [k for k in run.logged() if k.startswith(prefix) and "loss" in k]
    lines: dict[int, float] = {}
    for key in keys:
        for iteration, value in run.series(key):
            lines[iteration] = lines.get(iteration, 0.0) + value
    return sorted(lines.items())


def _amount(number: float) -> str:
    return f"{number:,.0f}" if number < 1e6 else f"{number / 1e6:.1f}M"
