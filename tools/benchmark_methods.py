"""Every method's demo against the supervised baseline, at equal iterations, over several seeds.

python tools/benchmark_methods.py --seeds 0 1 2 --out work_dirs/methods [configs/*/*_demo.py ...]

The baseline of a demo is derived from it: same model, initial weights, labeled images in the
same order, views, optimizer, schedule and length, and a plain average of its weights; without the
unlabeled scenes and the hooks that use them. Demos with the same base share it. `--control` shows
the gain of a method's mixing and of seeing each label more often, by itself: the demos are
trained with their labeled scenes in place of the unlabeled ones. `--without HOOK` shows what one
hook does in a demo of several: the demos are trained without it. `--cfg-options domain=noise`
gives the demos other values. Started again, the command goes on where it was stopped; it
prints a Markdown table and writes it to OUT/table.md (of controls: OUT/control.md; without a hook:
OUT/without-HOOK.md, and so on).
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from mmengine.runner import Runner

from ssdet.cli.jobs import Job, run_jobs
from ssdet.cli.launch import parse_options
from ssdet.engine.configs import load_config
from ssdet.exits import UsageError
from ssdet.report import read_run
from ssdet.report.summary import METRICS, ROLES, Metric, curve, main_metric

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
# Settings of a demo's model that its baseline keeps; the others concern unlabeled scenes.
MODEL = {
    "type", "detector", "segmentor", "data_preprocessor", "sup_weight", "burn_in", "channels_last"
}  # fmt: skip
# Parts of a config that define the training.
RUNNER = {*inspect.signature(Runner.__init__).parameters, "custom_imports", "runner_type"}
MASKS = next(metric for metric in METRICS if metric.key == "coco/segm_mAP")
HEADER = "| demo | metric | supervised | student | teacher | gain |\n|---|---|---|---|---|---|"


@dataclass
class Demo:
    """A method's demo and the runs that compare it, one of each kind for a seed."""

    name: str
    semi: list[Job] = field(default_factory=list)
    base: list[Job] = field(default_factory=list)


def supervised(config):  # noqa: ANN001, ANN201
    """The same training on the labeled scenes alone."""
    config = copy.deepcopy(config)
    # Variables of a config have done their work; only what the runner reads says what the run is.
    for key in config.keys() - RUNNER:
        config.pop(key)
    config.model.burn_in = 0
    for key in config.model.keys() - MODEL:
        del config.model[key]
    momentum = 0.995 if "detector" in config.model else 0.99
    config.custom_hooks = [dict(type="TeacherEMAHook", momentum=momentum, schedule="mean")]
    loader = config.train_dataloader
    loader.dataset.datasets = loader.dataset.datasets[:1]
    loader.dataset.pop("held_out", None)  # what a method holds out, its baseline may learn
    loader.sampler.batch = loader.sampler.batch[:1]
    loader.batch_size = loader.sampler.batch[0]
    return config


def control(config):  # noqa: ANN001, ANN201
    """The same method, with the labeled scenes as its unlabeled ones, too."""
    config = copy.deepcopy(config)
    labeled, unlabeled = config.train_dataloader.dataset.datasets
    unlabeled.split = labeled.split
    return config


def without(hook: str, config):  # noqa: ANN001, ANN201
    """The same method without one of its hooks."""
    config = copy.deepcopy(config)
    hooks = [one for one in config.custom_hooks if one.type != hook]
    if len(hooks) == len(config.custom_hooks):
        listed = ", ".join(one.type for one in config.custom_hooks)
        sys.exit(f"--without {hook}: {config.filename} has no such hook. It lists {listed}.")
    config.custom_hooks = hooks
    return config


def job(config, name: str, seed: int, out: Path) -> Job:  # noqa: ANN001
    """A training of this config, written out so that it stays as it was."""
    path = out / "configs" / f"{name}-seed{seed}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    config.dump(path)
    train = config.train_cfg
    return Job(
        f"{name} seed {seed}", path, out / f"{name}-seed{seed}", seed, train.max_iters,
        train.val_interval, text=config.pretty_text,
    )  # fmt: skip


