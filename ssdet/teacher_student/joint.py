"""One pass of a model over several branches, whose losses are then computed one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from torch import nn

from ..labels import IGNORE
from .recording import replaced
from .step import Views


@contextmanager
def joint_pass(model: Any, views: Sequence[Views], heads: Sequence[nn.Module]) -> Iterator[Any]:
    """Within the context, backbone and heads process all views at once, and return each part.

    Batch statistics are those of all views together, and are updated once. Views of different size
    are padded alike first. Gives the features of all rows, in the order of the views.
    """
    pad_alike(views)
    features = model.extract_feat(torch.cat([view.inputs for view in views]))
    rows = rows_of(views)
    parts = {id(v.inputs): part_of(features, r) for v, r in zip(views, rows, strict=True)}
    with ExitStack() as stack:
        for head in heads:
            output = head(features)
            known = {
                id(parts[id(view.inputs)]): part_of(output, row)
                for view, row in zip(views, rows, strict=True)
            }
            stack.enter_context(_served(head, "forward", known))
        stack.enter_context(_served(model, "extract_feat", parts))
        yield features


def rows_of(views: Sequence[Views]) -> list[slice]:
    """Which rows of the joint batch each view has."""
    rows, start = [], 0
    for view in views:
        rows.append(slice(start, start + len(view.inputs)))
        start += len(view.inputs)
    return rows


def pad_alike(views: Sequence[Views]) -> None:
    """Give all views one size, at the bottom and the right."""
    height = max(view.inputs.shape[-2] for view in views)
    width = max(view.inputs.shape[-1] for view in views)
    for view in views:
        missing = (0, width - view.inputs.shape[-1], 0, height - view.inputs.shape[-2])
        view.inputs = F.pad(view.inputs, missing)
        for sample in view.samples:
            sample.set_metainfo({"batch_input_shape": (height, width)})
            if any(missing) and "gt_sem_seg" in sample:
                # Segmentation heads stretch their output to the size of the label map.
                labels = F.pad(sample.gt_sem_seg.data, missing, value=IGNORE)
                sample.gt_sem_seg = PixelData(data=labels)


def part_of(outputs: Any, rows: slice) -> Any:
    """Some rows of tensors in tuples and lists of any depth."""
    if isinstance(outputs, torch.Tensor):
        return outputs[rows]
    return type(outputs)(part_of(each, rows) for each in outputs)


def _served(owner: Any, name: str, known: dict[int, Any]) -> Any:
    """A method returns its result from `known` for the objects whose ids are there."""

    def make(method: Any) -> Any:
        def serve(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if id(inputs) in known:
                return known[id(inputs)]
            return method(inputs, *args, **kwargs)

        return serve

    return replaced(owner, name, make)
