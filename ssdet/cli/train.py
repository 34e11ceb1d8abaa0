"""Train a model from a config, or resume an interrupted run."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..run_files import NEWEST
from .arguments import positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet train`."""
    parser.add_argument("config", help="a path, ssdet::..., mmdet::..., or a shipped config")
    parser.add_argument("--work-dir", help="the run's folder (default: work_dirs/NAME_OF_CONFIG)")
    parser.add_argument(
        "--resume", nargs="?", const=NEWEST, metavar="CHECKPOINT",
        help="resume from the newest undamaged checkpoint of the work folder, or from CHECKPOINT",
    )  # fmt: skip
    parser.add_argument(
        "--resume-anyway", action="store_true",
        help="as --resume, also with a config or data that are not those of the run",
    )  # fmt: skip
    parser.add_argument(
        "--gpus", type=positive, metavar="N",
        help="train in N processes of this machine, one for each GPU (without GPUs: on the CPU)",
    )  # fmt: skip
    parser.add_argument("--amp", action="store_true", help="mixed precision, where it is faster")
    parser.add_argument(
        "--auto-scale-lr", action="store_true",
        help="let the learning rate follow the images per iteration: in proportion for SGD, by "
        "the square root for AdamW and its like",
    )  # fmt: skip
    parser.add_argument(
        "--deterministic", action="store_true",
        help="use only operations that give the same bits each time; slower on a GPU",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, help="the run's seed (config: randomness.seed)")
    parser.add_argument(
        "--strict", action="store_true",
        help="treat warnings about the data, and records that would be skipped, as errors",
    )  # fmt: skip
    parser.add_argument(
        "--dry-run", action="store_true",
        help="take two steps, evaluate, save and load; print memory, seconds and the time that the "
        "training will take; nothing is kept",
    )  # fmt: skip
    parser.add_argument(
        "--profile", action="store_true",
        help="measure 50 iterations: the share of each hook and pass in a step, and a trace",
    )  # fmt: skip
    parser.add_argument(
        "--baseline", action="store_true",
        help="train on the labeled images alone first, in WORK_DIR-baseline, then report what the "
        "unlabeled ones were worth",
    )  # fmt: skip
    parser.add_argument(
        "--control", action="store_true",
        help="train with labeled images in the place of the unlabeled ones, too, in "
        "WORK_DIR-control: what the method is worth without new images",
    )  # fmt: skip
    add_common_arguments(parser)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `train` and `test` share."""
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE",
        help='change values of the config: optim_wrapper.optimizer.lr=0.01 key="[a,b]"',
    )  # fmt: skip
    parser.add_argument("--launcher", choices=("none", "pytorch", "slurm"), default="none")
    # Some launchers pass it; torchrun sets the environment variable instead.
    parser.add_argument("--local-rank", "--local_rank", type=int, default=0, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Train."""
    if args.gpus and _starts_others(args):
        from .processes import start

        print(f"ssdet train {args.config}: starting {args.gpus} processes", flush=True)
        return start(args.gpus, args.command_line)
    if os.environ.get("RANK", "0") == "0":  # the imports below take seconds
        print(f"ssdet train {args.config}: loading PyTorch and MMDetection", flush=True)
    from ..exits import UsageError
    from .doctor import check_before_training
    from .launch import build_runner, prepare

    if (args.baseline or args.control) and args.resume not in (NEWEST, None):
        raise UsageError(
            f"--resume {args.resume}: there is a run in each of several folders; with --baseline "
            "or --control write --resume alone: each goes on with its own newest checkpoint"
        )
    config = prepare(args)
    _apply(config, args)
    _resume(config, args)
    check = check_before_training(config, strict=args.strict)
    if args.baseline or args.control:
        return _compare(config, args, check)
    if args.dry_run:
        return _dry_run(config, args.config, check)
    runner = build_runner(config, args.config, ("train_loop", "val_loop"), check)
    runner.train()
    if os.environ.get("RANK", "0") == "0":
        _say_what_is_next(config)
    return 0


def _starts_others(args: argparse.Namespace) -> bool:
    """Whether this process starts those that train; each of them joins the others here."""
    from ..exits import UsageError

    if args.launcher != "none":
        raise UsageError(
            f"--gpus {args.gpus} starts the processes itself, and --launcher {args.launcher} says "
            "that another program does; leave one of them out"
        )
    if "TORCHELASTIC_RUN_ID" in os.environ:
        args.launcher = "pytorch"
        return False
    return bool(args.gpus > 1 and not args.dry_run)  # a trial is one process


