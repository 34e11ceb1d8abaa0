"""One backbone pass of a model over several batches, whose heads then run one after the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from torch import Tensor, nn

from .step import Views


def joint_features(model: Any, views: list[Views]) -> dict[int, Any]:
    """Features of each view from one pass; views of different size are padded alike first.

    The result is keyed by the identity of the view's inputs.
    """
    height = max(view.inputs.shape[-2] for view in views)
    width = max(view.inputs.shape[-1] for view in views)
    for view in views:
        missing = (0, width - view.inputs.shape[-1], 0, height - view.inputs.shape[-2])
        view.inputs = F.pad(view.inputs, missing)
        for sample in view.samples:
            sample.set_metainfo({"batch_input_shape": (height, width)})
            if any(missing) and "gt_sem_seg" in sample:
                # Segmentation heads stretch their output to the size of the label map.
                labels = F.pad(sample.gt_sem_seg.data, missing, value=255)
                sample.gt_sem_seg = PixelData(data=labels)
    features = model.extract_feat(torch.cat([view.inputs for view in views]))
    found, start = {}, 0
    for view in views:
        found[id(view.inputs)] = _part(features, start, start + len(view.inputs))
        start += len(view.inputs)
    return found


@contextmanager
def served_features(model: nn.Module, features: dict[int, Any]) -> Iterator[None]:
    """Within it, `model.extract_feat` answers from `features` instead of running the backbone."""
    compute: Any = model.extract_feat

    def serve(inputs: Tensor) -> Any:
        return features[id(inputs)] if id(inputs) in features else compute(inputs)

    model.extract_feat = serve  # type: ignore[assignment]
    try:
        yield
    finally:
        del model.extract_feat


@contextmanager
def recorded_features(model: nn.Module, inputs: Tensor) -> Iterator[dict[str, Any]]:
    """Within it, what `model.extract_feat` gives for these inputs is put under "features"."""
    compute: Any = model.extract_feat
    recorded: dict[str, Any] = {}

    def record(batch: Tensor) -> Any:
        features = compute(batch)
        if batch is inputs:
            recorded["features"] = features
        return features

    model.extract_feat = record  # type: ignore[assignment]
    try:
        yield recorded
    finally:
        del model.extract_feat


def _part(features: Any, start: int, end: int) -> Any:
    if isinstance(features, Tensor):
        return features[start:end]
    return type(features)(_part(feature, start, end) for feature in features)
