"""A plain model as an ONNX file, which is compared with PyTorch before it is given away."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope

from ..exits import RunError, UsageError, replacing
from ..extras import load
from ..registry import MODELS
from ..version import __version__
from .onnx_graphs import BoxGraph, Normalized, graph_of
from .onnx_nms import Suppression

OPSET = 20
BATCHES = (1, 3)  # the file is compared at both; its size is fixed, its batch is not
TOLERANCE = 1e-3  # of the largest value of an output


def export_onnx(
    config: Config,
    checkpoint: dict[str, Any],
    path: Path,
    size: tuple[int, int] | None = None,
    *,
    nms: bool = False,
) -> str:
    """Write the model of a plain config and checkpoint; say what is in the file.

    Args:
        config: As `plain_config` makes it.
        checkpoint: As `plain_checkpoint` makes it.
        path: The file.
        size: (height, width) of the images; None: from the pipeline.
        nms: Whether the file also says which boxes are kept, in the output `selected`.
    """
    onnx = load("onnx", extra="onnx")
    load("onnxscript", extra="onnx")
    runtime = load("onnxruntime", extra="onnx")
    with DefaultScope.overwrite_default_scope(config.default_scope):
        model = revert_sync_batchnorm(MODELS.build(config.model))
    model.load_state_dict(checkpoint["state_dict"])
    graph = graph_of(model.eval()).eval()
    if nms and not isinstance(graph, BoxGraph):
        raise UsageError("--nms: a segmentor has no boxes to suppress; leave it out")
    suppression = Suppression.of(config) if nms else None
    height, width = size or default_size(config)
    images = torch.rand(max(BATCHES), 3, height, width) * 255
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                graph, (images,), partial, dynamo=True, opset_version=OPSET, external_data=False,
                input_names=["image"], output_names=list(graph.outputs),
                dynamic_shapes={"image": {0: torch.export.Dim("batch", min=1)}}, verbose=False,
            )  # fmt: skip
        _describe(onnx, partial, config, checkpoint, suppression)
        difference = _compare(runtime, partial, graph, images, suppression)
    outputs = ", ".join([*graph.outputs, *(["selected"] if suppression else [])])
    return (
        f"image (batch, 3, {height}, {width}), BGR from 0 to 255 -> {outputs}; "
        f"differs from PyTorch by at most {difference:.1e}"
    )


def default_size(config: Config) -> tuple[int, int]:
    """(height, width) that the pipeline resizes to, in whole strides of the model."""
    scales = [step["scale"] for step in config.test_pipeline if step.get("scale") is not None]
    scale = scales[0] if scales else None
    if isinstance(scale, int):
        scale = (scale, scale)
    if scale is None or len(scale) != 2 or not all(isinstance(side, int) for side in scale):
        raise UsageError("--onnx: the pipeline does not say the size of images; give --size H W")
    divisor = _divisor(config)
    height, width = (math.ceil(side / divisor) * divisor for side in (scale[1], scale[0]))
    return height, width


def _divisor(config: Config) -> int:
    preprocessor = config.model.get("data_preprocessor") or {}
    return max(int(preprocessor.get("pad_size_divisor") or 1), 32)


def _describe(
    onnx: Any,
    path: Path,
    config: Config,
    checkpoint: dict[str, Any],
    suppression: Suppression | None,
) -> None:
    """Put what a program needs to know beside the graph, and check the graph."""
    proto = onnx.load(str(path))
    if suppression is not None:
        suppression.append(onnx, proto.graph)
    meta = checkpoint["meta"].get("dataset_meta") or {}
    facts = {
        "classes": json.dumps(list(meta.get("classes") or ())),
        "input": "BGR, 0 to 255, as OpenCV reads it; normalized inside",
        "pad_size_divisor": str(_divisor(config)),
        "ssdet_version": __version__,
    }
    onnx.helper.set_model_props(proto, facts)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, str(path))


def _compare(
    runtime: Any,
    path: Path,
    graph: Normalized,
    images: torch.Tensor,
    suppression: Suppression | None,
) -> float:
    """The largest difference to PyTorch, relative to the largest value of an output."""
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    gaps = []
    for batch in BATCHES:
        with torch.no_grad():
            expected = graph(images[:batch])
        expected = list(expected) if isinstance(expected, tuple) else [expected]
        found = session.run(None, {"image": images[:batch].numpy()})
        answers = [torch.from_numpy(output) for output in found[: len(expected)]]
        for ours, theirs in zip(*graph.matched(answers, expected), strict=True):
            if theirs.numel():
                gap = (ours - theirs).abs().max() / theirs.abs().max().clamp(min=1)
                gaps.append(float(gap))
        if suppression is not None:
            suppression.check(*found)
    largest = max(gaps, key=lambda gap: (math.isnan(gap), gap))  # a NaN is the worst of all
    if not largest <= TOLERANCE:
        raise RunError(
            f"--onnx: the file differs from PyTorch by {largest:.1e}, more than {TOLERANCE:g}, so "
            "it was not kept. Please report the config"
        )
    return largest


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress and its notes on itself off the screen."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
