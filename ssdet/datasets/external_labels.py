"""External labels beside the images: of a vision-language model, or of an older map."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs

from ..formats.encoding import MaskEncoding
from ..formats.issues import raise_data_error
from ..labels import IGNORE
from ..registry import TRANSFORMS
from .demo.scenes import Scene

KEY = "second_seg_map"  # of the results; a data sample calls it `second_sem_seg`
DATES = "date_seg_maps"  # of a pair, one for each date; a data sample calls it `date_sem_seg`


@TRANSFORMS.register_module()
class LoadExternalLabels(BaseTransform):
    """Loads the external label map of an image, in the frame of the image file.

    List it among the `shared` transforms, after the one that loads the image. End each view that
    needs the labels with `PackExternalLabels`. Transforms leave this map alone;
    `ExternalLabelsHook` moves it by the geometry that the view has recorded. It is not an
    annotation: 255 means that the class is unknown, not that there is no pixel.

    Args:
        folder: Of the label maps (PNG), which lie in it as the images lie in `root`.
        root: Folder of the images.
        num_classes: Of the external labels.
        values: The number in a map that stands for each class. None: a value is its label, and 255
            is unknown.
        required: A missing map is an error; otherwise all pixels of its image are unknown.
    """

    def __init__(
        self,
        folder: str,
        root: str,
        num_classes: int,
        *,
        values: Sequence[int] | None = None,
        required: bool = True,
    ) -> None:
        if num_classes < 2 or len(values or range(num_classes)) != num_classes:
            raise ValueError(
                f"LoadExternalLabels: num_classes={num_classes}, values={values}: at least two "
                "classes, and a value for each of them"
            )
        mapped = {value: label for label, value in enumerate(values or ())}
        if mapped:
            mapped.setdefault(IGNORE, IGNORE)
        self.folder, self.root, self.required = Path(folder), root, required
        self.encoding = MaskEncoding(num_classes, mapped)

    def transform(self, results: dict) -> dict:
        """Add `second_seg_map`."""
        size, path = tuple(results["ori_shape"][:2]), self._path(results["img_path"])
        if not path.is_file() and not self.required:
            results[KEY] = np.full(size, IGNORE, np.uint8)
            return results
        labels = self.encoding.decode(path)
        if labels.shape != size:
            raise_data_error(
                "external label map of another size than its image",
                path,
                found=f"{labels.shape[1]}x{labels.shape[0]}",
                allowed=f"{size[1]}x{size[0]}, as {results['img_path']}",
                advice="Make it again from the image as it is",
            )
        results[KEY] = labels
        return results

    def _path(self, image: str) -> Path:
        relative = os.path.relpath(image, self.root)
        if relative.startswith(".."):
            raise_data_error(
                "image outside of the root of the external labels",
                image,
                found=relative,
                allowed=f"a file below root={self.root!r}",
                advice="Set root to their folder",
            )
        return self.folder / PurePath(relative).with_suffix(".png")

    def __repr__(self) -> str:
        return f"LoadExternalLabels(folder={str(self.folder)!r})"


@TRANSFORMS.register_module()
class PackExternalLabels(PackSegInputs):
    """MMSegmentation's `PackSegInputs`, with external labels of an image or a pair."""

    def transform(self, results: dict) -> dict:
        """Put them into the data sample as `second_sem_seg`, in the frame of the image file.

        Those of each date, where there are any, become its `date_sem_seg`.
        """
        if KEY not in results:
            raise ValueError(
                "PackExternalLabels: the sample has no external labels; put LoadExternalLabels "
                "after the transform that loads its image"
            )
        packed = super().transform(results)
        labels = torch.from_numpy(np.ascontiguousarray(results[KEY]))
        packed["data_samples"].second_sem_seg = PixelData(data=labels[None])
        if DATES in results:
            dates = torch.from_numpy(np.ascontiguousarray(results[DATES]))
            packed["data_samples"].date_sem_seg = PixelData(data=dates)
        return packed


@TRANSFORMS.register_module()
class DigitExternalLabels(BaseTransform):
    """Demo: imperfect external labels for a scene of digits.

    They miss digits, confuse some with others, and have thick outlines with an unknown rim. A scene
    gets the same labels each time. List it before `LoadDigitScene`.

    Args:
        missed: Share of the digits that become background.
        confused: Share of the others that get another class.
        rim: Pixels by which outlines are too thick, and width of the unknown rim around them.
    """

    def __init__(self, missed: float = 0.1, confused: float = 0.1, rim: int = 1) -> None:
        if not (0 <= missed <= 1 and 0 <= confused <= 1 and rim >= 0):
            raise ValueError(
                f"DigitExternalLabels: missed={missed}, confused={confused} must be shares in "
                f"[0, 1], rim={rim} a number of pixels"
            )
        self.missed, self.confused, self.rim = missed, confused, rim

    def transform(self, results: dict) -> dict:
        """Add `second_seg_map`."""
        file = results["scene"]
        results[KEY] = self.labels_of(file.open(), len(file.options.digits), file.dice(7))
        return results

    def labels_of(self, scene: Scene, classes: int, dice: Any) -> np.ndarray:
        """Labels (H, W) of a scene: 0, the number of a digit plus 1, or 255."""
        kernel = np.ones((2 * self.rim + 1,) * 2, np.uint8)
        labels = np.zeros(scene.image.shape[:2], np.uint8)
        for mask, label in zip(scene.masks, scene.labels, strict=True):
            missed, confused = dice.random(2) < (self.missed, self.confused)
            other = (label + 1 + dice.integers(max(classes - 1, 1))) % classes
            if missed:
                continue
            mask = mask.astype(np.uint8)
            labels[cv2.dilate(mask, kernel, iterations=2) > 0] = IGNORE
            labels[cv2.dilate(mask, kernel) > 0] = 1 + (other if confused else label)
        return labels

    def __repr__(self) -> str:
        return (
            f"DigitExternalLabels(missed={self.missed}, confused={self.confused}, rim={self.rim})"
        )
