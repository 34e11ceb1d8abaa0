"""The validation images that a model gets wrong most, in pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import BaseDataElement

from ..exits import replacing
from ..hooks._parts.drawing import BoxGroup, class_colors, draw_boxes, paint_pixels, save_jpeg
from ..hooks._parts.view_picture import as_rgb
from ..labels import IGNORE
from ..run_files import WORST
from .pseudo_labels import matched
from .truth import BoxTruth

SHOWN = 6
SIDE = 360
SURE = 0.3  # the score from which on a box is drawn and counted


class WorstImages:
    """Keeps the images with the lowest agreement of predictions and labels, as they come.

    Boxes: the F1 of boxes with a score of at least 0.3, at an IoU of 0.5. Pixels: the share of
    them that is right. Samples without labels are left out. Of several processes each one sees its
    own images; the first one writes.

    Args:
        truth: Where the labeled objects are found (default: in the samples).
    """

    def __init__(self, truth: BoxTruth | None = None) -> None:
        self._truth = truth or BoxTruth()
        self.entries: list[tuple[float, int, dict[str, Any]]] = []
        self.seen = 0

    def add(self, samples: Sequence[Any], batch: Any) -> None:
        """Look at the predictions for a batch as the data loader gave it."""
        images = batch.get("inputs") if isinstance(batch, Mapping) else None
        if images is None or isinstance(images, Mapping) or len(images) != len(samples):
            return
        for sample, image in zip(samples, images, strict=True):
            self.seen += 1
            rated = self._rate(sample) if isinstance(sample, BaseDataElement) else None
            if rated is None or image.ndim != 3:
                continue
            if len(self.entries) < SHOWN or rated[0] < self.entries[-1][0]:
                entry = {"sample": rated[1], "picture": _picture(image, sample)}
                self.entries.append((rated[0], self.seen, entry))
                self.entries = sorted(self.entries, key=lambda one: one[:2])[:SHOWN]

    def write(self, folder: Path, meta: Mapping[str, Any]) -> None:
        """Draw labels and predictions side by side, and `pseudo/worst.json` about them."""
        classes = [str(name) for name in meta.get("classes") or ()]
        colors = class_colors(max(len(classes), 1), meta.get("palette"))
        lines = []
        (folder / WORST).parent.mkdir(parents=True, exist_ok=True)
        for number, (score, _, entry) in enumerate(self.entries):
            panels = []
            for view in ("truth", "found"):
                file = f"worst_{number}_{view}.jpg"
                drawn = _draw(entry["picture"], entry["sample"][view], colors, classes)
                save_jpeg((folder / WORST).with_name(file), drawn)
                panels.append({"file": file, "view": view})
            name = entry["sample"]["name"]
            line = {"image": name, "score": round(score, 4), "panels": panels}
            if isinstance(entry["sample"]["truth"], np.ndarray):  # without names on the picture
                line["colors"] = {
                    label: "#{:02x}{:02x}{:02x}".format(*color)
                    for label, color in zip(classes, colors, strict=False)
                }
            lines.append(line)
        with replacing(folder / WORST) as unfinished:
            unfinished.write_text(json.dumps(lines) + "\n", encoding="utf-8")

    def _rate(self, sample: Any) -> tuple[float, dict[str, Any]] | None:
        name = Path(str(sample.metainfo.get("img_path") or "")).name
        if "pred_instances" in sample:
            found, known = sample.pred_instances, self._truth.of(sample)
            needed = ("bboxes", "labels", "scores")
            if known is None or not all(key in found for key in needed):
                return None
            objects, labels = known
            found = found[found.scores >= SURE]
            found = found[found.scores.argsort(descending=True)].cpu()
            boxes = get_box_tensor(found.bboxes)
            right, _ = matched(boxes, found.labels, objects, labels)
            total = len(boxes) + len(objects)
            size = sample.ori_shape[:2]
            return (2 * float(right.sum()) / total if total else 1.0), {
                "name": name,
                "truth": (size, objects.numpy(), labels.numpy(), None),
                "found": (size, boxes.numpy(), found.labels.numpy(), found.scores.numpy()),
            }
        if "pred_sem_seg" in sample and "gt_sem_seg" in sample:
            found, labels = (
                one.data.squeeze(0).cpu().numpy()
                for one in (sample.pred_sem_seg, sample.gt_sem_seg)
            )
            if found.shape != labels.shape:
                return None
            known = labels != IGNORE
            score = float((found == labels)[known].mean()) if known.any() else 1.0
            small = max(found.shape) // SIDE or 1
            return score, {
                "name": name,
                "truth": labels[::small, ::small].copy(),
                "found": found[::small, ::small].copy(),
            }
        return None


def _picture(image: torch.Tensor, sample: Any) -> np.ndarray:
    """The image as it was loaded, at most `SIDE` wide or high."""
    height, width = sample.metainfo.get("img_shape", image.shape[-2:])[:2]
    array = as_rgb(image[:, :height, :width].float().cpu().numpy().transpose(1, 2, 0))
    scale = min(1.0, SIDE / max(array.shape[:2]))
    size = (max(1, round(array.shape[1] * scale)), max(1, round(array.shape[0] * scale)))
    return cv2.resize(array, size, interpolation=cv2.INTER_AREA)


def _draw(picture: np.ndarray, content: Any, colors: Any, classes: Sequence[str]) -> np.ndarray:
    if isinstance(content, np.ndarray):
        return paint_pixels(picture, content, colors, size=SIDE)
    (height, width), boxes, labels, scores = content
    # Boxes are in the frame of the original image, and the picture is that, scaled.
    factor = np.array([picture.shape[1] / width, picture.shape[0] / height] * 2)
    names = [classes[n] if n < len(classes) else f"class {n}" for n in labels]
    texts = names if scores is None else [
        f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True)
    ]  # fmt: skip
    own = [colors[n % len(colors)] for n in labels]
    return draw_boxes(picture, [BoxGroup("kept", boxes * factor, texts, own)], SIDE)
