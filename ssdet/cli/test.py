"""Evaluate the teacher or the student of a checkpoint."""

from __future__ import annotations

import argparse

from .train import add_common_arguments, find_checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet test`."""
    parser.add_argument("config", help="a path, ssdet::..., mmdet::..., or a shipped config")
    parser.add_argument(
        "checkpoint", help="a checkpoint, or the folder of a run: its best one, else its newest"
    )
    parser.add_argument(
        "--model", choices=("teacher", "student"), default="teacher",
        help="which model to evaluate (default: %(default)s); no effect on a plain model",
    )  # fmt: skip
    parser.add_argument(
        "--work-dir",
        help="folder for test.log and test.json (default: work_dirs/NAME_OF_CONFIG)",
    )
    add_common_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate."""
    from ..exits import UsageError
    from .launch import build_runner, prepare

    args.checkpoint = find_checkpoint(args.checkpoint, args.model)
    config = prepare(args)
    if config.get("test_dataloader") is None:
        raise UsageError(f"config {args.config} has no test_dataloader; add one to evaluate")
    # What only a training needs stays out: its data need not be here.
    for part in ("train", "val"):
        for key in (f"{part}_dataloader", f"{part}_cfg", f"{part}_evaluator"):
            config.pop(key, None)
    for key in ("optim_wrapper", "param_scheduler"):
        config.pop(key, None)
    if config.test_cfg.get("type", "TestLoop") in ("TestLoop", "TeacherStudentTestLoop"):
        config.test_cfg = {
            **config.test_cfg, "type": "TeacherStudentTestLoop", "model": args.model,
        }  # fmt: skip
    config.resume = False
    config.load_from = args.checkpoint
    runner = build_runner(config, args.config, ("test_loop",))
    runner.test()
    return 0
