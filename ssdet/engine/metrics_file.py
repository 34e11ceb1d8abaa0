"""`metrics.jsonl`: the numbers of a run, one line for each logged iteration and validation."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from ..exits import UsageError, writing
from ..registry import HOOKS
from .checkpoint_file import append_line
from .checkpoint_index import FOLDER, CheckpointIndex

NAME = "metrics.jsonl"
PREFIX = "train/"


@HOOKS.register_module()
class MetricsFileHook(Hook):
    """Append to `work_dir/metrics.jsonl`, flushed at each line.

    A training line holds the means since the last line (learning rates as they are), a validation
    line every scalar metric; `mode` tells which, `iter` how many iterations were done. A value that
    is not finite is written as null. On resume the lines after the resumed iteration are cut off,
    so that no iteration appears twice; what stands before them is never written again.

    Args:
        interval: iterations between training lines; the last iteration is always written.
    """

    priority = "BELOW_NORMAL"

    def __init__(self, interval: int = 10) -> None:
        if interval < 1:
            raise UsageError(f"MetricsFileHook: interval={interval} is not at least 1")
        self.interval = interval

    def before_train(self, runner: Any) -> None:
        """Start the file, or cut it to the resumed iteration."""
        self.path = Path(runner.work_dir) / NAME
        if not is_main_process():
            return
        entries = CheckpointIndex.load(self.path.parent / FOLDER).entries.values()
        validated = any(e.validated for e in entries if e.iteration == runner.iter)
        with writing(self.path):
            self.path.touch()
            os.truncate(self.path, _end_of(self.path, runner.iter, validated))

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write the means since the last line."""
        done = runner.iter + 1
        if not is_main_process() or (done % self.interval and done != runner.max_iters):
            return
        line: dict[str, Any] = {"mode": "train", "iter": done, "epoch": runner.epoch}
        for name, buffer in runner.message_hub.log_scalars.items():
            if name.startswith(PREFIX):
                is_rate = name.endswith("lr")
                with np.errstate(invalid="ignore"):  # 0/0 where every step was skipped
                    value = buffer.current() if is_rate else buffer.mean(self.interval)
                line[name.removeprefix(PREFIX)] = value
        if torch.cuda.is_available():
            line["memory"] = torch.cuda.max_memory_allocated() // 2**20
        self._append(line)

    def after_val_epoch(self, runner: Any, metrics: dict[str, Any] | None = None) -> None:
        """Write the metrics of a validation during training."""
        if hasattr(self, "path") and is_main_process():
            self._append(
                {"mode": "val", "iter": runner.iter, "epoch": runner.epoch, **(metrics or {})}
            )

    def _append(self, line: dict[str, Any]) -> None:
        scalars = {name: _scalar(value) for name, value in line.items()}
        text = json.dumps({name: value for name, value in scalars.items() if value is not ...})
        append_line(self.path, text)


def _end_of(path: Path, iteration: int, validated: bool) -> int:
    """Where the lines up to an iteration end; a line that was cut short counts as none."""
    end = 0
    for text in path.read_bytes().splitlines(keepends=True) if iteration else []:
        try:
            line = dict(json.loads(text))
            is_new = line["iter"] == iteration and line["mode"] != "train" and not validated
            if line["iter"] > iteration or is_new or not text.endswith(b"\n"):
                break
        except (ValueError, TypeError, KeyError):
            break
        end += len(text)
    return end


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a `metrics.jsonl`; a last line that was cut short is left out."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            lines.append(dict(json.loads(text)))
        except ValueError:
            break
    return lines


def _scalar(value: Any) -> Any:
    """Return a JSON value, null for what is not finite, `...` for what is no scalar."""
    if isinstance(value, (np.generic, np.ndarray, torch.Tensor)):
        if value.size != 1 if not isinstance(value, torch.Tensor) else value.numel() != 1:
            return ...
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (int, float, str, bool)) else ...