def _apply(config: Any, args: argparse.Namespace) -> None:
    """What the options change in the config."""
    if args.amp:
        _enable_amp(config)
    if args.auto_scale_lr:
        _enable_lr_scaling(config)
    if args.seed is not None:
        config.randomness = {**config.get("randomness", {}), "seed": args.seed}
    if args.deterministic:
        # What cuBLAS needs for it must be set before it is used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        given = config.get("randomness") or {}
        config.randomness = {"seed": None, **given, "deterministic": True}
    if args.profile:
        config.custom_hooks = [*config.get("custom_hooks", []), dict(type="ProfileHook")]


def _resume(config: Any, args: argparse.Namespace) -> None:
    if args.resume is not None or args.resume_anyway:
        newest = args.resume in (NEWEST, None)
        config.resume = NEWEST if newest else True
        config.load_from = config.get("load_from") if newest else args.resume
        config.resume_anyway = args.resume_anyway
    if config.get("resume") != NEWEST:  # then a run that goes on needs no other file
        check_file("--resume" if config.get("resume") else "load_from", config.get("load_from"))


def _compare(config: Any, args: argparse.Namespace, check: Callable[[], None]) -> int:
    """Train the runs to compare with, then the config's own, and report on all of them."""
    from .compare import parts_of, report, train_all

    parts = parts_of(config, baseline=args.baseline, control=args.control)
    if args.dry_run:
        for part in parts:
            _dry_run(part.config, f"{args.config} ({part.role})", check)
        return 0
    train_all(parts, args.config, check)
    report(parts, shlex.join(["ssdet", *args.command_line]))
    return 0


def _say_what_is_next(config: Any) -> None:
    """The last line of a training: where its result is."""
    report = Path(config.work_dir) / "report.html"
    told = [f"{report} shows how it went"] if report.is_file() else []
    if {"detector", "segmentor"} & set(config.model):
        told.append(f"`ssdet export {shlex.quote(config.work_dir)}` takes the model out")
    print(f"ssdet train: finished. {'; '.join(told) or config.work_dir}")


def _dry_run(config: Any, name: str, check: Callable[[], None]) -> int:
    """Try the training out, and say what it costs."""
    from ..engine.trial import try_out

    check()
    trial = try_out(config, name)
    losses = ", ".join(f"{key} {value:.3g}" for key, value in trial.losses.items())
    print(f"{name}: {trial.told}\nlosses of the last step: {losses}")
    return 0


def _enable_amp(config: Any) -> None:
    from ..exits import UsageError

    kind = config.optim_wrapper.get("type", "OptimWrapper")
    if kind not in ("OptimWrapper", "AmpOptimWrapper"):
        raise UsageError(
            f"--amp: optim_wrapper.type is {kind!r}; it replaces OptimWrapper only. Set "
            f"the precision in the config"
        )
    config.optim_wrapper.type = "AmpOptimWrapper"


def _enable_lr_scaling(config: Any) -> None:
    from ..exits import UsageError

    scaling = config.get("auto_scale_lr") or {}
    if "base_batch_size" not in scaling and "total_batch" not in config:
        raise UsageError(
            "--auto-scale-lr: the config says nowhere how many images per iteration its learning "
            "rate is meant for; add total_batch=(labeled, unlabeled) of all processes, or "
            "auto_scale_lr=dict(base_batch_size=...)"
        )
    config.auto_scale_lr = {**scaling, "enable": True}


def find_checkpoint(path: str, model: str = "teacher") -> str:
    """A checkpoint, the best one (else the newest) of a run folder, or that of an exported one."""
    if "://" in path or not Path(path).is_dir():
        check_file("checkpoint", path)
        return path
    from ..engine.checkpoint_place import checkpoint_of

    return str(checkpoint_of(path, model))


def check_file(option: str, path: str | None) -> None:
    """Raise an error that names the option, if its file is not there."""
    from ..exits import UsageError

    if path and "://" not in path and not Path(path).expanduser().is_file():
        raise UsageError(f"{option} {path}: no such file")
