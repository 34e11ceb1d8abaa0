"""The networks that judge: what they see in an image and in changed views of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from ...engine.checkpoint_file import read_checkpoint
from ...engine.fitting import check_fit
from ...exits import CheckpointError, UsageError
from ...registry import MODELS
from ...teacher_student import TeacherStudent
from ...teacher_student.checkpoints import ROLES
from .boxes import Boxes
from .criteria import visible
from .images import Image

SCALE, DARKER = 0.75, 0.6  # of the views in which an object should be found again
_GRAY = 114  # what hides the rest of an image


@dataclass
class Found:
    """What a network finds in one view, in the frame of the image.

    Attributes:
        boxes: For detectors.
        probabilities: (C, H, W), for segmentors.
        features: (D,), the mean of the last map of the backbone.
    """

    features: np.ndarray
    boxes: Boxes | None = None
    probabilities: np.ndarray | None = None


class Judge:
    """The teacher (or student) of a checkpoint, or the starting weights of the config.

    Args:
        config: The config; a plain model of MMDetection or MMSegmentation is fine.
        checkpoint: None: the weights with which the training starts, of which the backbone may be
            pretrained. They tell pictures apart, and find nothing.
        role: "teacher" or "student".
        device: Where it computes.
        classes: Those of the data; a checkpoint of others is refused.
    """

    def __init__(
        self,
        config: Any,
        checkpoint: str | Path | None,
        *,
        role: str = "teacher",
        device: str = "cpu",
        classes: Sequence[str] = (),
    ) -> None:
        self.pair = build_pair(config)
        self.pixels = hasattr(self.pair, "probabilities")
        self.name = "the starting weights of the config" if checkpoint is None else str(checkpoint)
        self.trained = checkpoint is not None
        self.pretrained = True
        self.has_student = False
        if checkpoint is None:
            self.pretrained = _start(self.pair, config)
        else:
            self.has_student = _load(self.pair, tuple(classes), Path(checkpoint))
        self.pair.to(device).eval()
        self.network: Any = getattr(self.pair, role)
        self.second: Any = self.pair.student if role == "teacher" else self.pair.teacher

    def look(self, image: Image, *, second: bool = False, flip: bool = False) -> Found:
        """The image as it is, or mirrored; by the network, or by the other one of the pair."""
        inputs, sample = image.data["inputs"], image.data["data_samples"]
        found = self._predict(inputs.flip(-1) if flip else inputs, sample, second=second)
        return _mirrored(found, image.picture.shape[1]) if flip else found

    def again(self, image: Image, *, flip: bool = False) -> Iterator[Found]:
        """The same image, smaller, darker and (if it may be) mirrored."""
        inputs, sample = image.data["inputs"], image.data["data_samples"]
        yield self._predict((inputs.float() * DARKER).to(inputs.dtype), sample)
        size = [max(1, round(side * SCALE)) for side in inputs.shape[-2:]]
        small = F.interpolate(inputs[None].float(), size, mode="bilinear", antialias=True)[0]
        yield self._predict(small.to(inputs.dtype), _scaled(sample, size, inputs.shape[-2:]))
        if flip:
            yield self.look(image, flip=True)

    def hidden(self, image: Image, boxes: np.ndarray) -> Found:
        """The image without what is outside of boxes."""
        inputs, sample = image.data["inputs"], image.data["data_samples"]
        wide, high = _factors(sample)
        shown = visible(tuple(inputs.shape[-2:]), boxes * np.array([wide, high, wide, high]))
        mask = torch.from_numpy(shown)
        return self._predict(inputs.where(mask, torch.full_like(inputs, _GRAY)), sample)

    @torch.no_grad()
    def _predict(self, inputs: Tensor, sample: Any, *, second: bool = False) -> Found:
        model = self.second if second else self.network
        data = dict(inputs=[inputs], data_samples=[copy.deepcopy(sample)])
        batch = self.pair.data_preprocessor(data, False)
        with last_map(model) as maps:
            result = model(batch["inputs"], batch["data_samples"], mode="predict")[0]
        # A segmentor may have looked through a sliding window.
        means = [one.float().mean((0, 2, 3)) for one in maps]
        features = torch.stack(means).mean(0).cpu().numpy()
        if self.pixels:
            # Its own logits, in the frame of the image file.
            whole = self.pair.probabilities(result.seg_logits.data[None])  # type: ignore[operator]
            return Found(features, probabilities=whole[0].cpu().numpy())
        boxes = result.pred_instances
        arrays = (boxes[name].detach().cpu().numpy() for name in ("bboxes", "labels", "scores"))
        bboxes, labels, scores = arrays
        return Found(features, Boxes(bboxes.astype(np.float64), labels, scores.astype(np.float64)))


def is_segmentor(config: Any) -> bool:
    """Whether a config trains on label maps."""
    model = config.get("model")
    if not model:
        raise UsageError("the config has no model; give the config of a training")
    plain = "detector" not in model and "segmentor" not in model
    return "segmentor" in model or (plain and config.get("default_scope") == "mmseg")


def build_pair(config: Any) -> TeacherStudent:
    """The model of a config as a teacher-student pair; a plain one becomes both."""
    kind = "segmentor" if is_segmentor(config) else "detector"
    cfg = ConfigDict(copy.deepcopy(config.model))
    if kind not in cfg:
        cfg = ConfigDict(type=f"TeacherStudent{kind.capitalize()}", **{kind: cfg})
    pair: TeacherStudent = MODELS.build(cfg)
    return pair


@contextmanager
def last_map(network: nn.Module) -> Iterator[list[Tensor]]:
    """Within the context, the last map of the backbone (B, D, H, W) is appended for each pass."""
    backbone: Any = getattr(network, "backbone", None)
    if backbone is None:
        raise UsageError(
            f"{type(network).__name__} has no backbone, whose features `ssdet audit` compares. "
            "Allowed: a model of MMDetection or MMSegmentation"
        )
    found: list[Tensor] = []
    handle = backbone.register_forward_hook(lambda _, __, out: found.append(_maps(out)[-1]))
    try:
        yield found
    finally:
        handle.remove()


def _maps(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output] if output.ndim == 4 else []
    parts = output.values() if isinstance(output, dict) else output
    return [one for part in parts for one in _maps(part)]


def _start(pair: TeacherStudent, config: Any) -> bool:
    """Initialize the pair as a training would; whether a part of it is pretrained."""
    pair.init_weights()
    given = config.get("load_from")
    if given:
        state = CheckpointLoader.load_checkpoint(given, map_location="cpu")
        pair.load_state_dict(state.get("state_dict", state), strict=False)
    return bool(given) or any(
        isinstance(cfg, dict) and cfg.get("type") == "Pretrained"
        for part in pair.student.modules()
        for cfg in _listed(getattr(part, "init_cfg", None))
    )


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


def _load(pair: TeacherStudent, classes: tuple[str, ...], path: Path) -> bool:
    """Fill teacher and student; returns whether they are two networks."""
    saved = read_checkpoint(path)
    state = saved.get("state_dict", saved)
    _check_classes(saved, classes, path)
    weights = {
        role: {k.removeprefix(role): v for k, v in state.items() if k.startswith(role)}
        for role in ROLES
    }
    there = [role for role in ROLES if weights[role]]
    for role in ROLES:
        own = weights[role] or (weights[there[0]] if there else state)
        network: nn.Module = getattr(pair, role.removesuffix("."))
        check_fit(own, network.state_dict(), path)
        network.load_state_dict(own, strict=False)
    return len(there) == 2


def _check_classes(saved: dict[str, Any], ours: tuple[str, ...], path: Path) -> None:
    meta = (saved.get("meta") or {}).get("dataset_meta") or {}
    theirs = tuple(meta.get("classes") or meta.get("CLASSES") or ())
    if theirs and ours and theirs != ours:
        raise CheckpointError(
            f"checkpoint {path}: it was trained on other classes: found {', '.join(theirs)}; "
            f"allowed, since the data set has them: {', '.join(ours)}. Give the config of its run"
        )


def _factors(sample: Any) -> tuple[float, float]:
    """Width and height of the input against those of the image."""
    factor = sample.metainfo.get("scale_factor", (1.0, 1.0))
    return float(factor[0]), float(factor[1])


def _scaled(sample: Any, size: Sequence[int], before: Sequence[int]) -> Any:
    changed = copy.deepcopy(sample)
    wide, high = _factors(sample)
    factor = wide * size[1] / before[1], high * size[0] / before[0]
    changed.set_metainfo(dict(img_shape=tuple(size), scale_factor=factor))
    return changed


def _mirrored(found: Found, width: int) -> Found:
    """What was found in a mirrored image, in the frame of the image."""
    if found.boxes is None:
        turned = None if found.probabilities is None else found.probabilities[..., ::-1]
        return Found(found.features, probabilities=turned)
    boxes = found.boxes.bboxes.copy()
    boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    return Found(found.features, Boxes(boxes, found.boxes.labels, found.boxes.scores))
