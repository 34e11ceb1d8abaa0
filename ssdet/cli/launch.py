"""From the command line to a runner: what `ssdet train` and `ssdet test` share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..engine.configs import load_config


def prepare(args: argparse.Namespace) -> Any:
    """Return the config that the arguments name, with launcher and work folder filled in."""
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    config = load_config(args.config, parse_options(args.cfg_options))
    return fill_in(config, args.config, work_dir=args.work_dir, launcher=args.launcher)


def fill_in(config: Any, name: str, *, work_dir: str | None, launcher: str = "none") -> Any:
    """Add what a config leaves open: the runner, the launcher, the folder of the run."""
    config.launcher = launcher
    config.setdefault("runner_type", "SafeRunner")
    if work_dir is not None:
        config.work_dir = work_dir
    elif config.get("work_dir") is None:
        config.work_dir = str(Path("work_dirs") / Path(name.rpartition("::")[2]).stem)
    return config


def parse_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Turn `a.b=1 c="[x,y]"` into a dict of values."""
    from mmengine.config import DictAction

    from ..exits import UsageError

    options = {}
    for pair in pairs:
        key, mark, value = pair.partition("=")
        if not mark or not key:
            raise UsageError(f"--cfg-options {pair!r}: expected KEY=VALUE")
        options[key] = DictAction._parse_iterable(value)
    return options


def build_runner(
    config: Any, name: str, parts: Sequence[str], check: Callable[[], None] | None = None
) -> Any:
    """Build the runner and its loops (with their datasets); an error names the config.

    `check` is called between the two: before any data set is built.

    An error that has an exit code keeps it; a file that is missing counts as data, anything else
    that goes wrong here as a wrong config. `SSDET_TRACEBACK=1` shows where it came from.
    """
    from mmengine.registry import RUNNERS

    from ..datasets.named_errors import name_bad_images
    from ..engine.failures import lost_rank
    from ..engine.log_lines import make_readable
    from ..engine.unknown_settings import nearest
    from ..exits import Exit, RunError

    try:
        runner = RUNNERS.build(config)
        make_readable(runner.logger)
        if check is not None:
            check()
        for part in parts:
            loader = getattr(getattr(runner, part), "dataloader", None)
            name_bad_images(getattr(loader, "dataset", None))
    except Exception as error:
        if isinstance(error, RunError):
            raise
        lost = lost_rank(error, "while the run was prepared")
        if lost is not None:
            raise lost from error
        wrapped = RunError(f"config {name}: {type(error).__name__}: {error}{nearest(error)}")
        is_data = isinstance(error, OSError)
        wrapped.exit_code = Exit.DATA if is_data else Exit.USAGE
        raise wrapped from error
    return runner
