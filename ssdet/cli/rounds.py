"""Train, label, check, and train again on the labels, as long as it helps.

Each round trains the config from the start. From the second on, half of its labeled images come
from the labels of the round before. The same command again goes on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet rounds`."""
    parser.add_argument("config", help="a path, ssdet::..., or a shipped config")
    parser.add_argument(
        "--rounds", type=int, default=3, help="the most rounds (default: %(default)s)"
    )
    parser.add_argument("--work-dir", help="folder of the rounds (default: work_dirs/NAME_rounds)")
    parser.add_argument(
        "--threshold", nargs="+", metavar="T", default=["0.5"],
        help="lowest score of the labels that are trained on, as in `ssdet label` (default: 0.5)",
    )  # fmt: skip
    parser.add_argument(
        "--min-gain", type=float, default=0.2,
        help="percent points that a round has to bring (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="seed of each round")
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE",
        help='change values of the config: optim_wrapper.optimizer.lr=0.01 key="[a,b]"',
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Go through the rounds."""
    from ..engine.configs import load_config
    from ..exits import UsageError
    from ..labeling.rounds import brings_nothing, load_rounds, save_rounds, unlabeled_images
    from ..openmmlab import register
    from .launch import parse_options

    if args.rounds < 1:
        raise UsageError(f"--rounds {args.rounds}: give at least 1")
    register()
    options = parse_options(args.cfg_options)
    config = load_config(args.config, options)
    folder = Path(args.work_dir or f"work_dirs/{Path(args.config).stem}_rounds")
    unlabeled_images(config)  # refuse what cannot be labeled before a round is spent
    settings = {
        "config": config.pretty_text, "threshold": args.threshold, "seed": args.seed,
    }  # fmt: skip
    done = load_rounds(folder, settings)
    while len(done) < args.rounds and not brings_nothing(done, args.min_gain):
        done.append(_round(args, config, folder, len(done) + 1))
        save_rounds(folder, settings, done)
        print(done[-1].words(), flush=True)
        if not done[-1].boxes:
            print("it found nothing to train on: lower --threshold, or train longer")
            break
    best = max(done, key=lambda one: one.score)
    if brings_nothing(done, args.min_gain):
        print(f"round {len(done)} brought less than {args.min_gain:g} points: no more rounds")
    print(f"best: {best.words()}\n  {best.checkpoint}\n  {_report(folder, len(done))}")
    return 0


def _round(args: argparse.Namespace, config: Any, folder: Path, number: int) -> Any:
    """Train, label and check."""
    from ..labeling.label import label, shards_of
    from ..labeling.rounds import (
        Round,
        annotated_images,
        check,
        compare,
        unlabeled_images,
        with_labels,
    )
    from ..notebook import train
    from ..report.summary import curve, main_metric

    here, before = folder / f"round-{number}", folder / f"round-{number - 1}"
    images, root, place = unlabeled_images(config)
    own = config if number == 1 else with_labels(config, before / "labels.json", place)
    run = _trained(here) or train(own, work_dir=here, seed=args.seed, resume=_begun(here))
    metric = main_metric(run.run)
    points = curve(run.run, metric, "teacher") or curve(run.run, metric)
    # A validation in which nothing was found has no metric.
    score = max((value for _, value in points), default=0.0)
    found = Round(number, score, metric.name, str(run.best))
    said: dict[str, Any] = {"threshold": args.threshold, "config": str(here / "config.py")}
    said["max_errors"] = 0.1
    written = label(str(run.best), images, here / "labels.json", root=root, **said)
    found.images, found.boxes = written.counts.images, written.counts.boxes
    paths, base, dataset = annotated_images(config)
    label(str(run.best), paths, here / "val.json", root=base, merge=False, **said)
    found.precision, found.recall = check(shards_of(here / "val.json", len(paths)), dataset)
    if number > 1:
        pair = [shards_of(one / "labels.json", found.images) for one in (here, before)]
        found.agreement, found.drift = compare(*pair)
    return found


def _trained(folder: Path) -> Any:
    """The run in a folder, if it has come to its end."""
    import json

    from ..notebook import load

    info = folder / "run.json"
    state = json.loads(info.read_text(encoding="utf-8")).get("state") if info.is_file() else None
    return load(folder) if state == "finished" else None


def _begun(folder: Path) -> bool:
    return any((folder / "checkpoints").glob("*.pth"))


def _report(folder: Path, rounds: int) -> Path:
    from ..report import read_run, write_report

    runs = [read_run(folder / f"round-{number}") for number in range(1, rounds + 1)]
    return write_report(runs, folder / "report.html")
