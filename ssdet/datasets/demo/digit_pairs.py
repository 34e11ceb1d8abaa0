"""Pairs of scenes in which a digit has appeared or gone: the demo set of change detection."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import DATASETS, TRANSFORMS
from ..seeding import derive_seed
from .digit_scenes import DigitScenesSeg
from .scenes import Scene, SceneOptions, draw, draw_once


@dataclass(frozen=True)
class PairFile:
    """How to draw the two scenes of a pair.

    They share everything up to the last digit of the poorer one. What is drawn later differs:
    further digits, strokes of clutter over them (no change that counts), the light and the noise.
    """

    options: SceneOptions
    index: int
    annotated: bool
    cache: bool = False

    def open(self) -> tuple[np.ndarray, np.ndarray]:
        """The pair (H, W, 6), and where a digit came or went (H, W), 1 and else 0."""
        scenes = self.scenes()
        poor, rich = sorted(scenes, key=lambda scene: len(scene.labels))
        changed = np.any(rich.masks[len(poor.labels) :], axis=0).astype(np.uint8)
        return np.concatenate([scene.image for scene in scenes], axis=2), changed

    def scenes(self) -> tuple[Scene, Scene]:
        """The earlier and the later scene."""
        fewest, most = self.options.objects
        common = fewest + derive_seed(*self._key, 1) % (most - fewest + 1)
        poor, rich = self._draw(common), self._draw(common + 1 + derive_seed(*self._key, 2) % 2)
        return (poor, rich) if derive_seed(*self._key, 3) % 2 else (rich, poor)

    def dice(self, *purpose: int) -> np.random.Generator:
        """Random numbers of the pair for a purpose, beside those that it is drawn with."""
        seeds = np.random.SeedSequence((*self._key, *purpose))
        return np.random.Generator(np.random.PCG64(seeds))

    @property
    def _key(self) -> tuple[int, int, int]:
        return self.options.seed, int(self.options.validation), self.index

    def _draw(self, digits: int) -> Scene:
        options = replace(self.options, objects=(digits, digits))
        return (draw_once if self.cache else draw)(options, self.index)


@DATASETS.register_module()
class DigitScenePairs(DigitScenesSeg):
    """Two scenes of one place, between which one or two digits appeared or disappeared.

    A pipeline starts with `LoadDigitPair`, which gives an image of six channels, and the label map
    if there is one. The classes are 'unchanged' and 'changed'.

    Args:
        options: See `DigitScenes`; `objects` counts the digits that both scenes show.
    """

    def __init__(self, **options: Any) -> None:
        metainfo = {"classes": ("unchanged", "changed"), "palette": [(0, 0, 0), (230, 25, 75)]}
        metainfo |= options.pop("metainfo", None) or {}
        super().__init__(metainfo=metainfo, **options)

    def get_data_info(self, idx: int) -> dict:
        """The entry of a pair, with the means to draw it."""
        info = super().get_data_info(idx)
        scene = info.pop("scene")
        info["pair"] = PairFile(scene.options, scene.index, scene.annotated, scene.cache)
        return info

    def get_cat_ids(self, idx: int) -> list[int]:
        """Something changed in every pair."""
        return [] if self.unlabeled else [1]


@TRANSFORMS.register_module()
class LoadDigitPair(BaseTransform):
    """Draws the pair of a sample, and its label map unless it is unlabeled."""

    def transform(self, results: dict) -> dict:
        """Add `img`, its shapes, and `gt_seg_map`."""
        file = results.pop("pair")
        results["img"], changed = file.open()
        results["img_shape"] = results["ori_shape"] = changed.shape
        if file.annotated:
            results["gt_seg_map"] = changed
            results["seg_fields"].append("gt_seg_map")
        return results

    def __repr__(self) -> str:
        return "LoadDigitPair()"
