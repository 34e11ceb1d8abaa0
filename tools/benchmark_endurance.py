"""Memory, open files and time of a long training whose hooks keep queues, memories and mixtures.

python tools/benchmark_endurance.py --iterations 3000 --out endurance.json
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, RUNNERS

from ssdet.engine.configs import load_config

# A queue of scores, boxes of every image, caches of images, files: all that could grow.
HOOKS_OF_THE_RUN = [
    dict(type="TeacherEMAHook", momentum=0.999),
    dict(type="GMMThresholdHook", default=0.4, floor=0.2),
    dict(type="PseudoBoxMemoryHook", interval=1),
    dict(type="PseudoMosaicHook", size=(64, 112), images=2, weight=0.5, flip=0.0),
    dict(type="PseudoMixupHook", share=0.5, flip=0.0),
    dict(type="GalleryHook", interval=500),
]
EVERY = 100  # iterations between two samples


@HOOKS.register_module()
class SampleHook(Hook):
    """Writes down what the process uses, every 100 iterations."""

    priority = "LOWEST"

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self._since = time.process_time()

    def after_train_iter(self, runner: Any, batch_idx: int, *_: Any, **__: Any) -> None:
        done = runner.iter + 1
        if done % EVERY:
            return
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        now = time.process_time()
        self.rows.append({
            "iteration": done,
            "megabytes": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
            "files": len(os.listdir("/proc/self/fd")),
            "cpu_seconds": (now - self._since) / EVERY,
        })  # fmt: skip
        self._since = now


def run(config: str, iterations: int) -> dict[str, Any]:
    """Train, and return the samples and the sizes of the checkpoints."""
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_config(config, {"iterations": iterations})
        loaded.work_dir, loaded.runner_type = folder, "SafeRunner"
        loaded.custom_hooks = [*HOOKS_OF_THE_RUN, dict(type="SampleHook")]
        loaded.train_cfg.update(max_iters=iterations, val_interval=iterations)
        loaded.default_hooks.checkpoint.update(interval=max(iterations // 6, 1), max_keep_ckpts=9)
        runner = RUNNERS.build(loaded)
        runner.train()
        rows = next(hook.rows for hook in runner.hooks if isinstance(hook, SampleHook))
        found = sorted((Path(folder) / "checkpoints").glob("iter_*.pth"), key=_number)
        sizes = {_number(path): path.stat().st_size / 2**20 for path in found}
    return {"config": config, "torch": torch.__version__, "rows": rows, "checkpoints": sizes}


def slope(rows: list[dict[str, float]], key: str) -> float:
    """Growth for each iteration, in the second half of the run."""
    half = rows[len(rows) // 2 :]
    return float(np.polyfit([r["iteration"] for r in half], [r[key] for r in half], 1)[0])


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("iter_"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="mixpl/gfl_demo.py")
    parser.add_argument("--iterations", type=int, default=3000)
    parser.add_argument("--out", type=Path, help="write the samples as JSON, too")
    args = parser.parse_args()
    if args.iterations < 4 * EVERY:
        parser.error(f"--iterations {args.iterations}: at least {4 * EVERY}")
    found = run(args.config, args.iterations)
    print("| iteration | memory, MB | open files | CPU s a step |\n|---|---|---|---|")
    for row in found["rows"][:: max(len(found["rows"]) // 10, 1)]:
        print(
            f"| {row['iteration']} | {row['megabytes']:.0f} | {row['files']} | "
            f"{row['cpu_seconds']:.3f} |"
        )
    print(f"memory: {1024 * slope(found['rows'], 'megabytes'):+.1f} KB an iteration (second half)")
    print(f"open files: {slope(found['rows'], 'files'):+.4f} an iteration")
    print(f"CPU time: {1e6 * slope(found['rows'], 'cpu_seconds'):+.2f} us a step and iteration")
    sizes = ", ".join(f"{mb:.1f} MB at {number}" for number, mb in found["checkpoints"].items())
    print(f"checkpoints: {sizes}")
    if args.out is not None:
        args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
