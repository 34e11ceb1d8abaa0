"""Charts of how often teacher, student and baseline are right, by their scores."""

from __future__ import annotations

from typing import Any

from .charts import Series, line_chart
from .quality import Counts, best_threshold, class_scores, precision_recall, reliability
from .run_folder import Run
from .summary import Task, baseline_curve, curve


def quality_charts(run: Run, task: Task) -> list[dict[str, Any]]:
    """Precision-recall and reliability at the last validation; empty where it was not counted."""
    curves = _curves(run, task)
    if not curves:
        return []
    unit = (run.quality or {}).get("unit", "boxes")
    what = "pixels" if unit == "pixels" else "objects"
    teacher = dict(curves).get("teacher", curves[0][1])
    best = best_threshold(teacher)
    pairs = [
        (
            "Precision and recall",
            [Series(name, precision_recall(counts), name) for name, counts in curves],
            f"The share of the {what} that are found (right), and of the predictions that are "
            "right (up), as the threshold falls; all classes together, last validation."
            + ("" if best is None else f" The teacher balances both at a score of {best:.2f}."),
            "recall",
        ),
        (
            "Can the scores be trusted?",
            [
                Series("as sure as right", [(0.0, 0.0), (1.0, 1.0)], "c7"),
                *(Series(n, reliability(counts), n, dots=True) for n, counts in curves),
            ],
            "Of the predictions with a score (right), the share that is right (up), last "
            "validation. Below the diagonal a model is too sure: a threshold of 0.9 then keeps "
            "less than 90 % right labels.",
            "score",
        ),
    ]
    return [
        {"title": title, "drawing": drawing, "what": text}
        for title, series, text, axis in pairs
        if (drawing := line_chart(series, title=title, floor=0.0, axis=axis))
    ]


def class_gains(run: Run, task: Task) -> dict[str, Any] | None:
    """How good each class is, by model, and what it gains over the baseline; None if unknown."""
    curves = dict(_curves(run, task))
    names = (run.quality or {}).get("classes") or []
    if "teacher" not in curves or not names:
        return None
    pixels = (run.quality or {}).get("unit") == "pixels"
    columns = {name: class_scores(counts, pixels=pixels) for name, counts in curves.items()}
    rows = []
    for number, name in enumerate(names):
        values = {
            model: column[number] for model, column in columns.items() if number < len(column)
        }
        best = max((v for m in ("teacher", "student") if (v := values.get(m)) is not None),
                   default=None)  # fmt: skip
        base = values.get("baseline")
        if best is not None:
            gain = "" if base is None else f"{100 * (best - base):+.1f}"
            shown = ["–" if (v := values.get(m)) is None else f"{100 * v:.1f}" for m in columns]
            rows.append({"name": str(name), "shown": shown, "gain": gain})
    metric = "IoU" if pixels else "AP at an overlap of 50 %"
    return {"metric": metric, "models": list(columns), "rows": rows} if rows else None


def _curves(run: Run, task: Task) -> list[tuple[str, Counts]]:
    """Counts of the teacher and the student of a run, and of the baseline of the same seed."""
    found = [(name, counts) for name, counts in _models(run).items() if name != "baseline"]
    seed = run.info.get("seed")
    other = next((one for one in task.baseline if one.info.get("seed") == seed and one is not run),
                 None)  # fmt: skip
    if other is not None and (models := _models(other)):
        last = baseline_curve(other, task.metric)[-1:]
        name = next((n for n in models if curve(other, task.metric, n)[-1:] == last), "teacher")
        if name in models:
            found.append(("baseline", models[name]))
    return found


def _models(run: Run) -> dict[str, Counts]:
    return dict((run.quality or {}).get("models") or {})
