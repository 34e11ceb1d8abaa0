"""Demos of labels of others and of few labels: with the hook for them, and without.

python tools/benchmark_given_labels.py --seeds 0 1 2 --out work_dirs/given_labels

Both trainings of a pair are the same but for that hook. `external, garbage` gives it boxes that
are nearly all wrong. `--demos` chooses some pairs, by the names in the table. Started again, the
command goes on where it was stopped; it prints a Markdown table and writes it to OUT/table.md.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark_methods import job, spread, values

from ssdet.cli.jobs import Job, run_jobs
from ssdet.engine.configs import load_config
from ssdet.report import read_run
from ssdet.report.summary import ROLES, main_metric

GARBAGE = {"missed": 0.9, "confused": 0.67, "phantoms": 3}
# Name, config, the hook, and what is said of the labels: settings of a variable of the config.
PAIRS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("external", "external/gfl_demo.py", "ExternalBoxesHook", {}),
    ("external, garbage", "external/gfl_demo.py", "ExternalBoxesHook",
     {f"detections.{key}": value for key, value in GARBAGE.items()}),
    ("external maps", "external_labels/deeplabv3plus_maps_demo.py", "ExternalMapsHook", {}),
    ("partial boxes", "partial_boxes/gfl_demo.py", "PartialLabelsHook", {}),
    ("scribbles", "scribbles/deeplabv3plus_demo.py", "NeighborLossHook", {}),
    ("tags", "tags/gfl_demo.py", "ImageTagHook", {}),
    ("two-shot video", "label_disk/deeplabv3plus_video_demo.py", "PseudoLabelDiskHook", {}),
)  # fmt: skip
NAMES = [name for name, *_ in PAIRS]
HEADER = "| demo | metric | seeds | model | without | with | gain |\n|---|---|---|---|---|---|---|"


@dataclass
class Pair:
    """The trainings with and without a hook, one of each for a seed."""

    name: str
    ours: list[Job] = field(default_factory=list)
    plain: list[Job] = field(default_factory=list)


def without(config: Any, hook: str) -> Any:
    """The same training without the hook, and without variables that only say what it was."""
    config.custom_hooks = [one for one in config.custom_hooks if one["type"] != hook]
    for name in ("detections", "tags"):
        config.pop(name, None)
    return config


def pairs_of(
    seeds: list[int], out: Path, iterations: int, demos: Sequence[str] = NAMES
) -> list[Pair]:
    """The trainings of these demos; equal ones are one."""
    length = {"iterations": iterations, "burn_in": 2 * iterations // 5}
    jobs: dict[tuple[str, int], Job] = {}
    pairs = []
    for name, path, hook, labels in PAIRS:
        if name not in demos:
            continue
        pair = Pair(name)
        for seed in seeds:
            plain = without(load_config(path, length), hook)
            digest = hashlib.sha256(plain.pretty_text.encode()).hexdigest()[:8]
            if (digest, seed) not in jobs:
                jobs[digest, seed] = job(plain, f"without-{digest}", seed, out)
            pair.plain.append(jobs[digest, seed])
            ours = load_config(path, {**length, **labels})
            pair.ours.append(job(ours, name.replace(", ", "-").replace(" ", "-"), seed, out))
        pairs.append(pair)
    return pairs


def rows(pair: Pair) -> list[str]:
    """A line for the student and one for the teacher."""
    both = zip(pair.ours, pair.plain, strict=True)
    ready = [(one, other) for one, other in both if one.finished and other.finished]
    if not ready:
        return [f"| {pair.name} | not finished | | | | | |"]
    ours, plain = (list(jobs) for jobs in zip(*ready, strict=True))
    metric = main_metric(read_run(ours[0].folder))
    found = []
    for role in ROLES:
        after, before = values(ours, role, metric), values(plain, role, metric)
        gain = sum(after) / len(after) - sum(before) / len(before)
        seeds = " ".join(str(one.seed) for one in ours)
        cells = (pair.name, metric.name, seeds, role, spread(before), spread(after), f"{gain:+.1f}")
        found.append(f"| {' | '.join(cells)} |")
    return found


def main() -> int:
    """Train what is not trained yet, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demos", nargs="+", choices=NAMES, default=NAMES, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("work_dirs/given_labels"))
    parser.add_argument("--iterations", type=int, default=1000, help="(default: %(default)s)")
    parser.add_argument("--parallel", type=int, default=2, help="trainings at a time (%(default)s)")
    parser.add_argument("--table", action="store_true", help="train nothing; show what is there")
    args = parser.parse_args()
    found = pairs_of(args.seeds, args.out, args.iterations, args.demos)
    waiting = {
        one.name: one for pair in found for one in (*pair.plain, *pair.ours) if not one.finished
    }
    failed = [] if args.table else run_jobs(list(waiting.values()), args.parallel, keep_going=True)
    table = "\n".join([HEADER, *(line for pair in found for line in rows(pair))])
    (args.out / "table.md").write_text(table + "\n", encoding="utf-8")
    print(table)
    for one in failed:
        print(f"\n{one.name} failed ({one.folder / 'console.log'}):\n{one.tail()}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
