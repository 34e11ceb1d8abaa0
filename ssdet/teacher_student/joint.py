"""One pass of a model over several branches, whose losses are then computed one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from torch import nn

from ..labels import IGNORE
from .recording import replaced
from .step import Derived, Views


@contextmanager
def joint_pass(
    model: Any,
    views: Mapping[str, Views],
    heads: Sequence[nn.Module],
    derived: Mapping[str, Derived],
) -> Iterator[dict[str, slice]]:
    """Within the context, backbone and heads process all views at once, and return each part.

    Batch statistics are those of all views together, and are updated once. The views have one size
    (`pad_alike`). The encoder does not see the views that are derived from others; the
    heads do. Gives the rows of each view in the batch of the heads, in the order of the views.
    """
    seen = {name: view for name, view in views.items() if name not in derived}
    features = model.extract_feat(torch.cat([view.inputs for view in seen.values()]))
    rows = dict(zip(seen, rows_of(list(seen.values())), strict=True))
    features = _with_derived(features, rows, derived)
    parts = {name: part_of(features, row) for name, row in rows.items()}
    with ExitStack() as stack:
        for head in heads:
            output = head(features)
            known = {id(parts[name]): part_of(output, row) for name, row in rows.items()}
            stack.enter_context(_served(head, "forward", known))
        encoded = {id(views[name].inputs): part for name, part in parts.items()}
        stack.enter_context(_served(model, "extract_feat", encoded))
        yield rows


def _with_derived(features: Any, rows: dict[str, slice], derived: Mapping[str, Derived]) -> Any:
    """The features of all rows, and behind them those that are made of some; `rows` grows."""
    batch = [features]
    stop = max(row.stop for row in rows.values())
    for name, one in derived.items():
        sources = [rows[source] for source in one.of]
        batch.append(one.change(cat_of([part_of(features, row) for row in sources])))
        stop += sum(row.stop - row.start for row in sources)
        rows[name] = slice(stop - (sources[-1].stop - sources[-1].start), stop)
    return cat_of(batch)


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


def cat_of(outputs: Sequence[Any]) -> Any:
    """Rows of several batches in one: tensors in tuples and lists of any depth."""
    if len(outputs) == 1:
        return outputs[0]
    if isinstance(outputs[0], torch.Tensor):
        return torch.cat(list(outputs))
    return type(outputs[0])(cat_of(each) for each in zip(*outputs, strict=True))


def _served(owner: Any, name: str, known: dict[int, Any]) -> Any:
    """A method returns its result from `known` for the objects whose ids are there."""

    def make(method: Any) -> Any:
        def serve(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if id(inputs) in known:
                return known[id(inputs)]
            return method(inputs, *args, **kwargs)

        return serve

    return replaced(owner, name, make)
