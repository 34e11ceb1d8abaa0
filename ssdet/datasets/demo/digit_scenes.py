"""The demo set as data sets for MMDetection and MMSegmentation, drawn while training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from pycocotools import mask as rle

from ...registry import DATASETS, TRANSFORMS
from ...validation import check_choice
from .domains import Domain, in_domain
from .scenes import Scene, SceneOptions, draw, draw_once

SPLITS = ("train", "labeled", "unlabeled", "val")
PALETTE = [
    (230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48),
    (145, 30, 180), (70, 240, 240), (240, 50, 230), (210, 245, 60), (250, 190, 212),
]  # fmt: skip


@dataclass(frozen=True)
class SceneFile:
    """What a sample carries instead of a file: how to draw its scene, and what may be told."""

    options: SceneOptions
    index: int
    annotated: bool
    cache: bool = False

    def open(self) -> Scene:
        """Draw the scene (or remember it)."""
        return (draw_once if self.cache else draw)(self.options, self.index)

    def dice(self, *purpose: int) -> np.random.Generator:
        """Random numbers of the scene for a purpose, beside those that it is drawn with."""
        key = (self.options.seed, int(self.options.validation), self.index, *purpose)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


@DATASETS.register_module()
class DigitScenes(BaseDataset):
    """Handwritten digits in cluttered scenes: the demo set, for detection and instance masks.

    A pipeline starts with `LoadDigitScene`, followed by MMDetection's `LoadAnnotations`. Training
    and validation scenes show different images of digits, by mostly different people. `img_id` is
    the number of the scene, the same in every split of the training scenes.

    Args:
        split: 'train' (all training scenes with labels), 'labeled' and 'unlabeled' (its two parts;
            the latter without any annotation), or 'val'.
        count: Scenes of the training or the validation set.
        labeled: Size of the labeled part. Smaller parts lie inside larger ones.
        fold: Which scenes are labeled; any number gives another choice.
        digits: The classes, in this order.
        image_size: Side, or (height, width).
        objects: Fewest and most digits of a scene (fewer where they do not fit).
        clutter: Amount of strokes and shapes that are no digits; 1 is usual, 0 is none.
        seed: Another seed, other scenes.
        tail: How much rarer the last of the digits is than the first; 1: all alike.
        cache: Remember drawn scenes (2,048 per process).
        options: Further arguments of `BaseDataset`, such as `pipeline` and `test_mode`.
    """

    background: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        split: str = "train",
        count: int = 1000,
        labeled: int = 40,
        fold: int = 0,
        digits: Sequence[int] = range(10),
        image_size: int | Sequence[int] = 128,
        objects: Sequence[int] = (1, 5),
        clutter: float = 1.0,
        seed: int = 0,
        tail: float = 1.0,
        cache: bool = False,
        **options: Any,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"{type(self).__name__}: split={split!r} is not one of {SPLITS}")
        if count < 1 or (split in SPLITS[1:3] and not 0 < labeled < count):
            raise ValueError(
                f"{type(self).__name__}: labeled={labeled} of count={count} scenes; "
                f"it must leave at least one scene labeled and one unlabeled"
            )
        height, width = (image_size,) * 2 if isinstance(image_size, int) else image_size
        fewest, most = objects
        self.scenes = SceneOptions(
            size=(height, width),
            digits=tuple(digits),
            objects=(fewest, most),
            clutter=clutter,
            seed=seed,
            validation=split == "val",
            tail=tail,
        )
        self.split, self.cache = split, cache
        self.numbers = self._numbers(count, labeled, fold)
        classes = (*self.background, *(str(digit) for digit in self.scenes.digits))
        palette = [(0, 0, 0)] * len(self.background) + [PALETTE[d] for d in self.scenes.digits]
        metainfo = {"classes": classes, "palette": palette, **(options.pop("metainfo", None) or {})}
        super().__init__(metainfo=metainfo, **options)

    def _numbers(self, count: int, labeled: int, fold: int) -> list[int]:
        return scene_numbers(self.split, count, labeled, fold)

    @property
    def unlabeled(self) -> bool:
        """Whether the samples come without annotations."""
        return self.split == "unlabeled"

    def load_data_list(self) -> list[dict]:
        """One entry for each scene; nothing is drawn yet."""
        height, width = self.scenes.size
        folder = f"digit-scenes-{self.scenes.seed}/{'val' if self.split == 'val' else 'train'}"
        return [
            {"img_id": n, "img_path": f"{folder}/{n:06d}.png", "height": height, "width": width}
            for n in self.numbers
        ]

    def get_data_info(self, idx: int) -> dict:
        """The entry of a scene, with the means to draw it."""
        info = super().get_data_info(idx)
        info["scene"] = SceneFile(self.scenes, info["img_id"], not self.unlabeled, self.cache)
        return {**info, "instances": []}

    def get_cat_ids(self, idx: int) -> list[int]:
        """Classes in a scene, for class-balanced sampling."""
        if self.unlabeled:
            return []
        return self.get_data_info(idx)["scene"].open().labels.tolist()


@DATASETS.register_module()
class DigitScenesSeg(DigitScenes):
    """`DigitScenes` for semantic segmentation: class 0 is the background.

    `LoadDigitScene` gives the label map too; MMSegmentation's `LoadAnnotations` is not needed.
    """

    background = ("background",)

    def __init__(self, **options: Any) -> None:
        metainfo = {**(options.pop("metainfo", None) or {}), "reduce_zero_label": False}
        super().__init__(metainfo=metainfo, **options)

    def get_data_info(self, idx: int) -> dict:
        """The entry of a scene, with what the transforms of MMSegmentation look for."""
        info = super().get_data_info(idx)
        return {**info, "seg_fields": [], "label_map": None, "reduce_zero_label": False}

    def get_cat_ids(self, idx: int) -> list[int]:
        """Classes in a scene, background not counted."""
        return [label + 1 for label in super().get_cat_ids(idx)]


@TRANSFORMS.register_module()
class LoadDigitScene(BaseTransform):
    """Draws the scene of a sample: image, and instances or a label map unless it is unlabeled.

    Args:
        domain: "clear", or a domain shift: "fog", "noise" or "checks" (other backgrounds); see
            `ssdet.datasets.demo.domains`. A scene looks the same each time.
    """

    domain: Domain = "clear"

    def __init__(self, domain: Domain = "clear") -> None:
        check_choice(type(self).__name__, "domain", domain, Domain)
        self.domain = domain

    def transform(self, results: dict) -> dict:
        """Add `img` and its shapes; fill `instances`, or `gt_seg_map` for segmentation."""
        file = results.pop("scene")
        scene = file.open()
        results["img"] = scene.image.copy()
        if self.domain != "clear":
            results["img"] = in_domain(scene, self.domain, file.dice(14))
        results["img_shape"] = results["ori_shape"] = scene.image.shape[:2]
        if not file.annotated:
            return results
        if "seg_fields" in results:
            results["gt_seg_map"] = scene.label_map
            results["seg_fields"].append("gt_seg_map")
        else:
            results["instances"] = instances_of(scene)
        return results

    def __repr__(self) -> str:
        return f"LoadDigitScene(domain={self.domain!r})"


def scene_numbers(split: str, count: int, labeled: int, fold: int) -> list[int]:
    """The scenes of a split, in ascending order; fewer labeled ones are a subset of more."""
    if split not in ("labeled", "unlabeled"):
        return list(range(count))
    draws = np.random.PCG64(np.random.SeedSequence(fold)).random_raw(count)
    order = np.argsort(draws, kind="stable")
    return np.sort(order[:labeled] if split == "labeled" else order[labeled:]).tolist()


def instances_of(scene: Scene) -> list[dict]:
    """MMDetection's annotation of a scene; masks are compressed run lengths."""
    instances = []
    for label, mask, box in zip(scene.labels, scene.masks, scene.boxes, strict=True):
        code = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
        code = {"size": [int(side) for side in code["size"]], "counts": code["counts"].decode()}
        instance = {"bbox": box.tolist(), "bbox_label": int(label), "ignore_flag": 0, "mask": code}
        instances.append(instance)
    return instances
