"""Reading a run folder, whatever state it is in: finished, still going, or dead half-way."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..run_files import ADVICE, CONFIG, GALLERY, INFO, METRICS, STATS
from .quality import read_quality, read_worst

Role = Literal["baseline", "control", "semi"]
ROLES: tuple[Role, ...] = ("baseline", "control", "semi")
Line = dict[str, Any]


@dataclass
class Run:
    """What a run folder says.

    Attributes:
        name: Shown to the reader.
        path: The folder.
        role: "baseline" (labeled images only), "control" (labeled images in the place of the
            unlabeled ones) or "semi" (teacher and student).
        info: `run.json`: versions, seed, command, state.
        train, val: Lines of `metrics.jsonl`, in the order of their iterations.
        gallery: Lines of `pseudo/gallery.jsonl`.
        stats: Lines of `pseudo/stats.jsonl`.
        advice: Lines of `pseudo/advice.jsonl`: warnings during the run.
        quality: `quality.json`: how often its models are right at each score; None without it.
        worst: `pseudo/worst.json`: the validation images that it gets wrong most.
        config: Text of `config.py`.
        problems: What could not be read, in words.
    """

    name: str
    path: Path
    role: Role = "semi"
    info: Line = field(default_factory=dict)
    train: list[Line] = field(default_factory=list)
    val: list[Line] = field(default_factory=list)
    gallery: list[Line] = field(default_factory=list)
    stats: list[Line] = field(default_factory=list)
    advice: list[Line] = field(default_factory=list)
    quality: Line | None = None
    worst: list[Line] = field(default_factory=list)
    config: str = ""
    problems: list[str] = field(default_factory=list)

    def series(self, key: str, mode: Literal["train", "val"] = "train") -> list[tuple[int, float]]:
        """(iteration, value) wherever a finite value of this name was logged."""
        lines = self.train if mode == "train" else self.val
        return [(line["iter"], float(line[key])) for line in lines if _finite(line.get(key))]

    def logged(self, mode: Literal["train", "val"] = "train") -> list[str]:
        """Names of all numbers that were logged, in the order of their first appearance."""
        lines = self.train if mode == "train" else self.val
        found = {k: None for line in lines for k, v in line.items() if _number(v)}
        return [key for key in found if key not in ("iter", "epoch", "step")]

    @property
    def last_iteration(self) -> int:
        """The highest iteration that was logged."""
        return max((line["iter"] for line in [*self.train, *self.val]), default=0)


def read_run(path: str | Path, *, name: str | None = None, role: Role | None = None) -> Run:
    """Read a run folder; what is missing or broken is listed in `problems`, nothing is raised."""
    path = Path(path)
    problems: list[str] = []
    lines = read_lines(path / METRICS, problems, key=lambda line: (line.get("mode"), line["iter"]))
    run = Run(
        name=name or path.name or str(path),
        path=path,
        info=_read_info(path / INFO, problems),
        train=[line for line in lines if line.get("mode") != "val"],
        val=[line for line in lines if line.get("mode") == "val"],
        problems=problems,
    )
    if not (path / METRICS).is_file():
        problems.append(f"{METRICS} is not there (yet): no curves can be drawn.")
    files = ((run.gallery, GALLERY), (run.stats, STATS), (run.advice, ADVICE))
    for target, file in files:
        if (path / file).is_file():
            target += read_lines(path / file, problems, key=_place)
    run.quality, run.worst = read_quality(path, problems), read_worst(path, problems)
    if (path / CONFIG).is_file():
        run.config = (path / CONFIG).read_text(encoding="utf-8", errors="replace")
    run.role = role or _guess_role(run)
    return run


def find_runs(path: str | Path) -> list[Path]:
    """The run folders at or below a folder; a folder within a run folder is not a run."""
    path = Path(path)
    if (path / METRICS).is_file() or (path / INFO).is_file():
        return [path]
    children = sorted(p for p in path.iterdir() if p.is_dir()) if path.is_dir() else []
    return [run for child in children for run in find_runs(child)]


def read_lines(path: Path, problems: list[str], *, key: Callable[[Line], Any]) -> list[Line]:
    """JSON lines that have an iteration; of lines with the same key the last one counts.

    A resumed run writes the iterations after its checkpoint again, hence the same key twice.
    """
    lines: dict[Any, Line] = {}
    for line in _parsed(path, problems):
        lines[key(line)] = line
    return sorted(lines.values(), key=lambda line: line["iter"])


def _parsed(path: Path, problems: list[str]) -> Iterator[Line]:
    if not path.is_file():
        return
    texts = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            problems.append(f"{path.name}, line {number} is empty; it was left out.")
            continue
        try:
            line = json.loads(text)
        except json.JSONDecodeError as error:
            where = "the last line, cut off" if number == len(texts) else f"line {number}"
            problems.append(f"{path.name}, {where}: {error.msg}; it was left out.")
            continue
        if not (isinstance(line, dict) and _finite(line.get("iter"))):
            problems.append(f"{path.name}, line {number} has no iteration; it was left out.")
            continue
        line["iter"] = int(line["iter"])
        yield line


def _read_info(path: Path, problems: list[str]) -> Line:
    if not path.is_file():
        return {}
    try:
        info = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except json.JSONDecodeError as error:
        problems.append(f"{path.name}: {error.msg} at line {error.lineno}; it was left out.")
        return {}
    if isinstance(info, dict):
        return info
    problems.append(f"{path.name} holds a {type(info).__name__}, not an object; it was left out.")
    return {}


def _guess_role(run: Run) -> Role:
    """What a run says that it is; else one that logs pseudo labels is semi-supervised."""
    said = next((role for role in ROLES if role == run.info.get("compared_as")), None)
    if said is not None:
        return said
    pseudo = any(key.startswith("pseudo/") for key in run.logged())
    return "semi" if pseudo or run.gallery or run.stats else "baseline"


def _place(line: Line) -> tuple[Any, Any]:
    return line["iter"], line.get("number", line.get("key", 0))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _finite(value: Any) -> bool:
    return _number(value) and math.isfinite(value)
