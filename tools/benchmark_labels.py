"""What unlabelled images are worth on a data set: baseline, methods and ceiling side by side.

python tools/benchmark_labels.py DATA --protocol label_efficiency/bccd_detection.py --labels 10 \\
    --methods mean_teacher/gfl_demo.py soft_teacher/gfl_demo.py --seeds 0 1 2

The protocol is a config: model, views and schedule, with the variables `data_root`, `labels` and
`draw`. For each seed (which also chooses the draw of the labelled images) it is trained on the
labelled images alone (the baseline), with the hooks and model settings of each method on labelled
and unlabelled images, and on all images with their labels (the ceiling): same initial weights, same
labelled batch, same number of iterations. Started again, it goes on where it was stopped. It prints
a Markdown table and writes table.md, results.json and curve.png (metric against labels) to OUT.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from benchmark_methods import job, spread, supervised
from mmengine.config import Config

from ssdet.cli.jobs import Job, run_jobs
from ssdet.engine.configs import load_config
from ssdet.engine.exits import UsageError
from ssdet.report import read_run
from ssdet.report.summary import baseline_curve, curve, main_metric

OWN = (
    "type",
    "detector",
    "segmentor",
    "burn_in",
)  # of the protocol's model; the rest: the method's
BASELINE, CEILING = "supervised", "all labels"
STRONG = "unsup_student"


@dataclass
class Cell:
    """The runs of one kind with one number of labels, by seed."""

    kind: str
    labels: str
    runs: dict[int, Job] = field(default_factory=dict)

    def scores(self) -> dict[int, float]:
        """What each finished run reached at its end, in percent; the teacher of a method."""
        found = {}
        for seed, one in self.runs.items():
            if one.finished:
                run = read_run(one.folder)
                metric = main_metric(run)
                plain = self.kind in (BASELINE, CEILING)
                points = baseline_curve(run, metric) if plain else _better(run, metric)
                found[seed] = points[-1][1] if points else 0.0  # nothing was found at all
        return found


def _better(run, metric):  # noqa: ANN001, ANN202
    """The curve of the teacher; of the student where the method has no other (CPS)."""
    curves = [curve(run, metric, role) for role in ("teacher", "student")]
    return max((c for c in curves if c), key=lambda points: points[-1][1], default=[])


def with_method(protocol: Config, method: Config) -> Config:
    """The protocol with the hooks and the model settings of a method."""
    config = copy.deepcopy(protocol)
    kind = "detector" if "detector" in config.model else "segmentor"
    if kind not in method.model:
        raise UsageError(f"the method {method.filename} is not one for a {kind}")
    config.custom_hooks = [h for h in method.custom_hooks if h["type"] != "GalleryHook"]
    config.model.update({k: v for k, v in method.model.items() if k not in OWN})
    for name, network in config.model.get("auxiliary", {}).items():
        if network == method.model[kind]:  # a second student is one of the protocol's
            config.model.auxiliary[name] = copy.deepcopy(config.model[kind])
    ours, theirs = (_views(c) for c in (config, method))
    for name in theirs.keys() - ours.keys():
        if not name.startswith(STRONG):
            raise UsageError(
                f"{method.filename} has a view {name!r} that the protocol does not know"
            )
        ours[name] = copy.deepcopy(ours[STRONG])
    return config


def _views(config: Config) -> dict[str, list]:
    """The views of the unlabelled images."""
    pipeline = config.train_dataloader.dataset.datasets[1].pipeline
    return next(step["views"] for step in pipeline if step["type"] == "WeakStrongViews")


def cells_of(args: argparse.Namespace) -> list[Cell]:
    """All trainings that are asked for."""
    methods = {Path(name).with_suffix("").as_posix(): load_config(name) for name in args.methods}
    cells = []
    for labels in args.labels:
        cells += [Cell(BASELINE, labels), *(Cell(name, labels) for name in methods)]
    cells.append(Cell(CEILING, "full"))
    for cell in cells:
        for seed in args.seeds:
            config = _protocol(args, cell.labels, seed)
            if cell.kind in methods:
                config = with_method(config, methods[cell.kind])
            else:
                config = supervised(config)
            name = f"{cell.kind}-{cell.labels}".replace("/", "-").replace(" ", "-")
            cell.runs[seed] = job(config, name, seed, args.out)
    return cells


def _protocol(args: argparse.Namespace, labels: str, seed: int) -> Config:
    root = str(args.data.resolve()) + "/"
    options = {"data_root": root, "labels": labels}
    config = load_config(args.protocol, options)
    options["draw"] = config.draws[seed % len(config.draws)]
    for option in args.set:
        key, _, value = option.partition("=")
        options[key] = json.loads(value)
    return load_config(args.protocol, options)


def table(cells: Sequence[Cell]) -> str:
    """One row for each kind and number of labels, with the closed share of the gap."""
    lines = [
        "| labels | trained with | metric | share of the gap | runs |",
        "|---|---|---|---|---|",
    ]
    scores = {(cell.kind, cell.labels): cell.scores() for cell in cells}
    ceiling = scores[CEILING, "full"]
    for cell in cells:
        mine, base = scores[cell.kind, cell.labels], scores.get((BASELINE, cell.labels), {})
        if not mine:
            lines.append(f"| {cell.labels} | {cell.kind} | not finished | | 0 |")
            continue
        shared = sorted(mine.keys() & base.keys() & ceiling.keys())
        share = ""
        if shared and cell.kind not in (BASELINE, CEILING):
            low, high, own = (mean(d[s] for s in shared) for d in (base, ceiling, mine))
            share = f"{(own - low) / (high - low):.0%}" if high > low else "no gap"
        score = spread(list(mine.values()))
        lines.append(f"| {cell.labels} | {cell.kind} | {score} | {share} | {len(mine)} |")
    return "\n".join(lines)


def draw_curve(cells: Sequence[Cell], path: Path) -> None:
    """The metric against the labels, one line for each kind and a dashed one for the ceiling."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    order = list(dict.fromkeys(cell.labels for cell in cells if cell.kind != CEILING))
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for kind in dict.fromkeys(cell.kind for cell in cells):
        points = {c.labels: list(c.scores().values()) for c in cells if c.kind == kind}
        points = {labels: values for labels, values in points.items() if values}
        if kind == CEILING and points:
            axes.axhline(mean(points["full"]), color="grey", linestyle="--", label=CEILING)
        elif points:
            heights = [mean(values) for values in points.values()]
            axes.plot([order.index(labels) for labels in points], heights, marker="o", label=kind)
    axes.set_xticks(range(len(order)), order)
    axes.set_xlabel("labels")
    axes.set_ylabel("metric (%)")
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> int:
    """Train what is not trained yet; print and write what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of the data; nothing is written there")
    parser.add_argument("--protocol", required=True, help="config of label_efficiency/")
    parser.add_argument(
        "--labels", nargs="+", required=True, help="values of the variable `labels`"
    )
    parser.add_argument("--methods", nargs="*", default=[], help="configs whose hooks are tried")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=JSON", help="variables of the protocol"
    )
    parser.add_argument("--out", type=Path, default=Path("work_dirs/labels"))
    parser.add_argument("--parallel", type=int, default=2, help="trainings at a time (%(default)s)")
    parser.add_argument("--table", action="store_true", help="train nothing; show what is there")
    args = parser.parse_args()
    if not args.data.is_dir():
        parser.error(f"{args.data} is not a folder")
    cells = cells_of(args)
    waiting = [c.runs[s] for s in args.seeds for c in cells if not c.runs[s].finished]
    failed = [] if args.table else run_jobs(waiting, args.parallel, keep_going=True)
    text = table(cells)
    print(text)
    (args.out / "table.md").write_text(text + "\n", encoding="utf-8")
    found = [{"kind": c.kind, "labels": c.labels, "scores": c.scores()} for c in cells]
    (args.out / "results.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    draw_curve(cells, args.out / "curve.png")
    for one in failed:
        print(f"\n{one.name} failed ({one.folder / 'console.log'}):\n{one.tail()}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
