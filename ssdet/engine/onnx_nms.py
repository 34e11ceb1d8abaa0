"""Suppression as the last node of an ONNX file: which boxes are kept, of which class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..exits import RunError, UsageError
from ..ops.nms import nms

_UNLIMITED = 10**6  # where the config names no number


@dataclass(frozen=True)
class Suppression:
    """What a detector does with its boxes, from its `test_cfg`.

    Attributes:
        score: A box is a candidate for a class above this score.
        iou: Boxes that a better one of their class overlaps by more are dropped.
        most: The most boxes of a class in an image.
    """

    score: float
    iou: float
    most: int

    @classmethod
    def of(cls, config: Any) -> Suppression:
        """That of a model's config."""
        test = dict(config.model.get("test_cfg") or {})
        how = dict(test.get("nms") or {})
        if "iou_threshold" not in how or how.get("type", "nms") != "nms":
            raise UsageError(
                f"--nms: the model's test_cfg.nms is {how or None}; ONNX knows "
                f"dict(type='nms', iou_threshold=...) alone. Export without --nms"
            )
        most = int(test.get("max_per_img") or _UNLIMITED)
        return cls(float(test.get("score_thr", 0.0)), float(how["iou_threshold"]), most)

    def append(self, onnx: Any, graph: Any) -> None:
        """Add the node behind the outputs `boxes` and `scores`, and its output `selected`."""
        helper, types = onnx.helper, onnx.TensorProto
        numbers = {
            "most": (types.INT64, self.most), "iou": (types.FLOAT, self.iou),
            "score": (types.FLOAT, self.score),
        }  # fmt: skip
        for name, (kind, value) in numbers.items():
            graph.initializer.append(helper.make_tensor(f"nms_{name}", kind, [1], [value]))
        inputs = ["boxes", "nms_scores", *(f"nms_{name}" for name in numbers)]
        graph.node.extend([
            helper.make_node("Transpose", ["scores"], ["nms_scores"], perm=[0, 2, 1]),
            helper.make_node("NonMaxSuppression", inputs, ["selected"]),
        ])  # fmt: skip
        shape = ["number_of_selected", 3]
        graph.output.append(helper.make_tensor_value_info("selected", types.INT64, shape))

    def check(self, boxes: np.ndarray, scores: np.ndarray, selected: np.ndarray) -> None:
        """Compare what a file has selected of its own boxes with what PyTorch selects."""
        expected: set[tuple[int, ...]] = set()
        for image, of_image in enumerate(scores):
            for label in range(of_image.shape[1]):
                values = torch.from_numpy(of_image[:, label])
                (index,) = torch.where(values > self.score)
                corners = torch.from_numpy(boxes[image])[index]
                kept = nms(corners, values[index], iou_threshold=self.iou, offset=0)
                rows = index[kept[: self.most]].tolist()
                expected |= {(image, label, row) for row in rows}
        found: set[tuple[int, ...]] = {tuple(row) for row in selected.tolist()}
        if found != expected:
            raise RunError(
                f"--nms: the file selects {len(found)} boxes and PyTorch {len(expected)}, of which "
                f"{len(found & expected)} are the same, so it was not kept. Please report the "
                f"config"
            )
