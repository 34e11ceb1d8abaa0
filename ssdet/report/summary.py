"""From runs to numbers: which metric counts, what each model reached, what was gained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Literal

from .run_folder import Run

Other = Literal["baseline", "control"]  # what a semi-supervised run is compared with
ROLES = ("teacher", "student")
CLEAR_POINTS = 1.0  # with one seed; results differ by about as much from seed to seed


@dataclass(frozen=True)
class Metric:
    """How a validation metric is shown to a reader; `scale` brings its values to percent."""

    key: str
    task: str
    name: str
    meaning: str
    scale: float


METRICS = (
    Metric(
        "coco/bbox_mAP",
        "Object detection",
        "box AP",
        "how many objects are found, how well the boxes fit and how few are false alarms "
        "(COCO average precision, mean over overlaps from 50 % to 95 %)",
        100.0,
    ),
    Metric(
        "coco/segm_mAP",
        "Instance segmentation",
        "mask AP",
        "how many objects are found, how well their masks fit and how few are false alarms "
        "(COCO average precision, mean over overlaps from 50 % to 95 %)",
        100.0,
    ),
    Metric(
        "pascal_voc/mAP",
        "Object detection",
        "box AP50",
        "how many objects are found and how few are false alarms "
        "(average precision at an overlap of 50 %)",
        100.0,
    ),
    Metric(
        "volume/mDice",
        "Segmentation of volumes",
        "mean Dice",
        "how well the predicted region of each class overlaps with the true one "
        "(Dice score of a whole volume, mean over volumes and classes)",
        1.0,
    ),
    Metric(
        "mIoU",
        "Semantic segmentation",
        "mean IoU",
        "how well the predicted region of each class overlaps with the true one "
        "(intersection over union, mean over the classes)",
        1.0,
    ),
    Metric(
        "mDice",
        "Semantic segmentation",
        "mean Dice",
        "how well the predicted region of each class overlaps with the true one (Dice score)",
        1.0,
    ),
)  # the first one that a run has is its main metric


@dataclass
class Task:
    """Runs that are compared because they are measured by the same metric."""

    metric: Metric
    baseline: list[Run]
    semi: list[Run]
    control: list[Run] = field(default_factory=list)

    @property
    def runs(self) -> list[Run]:
        """All of them, the baselines first."""
        return [*self.baseline, *self.control, *self.semi]


@dataclass(frozen=True)
class Score:
    """The final values of one kind of model, in percent: one for each run (seed)."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        """Their mean; None if no run was evaluated."""
        return mean(self.values) if self.values else None

    @property
    def deviation(self) -> float | None:
        """How far they scatter from seed to seed (sample standard deviation); None for one."""
        return stdev(self.values) if len(self.values) > 1 else None


def tasks_of(runs: Iterable[Run]) -> list[Task]:
    """Put runs together by their metric, in the order in which the metrics first appear."""
    tasks: dict[str, Task] = {}
    for run in runs:
        metric = main_metric(run)
        task = tasks.setdefault(metric.key, Task(metric, [], []))
        {"semi": task.semi, "control": task.control, "baseline": task.baseline}[run.role].append(
            run
        )
    return list(tasks.values())


def main_metric(run: Run) -> Metric:
    """The first known metric of a run; an unknown one is shown by its own name and scale."""
    plain = [_plain(key) for key in run.logged("val")]
    for metric in METRICS:
        if metric.key in plain:
            return metric
    unknown = next((key for key in plain if "time" not in key and "loss" not in key), "")
    return Metric(unknown, "Training", unknown or "no metric yet", "the metric of this run", 1.0)


def curve(run: Run, metric: Metric, role: str = "") -> list[tuple[int, float]]:
    """(iteration, percent) of the teacher, of the student, or ("") of a run with one model."""
    key = f"{role}/{metric.key}" if role else metric.key
    return [(i, v * metric.scale) for i, v in run.series(key, "val")]


def baseline_curve(run: Run, metric: Metric) -> list[tuple[int, float]]:
    """The curve of a baseline: of its only model, or of the better one if it averages weights."""
    curves = [curve(run, metric, role) for role in ("", *ROLES)]
    return max((c for c in curves if c), key=lambda c: c[-1][1], default=[])


def scores(task: Task) -> dict[str, Score]:
    """Final values of baseline, control, student and teacher."""
    found = {
        role: _finals(baseline_curve(run, task.metric) for run in runs)
        for role, runs in (("baseline", task.baseline), ("control", task.control))
    }
    for role in ("student", "teacher"):
        found[role] = _finals(curve(run, task.metric, role) for run in task.semi)
    return found


def gain(task: Task, over: Other = "baseline") -> float | None:
    """Points of the better of teacher and student over the others, mean over runs."""
    best, base = best_mean(task), scores(task)[over].mean
    return None if best is None or base is None else best - base


def best_mean(task: Task) -> float | None:
    """The value of the better of teacher and student, mean over runs."""
    found = scores(task)
    known = [value for role in ROLES if (value := found[role].mean) is not None]
    return max(known, default=None)


def better_model(task: Task) -> str | None:
    """Which of teacher and student is better at the end; the teacher if they are equal."""
    found = {role: score.mean for role in ROLES if (score := scores(task)[role]).mean is not None}
    return max(found, key=lambda role: found[role] or 0.0) if len(found) == 2 else None


def may_be_chance(task: Task, over: Other = "baseline") -> bool:
    """Whether a gain is below two standard errors of its mean, or with one seed below a point."""
    points, each = gain(task, over), [value for _, value in gains(task, over)]
    clear = CLEAR_POINTS if len(each) < 2 else 2 * stdev(each) / len(each) ** 0.5
    return points is not None and abs(points) < clear


def gains(task: Task, over: Other = "baseline") -> list[tuple[object, float]]:
    """(seed, points) for each seed that has both such a run and a semi-supervised one."""
    others = task.control if over == "control" else task.baseline
    base = {seed_of(run): baseline_curve(run, task.metric) for run in others}
    role, found = better_model(task) or "teacher", []
    for run in task.semi:
        mine, other = curve(run, task.metric, role), base.get(seed_of(run))
        if mine and other:
            found.append((seed_of(run), mine[-1][1] - other[-1][1]))
    return found


def seed_of(run: Run) -> object:
    """The seed that a run was started with, if it is known."""
    return run.info.get("seed")


def _finals(curves: Iterable[Sequence[tuple[int, float]]]) -> Score:
    return Score(tuple(points[-1][1] for points in curves if points))


def _plain(key: str) -> str:
    head, _, rest = key.partition("/")
    return rest if head in ROLES else key