def demos_of(
    paths: list[Path],
    seeds: list[int],
    out: Path,
    *,
    kind: str = "",
    change: Callable[[Any], Any] = lambda config: config,
    options: Sequence[str] = (),
) -> list[Demo]:
    """The trainings of all demos, changed as their `kind` says; equal baselines are one."""
    kind = " ".join(filter(None, (kind, *options)))
    baselines: dict[tuple[str, int], Job] = {}
    for path in paths:
        if not path.is_file() or CONFIGS not in path.resolve().parents:
            raise UsageError(f"{path}: there is no such file in {CONFIGS}; give a demo config")
    names = [str(path.resolve().relative_to(CONFIGS).with_suffix("")) for path in paths]
    found = [Demo(f"{name} ({kind})" if kind else name) for name in names]
    for seed in seeds:
        for demo, path, full in zip(found, paths, names, strict=True):
            config = load_config(str(path), parse_options(options))
            if missing := {"model", "train_cfg", "train_dataloader"} - config.keys():
                raise UsageError(
                    f"{path}: not a config of a training, for it has no "
                    f"{', '.join(sorted(missing))}; give a demo config, such as "
                    "configs/mixpl/gfl_demo.py"
                )
            name = "-".join(filter(None, (kind.replace(" ", "-"), full.replace("/", "-"))))
            demo.semi.append(job(change(config), name, seed, out))
            base = supervised(config)
            digest = hashlib.sha256(base.pretty_text.encode()).hexdigest()[:8]
            if (digest, seed) not in baselines:
                network = base.model.get("detector", base.model.get("segmentor"))["type"]
                baselines[digest, seed] = job(base, f"supervised-{network}-{digest}", seed, out)
            demo.base.append(baselines[digest, seed])
    return found


def values(jobs: list[Job], role: str, metric: Metric) -> list[float]:
    """The last value of one of the two models in each run that has one."""
    curves = [curve(read_run(job.folder), metric, role) for job in jobs]
    return [points[-1][1] for points in curves if points]


def rows(demo: Demo) -> list[str]:
    """A demo's line of the table, and one of its masks where it has any."""
    ready = [(s, b) for s, b in zip(demo.semi, demo.base, strict=True) if s.finished and b.finished]
    if not ready:
        return [f"| {demo.name} | not finished | | | | |"]
    semi, base = (list(jobs) for jobs in zip(*ready, strict=True))
    metrics = [main_metric(read_run(semi[0].folder)), MASKS]
    found = [row(demo.name, m, semi, base) for m in metrics if values(semi, "student", m)]
    return found or [f"| {demo.name} | nothing was found | | | | |"]


def row(name: str, metric: Metric, semi: list[Job], base: list[Job]) -> str:
    """One line of the table; the better model of the baseline is the one that is compared."""
    found = {role: values(semi, role, metric) for role in ROLES}
    # A method without an average has no teacher to evaluate, and neither has its baseline.
    plain = [given for role in ROLES if (given := values(base, role, metric))]
    labels = [max(pair) for pair in zip(*plain, strict=True)]
    gains = [mean(ours) - mean(labels) for ours in found.values() if ours]
    cells = [name, metric.name, *map(spread, (labels, found["student"], found["teacher"]))]
    return "| " + " | ".join([*cells, f"{max(gains):+.1f}"]) + " |"


def spread(numbers: list[float]) -> str:
    """Mean ± standard deviation; nothing of nothing."""
    if not numbers:
        return ""
    return f"{mean(numbers):.1f}" + (f" ± {stdev(numbers):.1f}" if len(numbers) > 1 else "")


def main() -> int:
    """Train what is not trained yet, print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("demos", nargs="*", type=Path, help="demo configs (default: all)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("work_dirs/methods"))
    parser.add_argument("--parallel", type=int, default=2, help="trainings at a time (%(default)s)")
    changed = parser.add_mutually_exclusive_group()
    changed.add_argument(
        "--control", action="store_true",
        help="the demos with their labeled scenes in place of the unlabeled ones",
    )  # fmt: skip
    changed.add_argument("--without", metavar="HOOK", help="the demos without this hook")
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE",
        help="other values for the demos and their baselines, such as domain=noise",
    )  # fmt: skip
    parser.add_argument("--table", action="store_true", help="train nothing; show what is there")
    args = parser.parse_args()
    paths = args.demos or sorted(CONFIGS.glob("*/*_demo.py"))
    kind, change = "", lambda config: config
    if args.control:
        kind, change = "control", control
    elif args.without:
        kind, change = f"without {args.without}", partial(without, args.without)
    options = args.cfg_options
    found = demos_of(paths, args.seeds, args.out, kind=kind, change=change, options=options)
    by_seed = defaultdict(list)
    for demo in found:
        for one in (*demo.base, *demo.semi):
            by_seed[one.seed].append(one)
    waiting = {job.name: job for seed in args.seeds for job in by_seed[seed] if not job.finished}
    failed = [] if args.table else run_jobs(list(waiting.values()), args.parallel, keep_going=True)
    table = "\n".join([HEADER, *(line for demo in found for line in rows(demo))])
    name = "-".join(filter(None, (kind.replace(" ", "-"), *options))) or "table"
    (args.out / f"{name}.md").write_text(table + "\n", encoding="utf-8")
    print(table)
    for one in failed:
        print(f"\n{one.name} failed ({one.folder / 'console.log'}):\n{one.tail()}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UsageError as error:
        sys.exit(f"benchmark_methods: {error}")
