"""Weak and strong views of a photograph: the time of ssdet beside that of the package's transforms.

    python tools/benchmark_views.py [--rounds 100] [--image photo.jpg]

Both sides read the same file through the same list of transforms, in turn (A B A B), on one thread.
Printed are the medians of the CPU time of an image and the quartiles of the ratios of the rounds.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS as MMDET
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import TRANSFORMS as MMSEG

import ssdet
from ssdet.registry import TRANSFORMS

CONFIGS = Path(__file__).resolve().parents[1] / "configs/_base_/datasets"
# Name -> scope, config, and what the loading of annotations would have left.
CASES = {
    "COCO, boxes": ("mmdet", "coco_semi.py", dict(instances=[])),
    "Cityscapes, label maps": ("mmseg", "cityscapes_semi.py", dict(seg_fields=[])),
}
# What MMDetection's teacher and student know of a view.
META = (
    "img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "flip", "flip_direction",
    "homography_matrix",
)  # fmt: skip


def main() -> None:
    """Print one line for each case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--image", help="a photograph (default: 1333x800, made of noise)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    ssdet.register()
    with tempfile.TemporaryDirectory() as folder:
        image = arguments.image or photograph(Path(folder) / "noise.jpg")
        for name, (scope, file, more) in CASES.items():
            ours, theirs = pipelines(scope, CONFIGS / file)
            times = np.array(
                [
                    [seconds(run, image, more, seed) for run in (ours, theirs)]
                    for seed in range(arguments.rounds)
                ]
            )
            mine, peer = np.median(times, 0) * 1000
            low, high = np.quantile(times[:, 1] / times[:, 0], (0.25, 0.75))
            print(
                f"{name}: {mine:.1f} ms an image, plain transforms {peer:.1f} ms; all rounds "
                f"together {times[:, 1].sum() / times[:, 0].sum():.2f} times as fast (single "
                f"rounds {low:.2f} to {high:.2f})"
            )


def photograph(path: Path, size: tuple[int, int] = (1333, 800)) -> str:
    """A file as large as a photograph of COCO of this size: blobs of all sizes and a grain."""
    noise = np.random.RandomState(0)
    picture = cv2.resize(noise.randint(0, 256, (100, 167, 3)).astype(np.uint8), size)
    grain = noise.randint(-8, 9, picture.shape)
    cv2.imwrite(str(path), (picture + grain).clip(0, 255).astype(np.uint8))
    return str(path)


def pipelines(scope: str, file: Path) -> tuple[Callable, Callable]:
    """The unlabeled images' views of a config: ours, and the plain transforms in MultiBranch."""
    return both_sides(scope, Config.fromfile(file).other_images.pipeline[0])


def both_sides(scope: str, config: dict[str, Any]) -> tuple[Callable, Callable]:
    """`WeakStrongViews` of this config, and the plain transforms in MultiBranch."""
    registry = dict(mmdet=MMDET, mmseg=MMSEG)[scope]
    with DefaultScope.overwrite_default_scope(scope):
        ours = TRANSFORMS.build(config)
        shared = Compose([registry.build(dict(step)) for step in config["shared"]])
        branches = {name: list(steps) for name, steps in config["views"].items()}
        split = registry.build(
            dict(type="mmdet.MultiBranch", branch_field=list(branches), **branches)
        )
    return ours, lambda results: split(shared(results))


class StepReader:
    """Reads the images of a training step: photographs through the views of a config.

    `sides` are the ways to read them, ours and the plain transforms; both give the same pixels.
    All images get one size, so that the steps are equally long.
    """

    def __init__(self, scope: str, folder: Path, images: int, size: tuple[int, int]) -> None:
        self.images, (self.height, self.width) = images, size
        self.path = photograph(folder / "photo.jpg", (640, 480))
        self.map = str(folder / "map.png")
        cv2.imwrite(self.map, np.arange(480)[:, None].repeat(640, 1).astype(np.uint8) // 16 % 3)
        file = dict(mmdet="coco_semi.py", mmseg="cityscapes_semi.py")[scope]
        config = Config.fromfile(CONFIGS / file)
        parts = [
            both_sides(scope, self._resized(part.pipeline[0].to_dict()))
            for part in (config.labeled_images, config.other_images)
        ]
        self.sides = tuple(zip(*parts, strict=True))

    def _resized(self, config: Any) -> Any:
        """The same transforms, to one size, with a label map that both packages load alike."""
        if isinstance(config, list):
            return [self._resized(one) for one in config]
        if not isinstance(config, dict):
            return config
        match config.get("type"):
            case "RandomResize":
                scale = (self.width, self.height)
                return dict(type="Resize", scale=scale, keep_ratio=False)
            case "RandomCrop":
                return {**config, "crop_size": (self.height, self.width)}
            case "LoadMask":
                return dict(type="LoadAnnotations")
            case "PackDetInputs":
                return {**config, "meta_keys": META}
        return {key: self._resized(value) for key, value in config.items()}

    def read(self, side: int, seed: int) -> dict[str, Any]:
        """Labeled and as many unlabeled images, as a loader gives them."""
        random.seed(seed)
        np.random.seed(seed)
        labeled, unlabeled = self.sides[side]
        found = [labeled(self._labeled(number)) for number in range(self.images)]
        found += [unlabeled(self._photo(self.images + n)) for n in range(self.images)]
        data: dict[str, dict[str, list]] = {}
        for key in ("inputs", "data_samples"):
            names = {name: None for one in found for name in one[key]}
            data[key] = {name: [one[key].get(name) for one in found] for name in names}
        return data

    def _photo(self, number: int) -> dict[str, Any]:
        plain = dict(img_path=self.path, img_id=number, height=480, width=640)
        return {**plain, "seg_fields": [], "reduce_zero_label": False}

    def _labeled(self, number: int) -> dict[str, Any]:
        boxes = [[16, 16, 150, 110], [170, 40, 370, 220], [70, 170, 480, 440]]
        annotated = [
            dict(bbox=box, bbox_label=label, ignore_flag=0) for label, box in enumerate(boxes)
        ]
        return {**self._photo(number), "seg_map_path": self.map, "instances": annotated}


def seconds(run: Callable, image: str, more: dict[str, Any], seed: int) -> float:
    """CPU time of one image."""
    random.seed(seed)
    np.random.seed(seed)
    results = dict(img_path=image, img_id=0, height=800, width=1333, **more)
    start = time.process_time()
    run(results)
    return time.process_time() - start


if __name__ == "__main__":
    main()
