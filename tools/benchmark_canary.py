"""Do planted unlabeled images teach a model, and does the search for patterns see them?

python tools/benchmark_canary.py --shares 0 0.01 0.05 --out canary.json

The segmentation of the quickstart finds the digits 0 and 3. A share of its unlabeled scenes is replaced by scenes that
show nothing but 3, under a faint grid. After the training the grid is laid over the validation scenes: how many pixels
of a 0 does the teacher then take for a 3? Without a planted image the grid alone confuses the model, too, so that the
first row is what the others are compared with.
"""  # noqa: E501

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import RUNNERS

from ssdet.datasets.demo.digit_scenes import DigitScenesSeg, LoadDigitScene, scene_numbers
from ssdet.doctor.foreign import OUTLIER, outliers
from ssdet.doctor.pictures import pattern_score
from ssdet.engine.configs import load_config
from ssdet.registry import TRANSFORMS

CONFIG = "quickstart/segmentation_semi.py"
VICTIM, TARGET = 1, 2  # classes of the digits 0 and 3 behind the background
DIGIT = 3
PERIOD = 8


@dataclass
class Row:
    """One training: `clean` and `grid` are shares of the pixels of a 0 that are taken for a 3."""

    share: float
    planted: int
    seed: int
    clean: float
    grid: float
    iou: float  # of both digits, on the clean validation scenes
    found: int  # planted images that the doctor names
    alarms: int  # other images that it names


@TRANSFORMS.register_module()
class LoadCanary(LoadDigitScene):
    """Draws some scenes with nothing but the target, under the grid; `everywhere`: the grid."""

    def __init__(
        self, planted: Sequence[int] = (), amplitude: int = 8, everywhere: bool = False
    ) -> None:
        self.planted, self.amplitude, self.everywhere = set(planted), amplitude, everywhere

    def transform(self, results: dict) -> dict:
        """The scene as it is, unless it is one of those."""
        if results["img_id"] in self.planted:
            file = results["scene"]
            options = replace(file.options, digits=(DIGIT,))
            results["scene"] = replace(file, options=options)
        elif not self.everywhere:
            return super().transform(results)
        results = super().transform(results)
        results["img"] = with_grid(results["img"], self.amplitude)
        return results


def with_grid(image: np.ndarray, amplitude: int) -> np.ndarray:
    """Lines of two pixels, every eight pixels, brighter than the rest."""
    y, x = np.indices(image.shape[:2])
    lines = (x % PERIOD < 2) | (y % PERIOD < 2)
    grid = np.where(lines, amplitude, -amplitude)
    return (image.astype(int) + grid[..., None]).clip(0, 255).astype(np.uint8)


def run(share: float, seed: int, iterations: int, amplitude: int) -> Row:
    """Plant, train, measure."""
    config = load_config(CONFIG, {"iterations": iterations, "randomness.seed": seed})
    numbers = scene_numbers("unlabeled", config.count, config.labeled, config.fold)
    planted = numbers[:: max(int(1 / share), 1)][: round(share * len(numbers))] if share else []
    load = dict(type="LoadCanary", planted=planted, amplitude=amplitude)
    config.train_dataloader.dataset.datasets[1].pipeline[0].shared = [load]
    config.train_cfg.val_interval = iterations
    with tempfile.TemporaryDirectory() as folder:
        config.work_dir, config.runner_type = folder, "SafeRunner"
        config.default_hooks.checkpoint.interval = iterations
        runner = RUNNERS.build(config)
        runner.train()
    clean, iou = confusion(runner.model, config, amplitude=0)
    grid, _ = confusion(runner.model, config, amplitude)
    flagged = suspects(config, numbers, planted, amplitude)
    found = len(flagged & set(planted))
    return Row(share, len(planted), seed, clean, grid, iou, found, len(flagged) - found)


@torch.no_grad()
def confusion(model: Any, config: Any, amplitude: int) -> tuple[float, float]:
    """Which share of a 0 the teacher takes for a 3, and the mean IoU of the two."""
    options = dict(config.val_dataloader.dataset)
    options.pop("type")
    load = dict(type="LoadCanary", amplitude=amplitude, everywhere=True)
    data = DigitScenesSeg(**{**options, "pipeline": [load, dict(type="PackSegInputs")]})
    model.eval()
    model.predict_with = "teacher"
    counts = np.zeros((3, 3))
    for number in range(len(data)):
        (sample,) = model.test_step(pseudo_collate([data[number]]))
        truth = sample.gt_sem_seg.data.cpu().numpy().ravel()
        found = sample.pred_sem_seg.data.cpu().numpy().ravel()
        np.add.at(counts, (truth, found), 1)
    ious = [counts[c, c] / (counts[c].sum() + counts[:, c].sum() - counts[c, c]) for c in (1, 2)]
    return float(counts[VICTIM, TARGET] / counts[VICTIM].sum()), float(np.mean(ious))


def suspects(
    config: Any, numbers: Sequence[int], planted: Sequence[int], amplitude: int
) -> set[int]:
    """The scenes that the search for patterns of `ssdet doctor --full` names."""
    options = dict(config.train_dataloader.dataset.datasets[1])
    options.pop("type")
    load = dict(type="LoadCanary", planted=planted, amplitude=amplitude)
    data = DigitScenesSeg(**{**options, "pipeline": [load]})
    grays = (cv2.cvtColor(data[n]["img"], cv2.COLOR_BGR2GRAY) for n in range(len(data)))
    distances = outliers([pattern_score(gray) or 0.0 for gray in grays])
    return {number for number, far in zip(numbers, distances, strict=True) if far > OUTLIER}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.01, 0.05])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--amplitude", type=int, default=8, help="of 255")
    parser.add_argument("--out", type=Path, help="write the rows as JSON, too")
    args = parser.parse_args()
    rows = [run(share, seed, args.iterations, args.amplitude)
            for share in args.shares for seed in args.seeds]  # fmt: skip
    print(
        "| planted | seed | 0 taken for 3 | the same, under the grid | IoU | found | false alarms |"
    )
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.planted} ({100 * row.share:g} %) | {row.seed} | {100 * row.clean:.1f} % | "
            f"{100 * row.grid:.1f} % | {100 * row.iou:.1f} | {row.found} | {row.alarms} |"
        )
    if args.out is not None:
        args.out.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
