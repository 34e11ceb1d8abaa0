"""Boxes and masks that another model has written, in the frame of any view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.registry import DATASETS

from ...formats.segments import decode
from ...teacher_student.geometry import areas, clip_boxes, homography, project_boxes, warp
from ...teacher_student.pseudo_boxes import PseudoBoxes, Source
from .image_places import ImagePlaces


class ExternalInstances:
    """The instances of a data set such as `LabeledImages`, by the images they belong to.

    Args:
        owner: Whose errors these are.
        labels: The data set, or its config. Its instances may have a `score`; others have 1.
        classes: Names of the model's classes; empty: the numbers of both are the same.
        count: Number of the model's classes.
        names: What a class of the data set is called in the model, where it is called otherwise.
    """

    def __init__(
        self,
        owner: str,
        labels: Any,
        classes: Sequence[str],
        names: Mapping[str, str] | None,
        count: int,
    ) -> None:
        self.owner, self.count = owner, count
        built = DATASETS.build(labels) if isinstance(labels, Mapping) else labels
        self.data = built
        self.label = self._class_map(classes, names or {})
        paths = (built.get_data_info(number)["img_path"] for number in range(len(built)))
        self.places = ImagePlaces(owner, "labels", paths)

    def of(self, sample: Any, like: PseudoBoxes, min_visible: float) -> PseudoBoxes | None:
        """The boxes of a sample's image in its view; None where the source does not have it.

        `like` says on which device, and whether masks are needed.
        """
        number = self.places.of(str(sample.metainfo.get("img_path", "")))
        if number is None:
            return None
        info = self.data.get_data_info(number)
        self._check_size(info, sample)
        known = [one for one in info["instances"] if self._usable(one)]
        corners = torch.tensor([one["bbox"] for one in known], dtype=torch.float32).reshape(-1, 4)
        boxes = PseudoBoxes(
            bboxes=corners,
            labels=torch.tensor([self.label[one["bbox_label"]] for one in known]).long(),
            scores=torch.tensor([_score(one) for one in known], dtype=torch.float32),
        )
        boxes.source = torch.full_like(boxes.labels, Source.EXTERNAL)
        boxes = boxes.to(like.bboxes.device)
        matrix, shape = homography(sample), sample.img_shape
        hull = project_boxes(boxes.bboxes, matrix)
        boxes.bboxes = clip_boxes(hull, shape)
        if "masks" in like:
            boxes.masks = self._masks(known, sample, matrix).to(like.bboxes.device)
        whole = areas(hull)
        return boxes[(areas(boxes.bboxes) >= min_visible * whole) & (areas(boxes.bboxes) > 0)]

    def _check_size(self, info: dict[str, Any], sample: Any) -> None:
        """Boxes of a resized or turned copy lie elsewhere in the image."""
        said, size = (info.get("height"), info.get("width")), tuple(sample.ori_shape[:2])
        if all(said) and said != size:
            raise ValueError(
                f"{self.owner}: the labels say that {info['img_path']} has {said[1]}x{said[0]} "
                f"pixels, and {sample.img_path} has {size[1]}x{size[0]}. Their boxes are of a "
                "resized or turned copy; let the other model label these files"
            )

    def _usable(self, instance: dict[str, Any]) -> bool:
        return not instance.get("ignore_flag") and instance["bbox_label"] in self.label

    def _masks(self, instances: list[Any], sample: Any, matrix: np.ndarray) -> torch.Tensor:
        height, width = sample.ori_shape[:2]
        outlines = [one.get("mask") for one in instances]
        if any(outline is None for outline in outlines):
            raise ValueError(
                f"{self.owner}: this detector learns masks, and a box of {sample.img_path} has "
                "none. Take labels with outlines, or a detector without masks"
            )
        shape = sample.img_shape[:2]
        if not outlines:
            return torch.zeros(0, *shape, dtype=torch.bool)
        drawn = np.stack([decode(outline, height, width) for outline in outlines])
        moved, _ = warp(torch.from_numpy(drawn), matrix, shape)
        return moved.bool()

    def _class_map(self, classes: Sequence[str], names: Mapping[str, str]) -> dict[int, int]:
        theirs = list(self.data.metainfo.get("classes") or ())
        if not classes or not theirs:
            return {number: number for number in range(self.count)}
        unknown = sorted({*names.values()} - {*classes} | {*names} - {*theirs})
        if unknown:
            raise ValueError(
                f"{self.owner}: classes={dict(names)!r}: {unknown[0]!r} is a class of neither the "
                f"labels ({', '.join(theirs)}) nor the model ({', '.join(classes)}); give "
                "{class of the labels: class of the model}"
            )
        called = {number: names.get(name, name) for number, name in enumerate(theirs)}
        found = {n: list(classes).index(name) for n, name in called.items() if name in classes}
        if not found:
            raise ValueError(
                f"{self.owner}: no class of the labels ({', '.join(theirs)}) is one of the model "
                f"({', '.join(classes)}). Say which is which: classes={{theirs: ours}}"
            )
        left_out = [theirs[number] for number in called if number not in found]
        if left_out:
            print_log(
                f"{self.owner}: not classes of the model, and left out: {', '.join(left_out)}",
                logger="current",
                level=30,
            )
        return found


def _score(instance: dict[str, Any]) -> float:
    score = instance.get("score")
    return 1.0 if score is None else float(score)
