"""What watching costs: the monitor's share of the CPU time of a training step, and what the report
counts and draws at a validation (`quality.json`, the images with the most errors).

python tools/benchmark_monitor.py --iterations 300
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS, LOOPS, RUNNERS

from ssdet.engine.configs import load_config
from ssdet.engine.loops import TeacherStudentLoop
from ssdet.hooks import PseudoLabelMonitorHook

CONFIGS = Path(__file__).parents[1] / "configs" / "quickstart"
WARM_UP = 20  # first iterations, which are not counted


class TimedMonitorHook(PseudoLabelMonitorHook):
    """The monitor, with a clock."""

    seconds = 0.0

    def before_student(self, step: Any) -> None:
        """Watch, and count the CPU time of it."""
        begun = time.process_time()
        super().before_student(step)
        self.seconds += time.process_time() - begun


class StepClockHook(Hook):
    """CPU time of the steps after the warm-up, images included, validations not."""

    priority = "LOWEST"

    def __init__(self) -> None:
        self.seconds = self.monitor = 0.0
        self.steps = 0
        self._begun = self._watched = 0.0

    def after_train_iter(self, runner: Any, batch_idx: int, *_: Any, **__: Any) -> None:
        """Add the time since the last step."""
        now = time.process_time()
        watched = next(h.seconds for h in runner.hooks if isinstance(h, TimedMonitorHook))
        if runner.iter >= WARM_UP:
            self.steps += 1
            self.seconds += now - self._begun
            self.monitor += watched - self._watched
        self._begun, self._watched = now, watched


class TimedLoop(TeacherStudentLoop):
    """A validation of both models, with a clock."""

    seconds = counted = 0.0

    def run(self) -> dict[str, Any]:
        """Validate, and count the CPU time of it."""
        begun = time.process_time()
        metrics = super().run()
        self.seconds += time.process_time() - begun
        return metrics

    def _look(self, *args: Any) -> None:
        begun = time.process_time()
        super()._look(*args)
        self.counted += time.process_time() - begun

    def _write_quality(self) -> None:
        begun = time.process_time()
        super()._write_quality()
        self.counted += time.process_time() - begun


def measure(task: str, iterations: int) -> dict[str, float]:
    """Train the quickstart's model of a task, pseudo labels from the first iteration on."""
    for hook in (TimedMonitorHook, StepClockHook):
        HOOKS.register_module(module=hook, force=True)
    LOOPS.register_module(module=TimedLoop, force=True)
    config = load_config(str(CONFIGS / f"{task}_semi.py"), {"iterations": iterations})
    config.model.burn_in = 0
    config.train_cfg.update(max_iters=iterations, val_interval=10 * iterations)
    config.val_cfg.type = "TimedLoop"
    config.default_hooks.update(
        monitor=dict(type="TimedMonitorHook"), report=None,
        checkpoint=dict(type="AtomicCheckpointHook", interval=10 * iterations, by_epoch=False),
    )  # fmt: skip
    config.custom_hooks = [hook for hook in config.custom_hooks if hook["type"] != "GalleryHook"]
    config.custom_hooks.append(dict(type="StepClockHook"))
    config.runner_type, config.log_level = "SafeRunner", "WARNING"
    with tempfile.TemporaryDirectory() as folder:
        config.work_dir = folder
        runner = RUNNERS.build(config)
        runner.train()
        loop, images = runner.val_loop, len(runner.val_dataloader.dataset)
        loop.run()
        clock = next(hook for hook in runner.hooks if isinstance(hook, StepClockHook))
    return {
        "step_ms": 1000 * clock.seconds / clock.steps,
        "monitor_ms": 1000 * clock.monitor / clock.steps,
        "percent": 100 * clock.monitor / clock.seconds,
        "val_image_ms": 1000 * loop.seconds / images,
        "counted_ms": 1000 * loop.counted / images,
        "val_percent": 100 * loop.counted / loop.seconds,
    }


def main() -> None:
    """Print a line for each task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=["detection", "segmentation"])
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--out", type=Path, help="file for the numbers, as JSON")
    args = parser.parse_args()
    rows = {task: measure(task, args.iterations) for task in args.tasks}
    for task, row in rows.items():
        print(
            f"{task}: {row['step_ms']:.0f} ms of CPU time a step, of which the monitor "
            f"{row['monitor_ms']:.2f} ms: {row['percent']:.1f} %; {row['val_image_ms']:.1f} ms an "
            f"image of a validation of both models, of which quality.json and the worst images "
            f"{row['counted_ms']:.2f} ms: {row['val_percent']:.1f} %"
        )
    if args.out:
        args.out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
