"""Demo: labels of the scenes as they are found in practice, wrong or with gaps.

A scene has the same imperfect labels each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from ...labels import IGNORE
from ...registry import DATASETS, TRANSFORMS
from ...validation import check_range
from .digit_scenes import DigitScenes
from .scenes import Scene


@DATASETS.register_module()
class DigitDetections(DigitScenes):
    """Boxes with scores that a mediocre detector might find in the demo scenes.

    Args:
        missed: Share of the digits that are not found.
        confused: Share of the others that get another class.
        shift: Standard deviation of the corners, as a share of the sides.
        phantoms: Mean number of boxes in an image that are no digit.
        detector: Another number, other mistakes.
        options: See `DigitScenes`.
    """

    def __init__(
        self,
        *,
        missed: float = 0.3,
        confused: float = 0.2,
        shift: float = 0.05,
        phantoms: float = 1.0,
        detector: int = 0,
        **options: Any,
    ) -> None:
        for key, value in dict(missed=missed, confused=confused).items():
            if not 0 <= value <= 1:
                raise ValueError(f"DigitDetections: {key}={value} is not a share in [0, 1]")
        if shift < 0 or phantoms < 0 or detector < 0:
            raise ValueError(
                f"DigitDetections: shift={shift}, phantoms={phantoms}, detector={detector}: 0 or "
                "more"
            )
        self.missed, self.confused, self.shift, self.phantoms = missed, confused, shift, phantoms
        self.detector = detector
        super().__init__(**options)

    def get_data_info(self, idx: int) -> dict:
        """The entry of a scene, with the boxes that were found."""
        info = super().get_data_info(idx)
        dice = info["scene"].dice(11, *filter(None, [self.detector]))
        scene = info["scene"].open()
        return {**info, "instances": [*self._found(scene, dice), *self._phantoms(dice)]}

    def _found(self, scene: Scene, dice: np.random.Generator) -> list[dict]:
        instances = []
        for label, box in zip(scene.labels.tolist(), scene.boxes, strict=True):
            missed, confused = dice.random(2) < (self.missed, self.confused)
            other = (label + 1 + int(dice.integers(max(self._classes - 1, 1)))) % self._classes
            sides = np.tile(box[2:] - box[:2], 2)
            moved = box + dice.normal(size=4) * self.shift * sides
            score = dice.uniform(0.3, 0.8) if confused else dice.uniform(0.5, 1.0)
            if not missed:
                instances.append(self._entry(moved, other if confused else label, score))
        return instances

    def _phantoms(self, dice: np.random.Generator) -> list[dict]:
        height, width = self.scenes.size
        instances = []
        for _ in range(int(dice.poisson(self.phantoms))):
            side = dice.uniform(0.15, 0.35) * min(height, width)
            x, y = dice.uniform(0, width - side), dice.uniform(0, height - side)
            label, score = int(dice.integers(self._classes)), dice.uniform(0.3, 0.8)
            instances.append(self._entry(np.array([x, y, x + side, y + side]), label, score))
        return instances

    def _entry(self, box: np.ndarray, label: int, score: float) -> dict:
        height, width = self.scenes.size
        box = np.clip(box, 0, [width, height, width, height])
        return {"bbox": box.tolist(), "bbox_label": label, "ignore_flag": 0, "score": float(score)}

    @property
    def _classes(self) -> int:
        return len(self.scenes.digits)


@TRANSFORMS.register_module()
class HideDigits(BaseTransform):
    """Leaves out the annotation of some digits of a scene; list it behind `LoadDigitScene`.

    The sample says so, as `LabeledImages` does for images that are not `complete`.

    Args:
        share: Probability of each digit.
        known: The places of these digits become regions to ignore. No teacher can do better than
            that without their classes: what is gained is the most that ignoring can bring.
    """

    def __init__(self, share: float = 0.5, *, known: bool = False) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"HideDigits: share={share} is not in [0, 1]")
        self.share, self.known = share, known

    def transform(self, results: dict) -> dict:
        """Take instances out; add `exhaustive`."""
        dice = np.random.default_rng([results["img_id"], 12])
        instances = results["instances"]
        kept = dice.random(len(instances)) >= self.share
        pairs = list(zip(instances, kept.tolist(), strict=True))
        if self.known:
            results["instances"] = [{**one, "ignore_flag": int(not keep)} for one, keep in pairs]
        else:
            results["instances"] = [one for one, keep in pairs if keep]
        results["exhaustive"] = ()
        return results

    def __repr__(self) -> str:
        return f"HideDigits(share={self.share}, known={self.known})"


@TRANSFORMS.register_module()
class ConfuseDigits(BaseTransform):
    """Gives some digits another label, the same one each time; list it behind `LoadDigitScene`.

    Args:
        classes: How many digits there are; the background is not one of them.
        share: Probability of each digit, or in a label map of all digits of a class in a scene.
    """

    def __init__(self, classes: int, share: float = 0.3) -> None:
        check_range("ConfuseDigits", "classes", classes, 2, float("inf"))
        check_range("ConfuseDigits", "share", share)
        self.classes, self.share = classes, share

    def transform(self, results: dict) -> dict:
        """Replace labels of `instances`, or of `gt_seg_map`."""
        dice = np.random.default_rng([results["img_id"], 15])
        if "gt_seg_map" in results:
            truth = results["gt_seg_map"]
            self._check(truth[truth != IGNORE].astype(int) - 1)
            other = np.arange(256, dtype=truth.dtype)
            for label in range(self.classes):
                other[label + 1] = self._confused(label, dice) + 1
            results["gt_seg_map"] = other[truth]
        else:
            self._check(np.array([one["bbox_label"] for one in results["instances"]], dtype=int))
            results["instances"] = [
                {**one, "bbox_label": self._confused(one["bbox_label"], dice)}
                for one in results["instances"]
            ]
        return results

    def _check(self, labels: np.ndarray) -> None:
        found = int(labels.max(initial=0))
        if found >= self.classes:
            raise ValueError(
                f"ConfuseDigits: classes={self.classes}, but a scene shows {found + 1} or more; "
                "give the number of `digits` of the data set"
            )

    def _confused(self, label: int, dice: np.random.Generator) -> int:
        away = dice.integers(1, self.classes) if dice.random() < self.share else 0
        return int(label + away) % self.classes

    def __repr__(self) -> str:
        return f"ConfuseDigits(classes={self.classes}, share={self.share})"


@TRANSFORMS.register_module()
class ScribbleDigits(BaseTransform):
    """Keeps a few labeled pixels of each class; the others become unknown (255).

    They lie on a short walk through the pixels of the class, as a quick stroke of a mouse
    would. List it behind `LoadDigitScene`.

    Args:
        length: Steps of a stroke.
        strokes: Strokes in each class of a scene.
    """

    def __init__(self, length: int = 12, strokes: int = 1) -> None:
        if length < 1 or strokes < 1:
            raise ValueError(f"ScribbleDigits: length={length}, strokes={strokes}: 1 or more")
        self.length, self.strokes = length, strokes

    def transform(self, results: dict) -> dict:
        """Replace `gt_seg_map`."""
        dice = np.random.default_rng([results["img_id"], 13])
        truth = results["gt_seg_map"]
        kept = np.full_like(truth, IGNORE)
        for label in np.unique(truth[truth != IGNORE]):
            for _ in range(self.strokes):
                for place in self._stroke(truth == label, dice):
                    kept[place] = label
        results["gt_seg_map"] = kept
        return results

    def _stroke(self, inside: np.ndarray, dice: np.random.Generator) -> Sequence[tuple[int, int]]:
        places = np.argwhere(inside)
        y, x = (int(one) for one in places[dice.integers(len(places))])
        dy, dx = dice.normal(size=2)
        stroke, place = [(y, x)], np.array([y, x], dtype=float)
        for _ in range(self.length):
            place = place + np.array([dy, dx]) / max(abs(dy), abs(dx), 1e-6)
            y, x = (round(one) for one in place)
            if not (0 <= y < inside.shape[0] and 0 <= x < inside.shape[1] and inside[y, x]):
                dy, dx = dice.normal(size=2)
                place = np.array(stroke[-1], dtype=float)
                continue
            stroke.append((y, x))
        return stroke

    def __repr__(self) -> str:
        return f"ScribbleDigits(length={self.length}, strokes={self.strokes})"
