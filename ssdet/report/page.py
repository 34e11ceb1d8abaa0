"""The report: one HTML file that holds everything it shows and loads nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..exits import replacing
from ..run_files import BATCHES, GALLERY
from .figures import LEGEND, class_rows, run_charts, table_rows, task_chart
from .health import verdicts
from .html import data_uri, fill
from .quality_figures import class_gains, quality_charts
from .run_folder import Line, Run, find_runs, read_run
from .summary import Task, gain, gains, tasks_of
from .teacher import next_steps, teacher_verdict
from .words import (
    BATCH_TITLES,
    answer,
    caption,
    facts,
    headline,
    image_counts,
    panel_title,
    run_facts,
    story,
)

MOMENTS, MAX_CONFIG, MAX_PICTURE = 4, 60_000, 600_000
PROGRAM = re.compile(r"^\S*(ssdet/cli/__main__\.py|bin/ssdet)\s")
COLOR = re.compile("#[0-9a-f]{6}")
IMAGE_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}


def write_report(
    runs: Sequence[Run],
    out: str | Path,
    *,
    title: str | None = None,
    commands: Sequence[str] = (),
) -> Path:
    """Write the page about these runs; an older page is replaced only by a whole new one."""
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    text = render(runs, title=title, commands=commands)
    with replacing(out) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    return out


def collect(folders: Sequence[str | Path]) -> list[Run]:
    """Read all runs at or below these folders, named so that they can be told apart."""
    paths = [path for folder in folders for path in find_runs(folder)]
    names = _names(paths)
    return [read_run(path, name=name) for path, name in zip(paths, names, strict=True)]


def render(runs: Sequence[Run], *, title: str | None = None, commands: Sequence[str] = ()) -> str:
    """The page as text."""
    tasks = tasks_of(runs)
    compared = any(gain(task) is not None for task in tasks)
    given = "What semi-supervised training was worth" if compared else "Report of a training run"
    return fill(
        "report.html.j2",
        title=title or given,
        story=story(tasks),
        tasks=[_task(task, number) for number, task in enumerate(tasks)],
        runs=[_reproduction(run) for run in runs],
        commands=list(commands),
        facts=facts(runs),
        legend=LEGEND,
    )


def _task(task: Task, number: int) -> dict[str, Any]:
    points = gain(task)
    shown = task.semi or task.control or task.baseline
    compared = points is not None or gain(task, "control") is not None
    first = task.semi[0] if task.semi else None
    return {
        "id": f"task-{number}",
        "name": task.metric.task,
        "metric": task.metric,
        "headline": headline(task),
        "answer": answer(task) if compared else "",
        "teacher": None if first is None else teacher_verdict(first),
        "which": first.name if first is not None and len(task.semi) > 1 else "",
        "next": [] if first is None else next_steps(first, task),
        "images": image_counts(task),
        "control": bool(task.control),
        "gain": None if points is None else f"{points:+.1f}",
        "gains": [(seed, f"{points:+.1f}") for seed, points in gains(task)],
        "rows": table_rows(task),
        "chart": task_chart(task),
        "runs": [_run(run, task) for run in shown],
    }


def _run(run: Run, task: Task) -> dict[str, Any]:
    unit = next((line.get("unit") for line in [*run.stats, *run.gallery]), "boxes")
    return {
        "name": run.name,
        "verdicts": verdicts(run, task),
        "charts": [*quality_charts(run, task), *run_charts(run, task)],
        "classes": class_rows(run),
        "gains": class_gains(run, task),
        "unit": unit,
        "gallery": [
            _drawing(run, line) for line in _spread([g for g in run.gallery if "followed" not in g])
        ],
        "followed": _followed(run),
        "worst": [_worst(run, line) for line in run.worst],
        "batches": _batches(run),
    }


def _panels(run: Run, line: Line) -> list[dict[str, str]]:
    panels = []
    for panel in line.get("panels") or []:
        source = _embedded((run.path / GALLERY).with_name(Path(str(panel.get("file"))).name or "-"))
        if source:
            view = str(panel.get("view", ""))
            panels.append({"source": source, "title": panel_title(view, line.get("unit"))})
    return panels


def _followed(run: Run) -> list[dict[str, Any]]:
    """The images that were drawn again and again, each with its pictures in their order."""
    lines = [line for line in run.gallery if isinstance(line.get("followed"), int)]
    found = []
    for number in sorted({line["followed"] for line in lines}):
        own = _spread([line for line in lines if line["followed"] == number])
        panels = [panel for line in own for panel in _panels(run, line)]
        found.append({"panels": panels, "caption": str(own[0].get("image", ""))})
    return [one for one in found if len(one["panels"]) > 1]


def _worst(run: Run, line: Line) -> dict[str, Any]:
    score = line.get("score")
    pixels = (run.quality or {}).get("unit") == "pixels"
    told = "of the pixels right" if pixels else "F1 of the boxes"
    value = f"{score:.0%} {told}" if isinstance(score, (int, float)) else ""
    caption = f"{line.get('image', '')}: {value}"
    return {"panels": _panels(run, line), "caption": caption, "colors": _colors(line)}


def _colors(line: Line) -> list[tuple[str, str]]:
    """Names and colors of classes. The file is only text to us: nothing else gets into a style."""
    colors = line.get("colors") or {}
    return [(name, color) for name, color in colors.items() if COLOR.fullmatch(str(color))]


def _batches(run: Run) -> list[dict[str, str]]:
    """Mosaics of what went into the model in one step."""
    found = ((name, _embedded(run.path / file)) for name, file in BATCHES.items())
    return [{"title": BATCH_TITLES[name], "source": source} for name, source in found if source]


def _drawing(run: Run, line: Line) -> dict[str, Any]:
    return {
        "panels": _panels(run, line),
        "caption": caption(line),
        "iteration": line["iter"],
        "colors": _colors(line),
    }


def _spread(lines: Sequence[Line]) -> list[Line]:
    """The images of a few moments: the first, the last, and some evenly between."""
    moments = sorted({line["iter"] for line in lines})
    if len(moments) > MOMENTS:
        last = len(moments) - 1
        moments = [moments[round(i * last / (MOMENTS - 1))] for i in range(MOMENTS)]
    return [line for line in lines if line["iter"] in moments]


def _embedded(path: Path) -> str | None:
    """An image as a data URI; None if it is missing, too large for a page or not an image."""
    kind = IMAGE_TYPES.get(path.suffix.lower())
    if kind is None or not path.is_file() or path.stat().st_size > MAX_PICTURE:
        return None
    return data_uri(path.read_bytes(), kind)


def _reproduction(run: Run) -> dict[str, Any]:
    config = run.config
    if len(config) > MAX_CONFIG:
        config = (
            config[:MAX_CONFIG]
            + f"\n# ... cut here; the whole text is in {run.path.name}/config.py"
        )
    # However it was started: as a module, or by a path into an environment.
    command = PROGRAM.sub("ssdet ", str(run.info.get("command") or ""))
    return {
        "name": run.name,
        "command": command,
        "config": config,
        "folder": str(run.path),
        "facts": run_facts(run),
    }


def _names(paths: Sequence[Path]) -> list[str]:
    """The shortest endings of the paths that are all different."""
    parts = [path.resolve().parts for path in paths]
    for length in range(1, max((len(p) for p in parts), default=1) + 1):
        names = ["/".join(p[-length:]) for p in parts]
        if len(set(names)) == len(names):
            break
    return names if paths else []
