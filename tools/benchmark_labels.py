"""What unlabeled images are worth on a data set: baseline, methods and ceiling side by side.

python tools/benchmark_labels.py DATA --protocol label_efficiency/retinanet_r18_bccd.py \\
    --labels 10 --methods mean_teacher/gfl_demo.py soft_teacher/gfl_demo.py --seeds 0 1 2 --peer

The protocol is a config: model, views and schedule, with the variables `data_root`, `classes`,
`labels`, `draw`, `iterations` and `burn_in`. For each seed (which also chooses the draw of the
labeled images) it is trained on the labeled images for `burn_in` iterations, and from this
student for `iterations` on the labeled images only (the baseline) and with the hooks and model
settings of each method on labeled and unlabeled images; and just as long, burn-in included, on
all images with their labels (the ceiling). A method with more networks than the pair does both in
one run, since there are no weights for them; one that holds out labeled images has a burn-in
without them. The labeled batch is the same everywhere. `--peer`
adds MMDetection's own mean teacher, `--ablate` a method as it is and without each of its hooks,
`--control` each method with the labeled images in place of the unlabeled ones: the gain
of its mixing by itself, `--oracle` each method with the true labels of the unlabeled images: its
bound. With several numbers of labels, a table says to how many labeled images a method is equal:
its label multiplier. Methods with one threshold have the protocol's, where that has a variable
`score`. Started again, it goes on where it was stopped. It prints Markdown tables, and writes
table.md, results.json and curve.png (metric against labels).
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import mean

import torch
from benchmark_methods import job, spread, supervised
from benchmark_worth import labeled_images, worth_table
from mmengine.config import Config, ConfigDict

from ssdet.cli.jobs import Job, run_jobs
from ssdet.engine.checkpoint_file import read_checkpoint
from ssdet.engine.configs import load_config
from ssdet.exits import UsageError
from ssdet.report import read_run
from ssdet.report.summary import METRICS, ROLES, curve, main_metric

# Settings of the model that stay those of the protocol; the others are the method's.
OWN = ("type", "detector", "segmentor", "burn_in")
BASELINE, CEILING = "supervised", "all labels"
PEER = "MMDetection SemiBaseDetector"
STRONG = "unsup_student"
METRIC_OF = {metric.key: metric for metric in METRICS}
BEGIN = "begin.pth"  # in the folder of a burn-in: what the runs begin from
AVERAGE, GALLERY = "TeacherEMAHook", "GalleryHook"


@dataclass
class Cell:
    """The runs of one kind with one number of labels, by seed."""

    kind: str
    labels: str
    runs: dict[int, Job] = field(default_factory=dict)
    metric: str = ""  # the name of the one that counts, if it is not the first one of the run
    burn_ins: dict[int, Job] = field(default_factory=dict)  # what its runs begin from, if any
    images: dict[int, int] = field(default_factory=dict)  # labeled ones of each run

    def results(self) -> dict[int, dict[str, float]]:
        """The last metrics of each finished run, in percent, the one that counts as "score".

        The better one of teacher and student is taken, for the baseline and the ceiling, too. The
        baseline is also the better one of two lengths: few labels may be learned in the burn-in.
        """
        found = {seed: self._last(one) for seed, one in self.runs.items() if one.finished}
        if self.kind == BASELINE:
            for seed, shorter in self.burn_ins.items():
                if seed in found and shorter.finished:
                    both = found[seed], self._last(shorter)
                    found[seed] = max(both, key=lambda one: one["score"])
        return found

    def scores(self) -> dict[int, float]:
        """What each finished run reached at its end, in percent."""
        return {seed: found["score"] for seed, found in self.results().items()}

    def minutes(self) -> list[float]:
        """What the iterations of each finished run took, without its burn-in and evaluations."""
        found = []
        for one in self.runs.values():
            steps = [seconds for _, seconds in read_run(one.folder).series("time")]
            if one.finished and steps:
                found.append(mean(steps) * one.iterations / 60)
        return found

    def _last(self, one: Job) -> dict[str, float]:
        run = read_run(one.folder)
        metric = METRIC_OF[self.metric] if self.metric else main_metric(run)
        curves = {role: curve(run, metric, role) for role in (*ROLES, "")}
        reached = {role: points[-1][1] for role, points in curves.items() if points}
        if not reached:
            return {"score": 0.0}  # nothing was found at all
        role = max(reached, key=lambda each: reached[each])
        start = f"{role}/" if role else ""
        logged = [key for key in run.logged("val") if "time" not in key]
        keys = [key for key in logged if key.startswith(start)]
        last = {key.removeprefix(start): run.series(key, "val") for key in keys}
        last = {key: points[-1][1] * metric.scale for key, points in last.items() if points}
        return {**last, "score": reached[role]}


def with_method(protocol: Config, method: Config) -> Config:
    """The protocol with the hooks and the model settings of a method."""
    config = copy.deepcopy(protocol)
    kind = "detector" if "detector" in config.model else "segmentor"
    if kind not in method.model:
        raise UsageError(f"the method {method.filename} is not one for a {kind}")
    config.custom_hooks = [h for h in method.custom_hooks if h["type"] != GALLERY]
    config.model.update(copy.deepcopy({k: v for k, v in method.model.items() if k not in OWN}))
    if held_out := _held_out(method):
        config.train_dataloader.dataset.held_out = held_out
    sizes = {"num_classes": len(config.classes), "in_channels": _features(config.model[kind])}
    for name, network in config.model.get("auxiliary", {}).items():
        if network["type"] == method.model[kind]["type"]:  # a whole one is the protocol's
            config.model.auxiliary[name] = copy.deepcopy(config.model[kind])
        else:
            network.update({k: v for k, v in sizes.items() if k in network})
    ours, theirs = (_views(c) for c in (config, method))
    for name in sorted(theirs.keys() - ours.keys()):
        if not name.startswith(STRONG):
            raise UsageError(
                f"{method.filename} has a view {name!r} that the protocol does not know"
            )
        ours[name] = copy.deepcopy(ours[STRONG])
        for source in config.train_dataloader.dataset.datasets:
            _split(source)["branch_field"] = ["sup", *ours]
    return config


def _held_out(config: Config) -> float:
    """The share of the labeled images that a method keeps out of the training."""
    return float(config.train_dataloader.dataset.get("held_out", 0.0))


def _features(model: ConfigDict) -> int:
    """Channels of the features that a small auxiliary network takes."""
    return int(model.neck.out_channels if "neck" in model else model.decode_head.in_channels)


def method_for(protocol: Config, name: str) -> Config:
    """A method whose schedules have the lengths of the protocol, and its threshold, if it has one.

    Its burn-in is over when it begins, unless auxiliary networks have to be trained in it, too.
    """
    method = load_config(name)
    burn_in = protocol.burn_in if method.model.get("auxiliary") else 0
    options = {"iterations": protocol.iterations, "burn_in": burn_in}
    if "score" in protocol:
        options["score"] = protocol.score
    return load_config(name, {key: value for key, value in options.items() if key in method})


def trained_with(
    protocol: Config, name: str, *, without: str = "", unlabeled: bool = True, oracle: bool = False
) -> Config:
    """The protocol with a method, as it is or "without" one of its hooks.

    If not `unlabeled`, the labeled images take the place of the unlabeled ones; with `oracle` the
    unlabeled ones have their true labels.
    """
    method = method_for(protocol, name)
    config = with_method(protocol, without_each_hook(method)[without] if without else method)
    if oracle:
        from benchmark_oracle import with_truth

        return with_truth(config)
    if unlabeled:
        return config
    labeled, others = config.train_dataloader.dataset.datasets
    others.source = labeled.ann_file
    return config


def _views(config: Config) -> dict[str, list]:
    """The views of the unlabeled images."""
    return _split(config.train_dataloader.dataset.datasets[1])["views"]


def _split(source: ConfigDict) -> dict:
    """The transform of a source that makes its views."""
    return next(step for step in source.pipeline if step["type"] == "WeakStrongViews")


def without_each_hook(method: Config) -> dict[str, Config]:
    """The method without one of its hooks, for each of them.

    Without the moving average the teacher is a copy of the student.
    """
    found = {}
    seen: Counter[str] = Counter()
    kinds = Counter(hook["type"] for hook in method.custom_hooks)
    for number, hook in enumerate(method.custom_hooks):
        kind = hook["type"]
        if kind == GALLERY:
            continue
        seen[kind] += 1
        name = f"without {kind}" + (f" {seen[kind]}" if kinds[kind] > 1 else "")
        found[name] = copy.deepcopy(method)
        instead = [dict(type=AVERAGE, momentum=0.0)] if kind == AVERAGE else []
        found[name].custom_hooks[number : number + 1] = instead
    return found


def kinds_of(args: argparse.Namespace) -> dict[str, Callable[[Config], Config]]:
    """What is trained with each number of labels: names, and what they make of a protocol."""
    methods = {_name(name): partial(trained_with, name=name) for name in args.methods}
    if args.ablate:
        whole = partial(trained_with, name=args.ablate)
        methods[_name(args.ablate)] = whole
        for name in without_each_hook(load_config(args.ablate)):
            methods[name] = partial(whole, without=name)
    kinds = {BASELINE: supervised}
    for name, method in methods.items():
        kinds[name] = method
        if args.control:
            kinds[f"{name} without unlabeled images"] = partial(method, unlabeled=False)
        if args.oracle:
            kinds[f"{name} with true labels"] = partial(method, oracle=True)
    if args.peer:
        from benchmark_peer import peer

        kinds[PEER] = peer
    return kinds


def _name(config: str) -> str:
    return Path(config).with_suffix("").as_posix()


def cells_of(args: argparse.Namespace) -> list[Cell]:
    """All trainings that are asked for."""
    kinds = kinds_of(args)
    cells = [Cell(kind, labels) for labels in args.labels for kind in kinds]
    cells.append(Cell(CEILING, "full"))
    for cell in cells:
        for seed in args.seeds:
            protocol = _protocol(args, cell.labels, seed)
            cell.metric = protocol.get("metric", "")
            make = kinds.get(cell.kind, supervised)
            config = make(protocol)
            if config.model.get("auxiliary"):  # there are no weights for its other networks
                both = protocol.burn_in + protocol.iterations
                config = make(_protocol(args, cell.labels, seed, iterations=both))
            elif protocol.burn_in:
                begin = _burn_in(args, cell.labels, seed, protocol.burn_in, _held_out(config))
                cell.burn_ins[seed] = begin
                config.load_from = str(begin.folder / BEGIN)
                if cell.kind != PEER:
                    config.model.burn_in = 0
            name = cell.kind
            if name.startswith("without "):  # of which method
                name = f"{_name(args.ablate)} {name}"
            name = f"{name}-{cell.labels}".replace("/", "-").replace(" ", "-")
            cell.runs[seed] = job(config, name, seed, args.out)
    return cells


def _burn_in(args: argparse.Namespace, labels: str, seed: int, length: int, held_out: float) -> Job:
    """The protocol on labeled images only, with its whole schedule in the length of the burn-in.

    A teacher that is to be judged by images has not been trained on them before.
    """
    config = supervised(_protocol(args, labels, seed, iterations=length))
    name = f"burn-in-{labels}"
    if held_out:
        config.train_dataloader.dataset.held_out = held_out
        name += f"-without-{held_out:g}"
    return job(config, name, seed, args.out)


def write_begin(burn_in: Job) -> None:
    """The weights of a burn-in with its student in the place of its teacher, too.

    In a training without a break the teacher starts as such a copy when the burn-in ends. Its own
    average stays behind: it has hardly learned yet what the student learned last.
    """
    last = burn_in.folder / "checkpoints" / f"iter_{burn_in.iterations}.pth"
    weights = read_checkpoint(last)["state_dict"]
    student = {key: value for key, value in weights.items() if key.startswith("student.")}
    copies = {key.replace("student.", "teacher.", 1): value for key, value in student.items()}
    torch.save({"state_dict": {**student, **copies}}, burn_in.folder / BEGIN)


def _protocol(args: argparse.Namespace, labels: str, seed: int, **more: int) -> Config:
    root = str(args.data.resolve()) + "/"
    options = {"data_root": root, "labels": labels}
    config = load_config(args.protocol, options)
    for name in ("draws", "iterations", "burn_in", "classes"):
        if name not in config:
            raise UsageError(
                f"{args.protocol}: no variable `{name}`; a protocol is a config of "
                "label_efficiency/, which has the draws of the labeled images, the lengths of "
                "burn-in and training, and the classes"
            )
    if config.get("metric", "") not in ("", *METRIC_OF):
        raise UsageError(f"{args.protocol}: metric={config.metric!r}; known: {list(METRIC_OF)}")
    options["draw"] = config.draws[seed % len(config.draws)]
    for option in args.set:
        key, _, value = option.partition("=")
        try:
            options[key] = json.loads(value)
        except ValueError:
            raise UsageError(f"--set {option}: not NAME=JSON, such as iterations=600") from None
    return load_config(args.protocol, options | more)


def table(cells: Sequence[Cell]) -> str:
    """One row for each kind and number of labels, with the closed share of the gap, and minutes."""
    lines = [
        "| labels | trained with | metric | share of the gap | minutes a run | runs |",
        "|---|---|---|---|---|---|",
    ]
    scores = {(cell.kind, cell.labels): cell.scores() for cell in cells}
    ceiling = scores[CEILING, "full"]
    for cell in cells:
        mine, base = scores[cell.kind, cell.labels], scores.get((BASELINE, cell.labels), {})
        if not mine:
            lines.append(f"| {cell.labels} | {cell.kind} | not finished | | | 0 |")
            continue
        shared = sorted(mine.keys() & base.keys() & ceiling.keys())
        share = ""
        if shared and cell.kind not in (BASELINE, CEILING):
            low, high, own = (mean(d[s] for s in shared) for d in (base, ceiling, mine))
            share = f"{(own - low) / (high - low):.0%}" if high > low else "no gap"
        score, times = spread(list(mine.values())), cell.minutes()
        minutes = spread(times) if times else ""
        row = (cell.labels, cell.kind, score, share, minutes, str(len(mine)))
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def parts_table(cells: Sequence[Cell]) -> str:
    """mIoU and Dice of groups of images, AP of classes; "" if nothing is reported apart."""
    results = {id(cell): list(cell.results().values()) for cell in cells}
    columns: dict[str, str] = {}
    for key in (key for found in results.values() for one in found for key in one):
        if key.endswith("/mIoU"):
            group = key.removesuffix("/mIoU")
            columns |= {f"{group} mIoU": key, f"{group} Dice": f"{group}/mDice"}
        elif key.endswith("_precision"):
            columns[f"{key.removeprefix('coco/').removesuffix('_precision')} AP"] = key
    if not columns:
        return ""
    lines = [
        f"| labels | trained with | {' | '.join(columns)} |",
        "|---|---" + "|---" * len(columns) + "|",
    ]
    for cell in cells:
        found = [[one[k] for one in results[id(cell)] if k in one] for k in columns.values()]
        texts = [spread(values) if values else "" for values in found]
        lines.append(f"| {cell.labels} | {cell.kind} | {' | '.join(texts)} |")
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
            axes.axhline(mean(points["full"]), color="gray", linestyle="--", label=CEILING)
        elif points:
            heights = [mean(values) for values in points.values()]
            axes.plot([order.index(labels) for labels in points], heights, marker="o", label=kind)
    axes.set_xticks(range(len(order)), order)
    axes.set_xlabel("labels")
    axes.set_ylabel("metric (%)")
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def train(cells: Sequence[Cell], seeds: Sequence[int], parallel: int) -> list[Job]:
    """Train what is not trained yet, the burn-ins first; what failed is returned."""
    waiting = [(seed, c) for seed in seeds for c in cells if not c.runs[seed].finished]
    begun = [(c.runs[seed], c.burn_ins.get(seed)) for seed, c in waiting]
    burn_ins = {first.folder: first for _, first in begun if first}
    failed = run_jobs([b for b in burn_ins.values() if not b.finished], parallel, keep_going=True)
    lost = {one.folder for one in failed}
    for one in burn_ins.values():
        if one.folder not in lost:
            write_begin(one)
    ready = [run for run, first in begun if not first or first.folder not in lost]
    return failed + run_jobs(ready, parallel, keep_going=True)


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
    parser.add_argument(
        "--peer", action="store_true", help="MMDetection's own mean teacher beside them"
    )
    parser.add_argument(
        "--control",
        action="store_true",
        help="each method once more, with the labeled images in place of the unlabeled ones",
    )
    parser.add_argument(
        "--oracle",
        action="store_true",
        help="each method once more, with the true labels of the unlabeled images",
    )
    parser.add_argument("--ablate", metavar="CONFIG", help="a method, and it without each hook")
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
    # The trainings are processes of their own, and that of MMDetection imports `benchmark_peer`.
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    cells = cells_of(args)
    for cell in cells:
        cell.images = {n: labeled_images(load_config(str(j.config))) for n, j in cell.runs.items()}
    failed = [] if args.table else train(cells, args.seeds, args.parallel)
    tables = (table(cells), parts_table(cells), worth_table(cells, BASELINE, CEILING))
    text = "\n\n".join(filter(None, tables))
    print(text)
    (args.out / "table.md").write_text(text + "\n", encoding="utf-8")
    found = [
        {"kind": c.kind, "labels": c.labels, "scores": c.scores(), "last": c.results()}
        for c in cells
    ]
    (args.out / "results.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    draw_curve(cells, args.out / "curve.png")
    for one in failed:
        print(f"\n{one.name} failed ({one.folder / 'console.log'}):\n{one.tail()}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UsageError as error:
        sys.exit(f"benchmark_labels: {error}")
