"""Every method's demo against the supervised baseline, at equal iterations, over several seeds.

python tools/benchmark_methods.py --seeds 0 1 2 --out work_dirs/methods [configs/*/*_demo.py ...]

The baseline of a demo is derived from it: same model, initial weights, labelled pictures in the
same order, views, optimizer, schedule and length, and an average of its weights; without the
unlabelled scenes and the hooks that use them. Demos with the same base share it. Started again, the
command goes on where it was stopped; it prints a Markdown table and writes it to OUT/table.md.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev

from ssdet.cli.jobs import Job, run_jobs
from ssdet.engine.configs import load_config
from ssdet.report import read_run
from ssdet.report.summary import METRICS, curve, main_metric

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
# What of a demo's model its baseline keeps; the rest concerns unlabelled scenes.
MODEL = {"type", "detector", "segmentor", "data_preprocessor", "sup_weight", "burn_in"}
HEADER = "| demo | metric | supervised | student | teacher | gain |\n|---|---|---|---|---|---|"


@dataclass
class Demo:
    """A method's demo and the runs that compare it, one of each kind for a seed."""

    name: str
    semi: list[Job] = field(default_factory=list)
    base: list[Job] = field(default_factory=list)


def supervised(config):  # noqa: ANN001, ANN201
    """The same training on the labelled scenes alone."""
    config = copy.deepcopy(config)
    config.model.burn_in = 0
    for key in config.model.keys() - MODEL:
        del config.model[key]
    average = [hook for hook in config.custom_hooks if hook["type"] == "TeacherEMAHook"]
    momentum = 0.995 if "detector" in config.model else 0.99
    plain = dict(type="TeacherEMAHook", momentum=momentum, schedule="mean")
    config.custom_hooks = average or [plain]
    loader = config.train_dataloader
    loader.dataset.datasets = loader.dataset.datasets[:1]
    loader.sampler.batch = loader.sampler.batch[:1]
    loader.batch_size = loader.sampler.batch[0]
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


def demos_of(paths: list[Path], seeds: list[int], out: Path) -> list[Demo]:
    """The trainings of all demos; equal baselines are one."""
    baselines: dict[tuple[str, int], Job] = {}
    found = [Demo(str(path.resolve().relative_to(CONFIGS).with_suffix(""))) for path in paths]
    for seed in seeds:
        for demo, path in zip(found, paths, strict=True):
            config = load_config(str(path))
            demo.semi.append(job(config, demo.name.replace("/", "-"), seed, out))
            base = supervised(config)
            digest = hashlib.sha256(base.pretty_text.encode()).hexdigest()[:8]
            if (digest, seed) not in baselines:
                kind = base.model.get("detector", base.model.get("segmentor"))["type"]
                baselines[digest, seed] = job(base, f"supervised-{kind}-{digest}", seed, out)
            demo.base.append(baselines[digest, seed])
    return found


def values(jobs: list[Job], role: str, key: str) -> list[float]:
    """The last value of one of the two models in each run that has one."""
    metric = next(m for m in METRICS if m.key == key)
    curves = [curve(read_run(job.folder), metric, role) for job in jobs]
    return [points[-1][1] for points in curves if points]


def row(demo: Demo) -> str:
    """One line of the table; the better model of the baseline is the one that is compared."""
    ready = [(s, b) for s, b in zip(demo.semi, demo.base, strict=True) if s.finished and b.finished]
    if not ready:
        return f"| {demo.name} | not finished | | | | |"
    semi, base = (list(jobs) for jobs in zip(*ready, strict=True))
    metric = main_metric(read_run(semi[0].folder))
    found = {role: values(semi, role, metric.key) for role in ("student", "teacher")}
    both = zip(*(values(base, role, metric.key) for role in ("student", "teacher")), strict=True)
    labels = [max(pair) for pair in both]
    best = max(found.values(), key=mean)
    gains = [ours - theirs for ours, theirs in zip(best, labels, strict=True)]
    cells = [demo.name, metric.name, *map(spread, (labels, found["student"], found["teacher"]))]
    return "| " + " | ".join([*cells, f"{mean(gains):+.1f}"]) + " |"


def spread(numbers: list[float]) -> str:
    """Mean ± standard deviation."""
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
    parser.add_argument("--table", action="store_true", help="train nothing; show what is there")
    args = parser.parse_args()
    paths = args.demos or sorted(CONFIGS.glob("*/*_demo.py"))
    found = demos_of(paths, args.seeds, args.out)
    by_seed = defaultdict(list)
    for demo in found:
        for one in (*demo.base, *demo.semi):
            by_seed[one.seed].append(one)
    waiting = {job.name: job for seed in args.seeds for job in by_seed[seed] if not job.finished}
    failed = [] if args.table else run_jobs(list(waiting.values()), args.parallel, keep_going=True)
    table = "\n".join([HEADER, *(row(demo) for demo in found)])
    (args.out / "table.md").write_text(table + "\n", encoding="utf-8")
    print(table)
    for one in failed:
        print(f"\n{one.name} failed ({one.folder / 'console.log'}):\n{one.tail()}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
