"""Tiny models and steps, for the examples in docstrings and for tests of hooks of your own.

A hook is tried in two ways: on a step that you write down (`box_step`, `pixel_step`), or in a whole
training step of a tiny model on noise (`take_step`), which takes a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from .hooks import StepHook
from .registry import MODELS
from .teacher_student import Phase, PixelLabels, PseudoBoxes, Step, TeacherStudent, Views

__all__ = ["box_step", "detector", "fcn", "pixel_step", "retinanet", "segmentor", "take_step"]

SIZE = (64, 64)
MEAN = dict(mean=[127.0] * 3, std=[64.0] * 3)
NORM = dict(type="GN", num_groups=4)
BACKBONE = dict(
    type="ResNet", depth=18, base_channels=8, num_stages=3, out_indices=(1, 2), strides=(1, 2, 2),
    dilations=(1, 1, 1), norm_cfg=NORM, norm_eval=False,
)  # fmt: skip


def box_step(
    scores: Sequence[float],
    *,
    labels: Sequence[int] | None = None,
    boxes: Sequence[Sequence[float]] | None = None,
) -> Step:
    """A step in which the teacher has labeled one image: boxes side by side, all of class 0.

    >>> box_step([0.9, 0.2]).pseudo[0].scores
    tensor([0.9000, 0.2000])
    """
    places = boxes or [[10.0 * i, 0.0, 10.0 * i + 8.0, 8.0] for i in range(len(scores))]
    found = PseudoBoxes(
        bboxes=torch.tensor(places, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels or [0] * len(scores)),
        scores=torch.tensor(scores),
    )
    for name in ("weight_cls", "weight_box", "level"):
        found[name] = found.value(name)
    sample = DetDataSample(metainfo=dict(img_shape=SIZE, ori_shape=SIZE, img_id=0))
    weak = Views(torch.zeros(1, 3, *SIZE), [sample])
    return Step(detector(), 0, weak=weak, pseudo=[found], dropped=[{}])


def pixel_step(scores: Any, *, labels: Any = None) -> Step:
    """A step in which the teacher has labeled one image of a few pixels, all as class 0.

    >>> pixel_step([[0.9, 0.2]]).pseudo.weights
    tensor([[[1., 1.]]])
    """
    given = torch.tensor(scores)[None]
    classes = torch.tensor([labels]) if labels is not None else torch.zeros_like(given).long()
    valid = torch.ones_like(given).bool()
    pixels = PixelLabels(classes, given, torch.ones_like(given), valid)
    return Step(segmentor(), 0, pseudo=pixels)


def take_step(model: TeacherStudent, *hooks: Any, views: int = 1) -> Step:
    """A training step on noise, two labeled and two unlabeled images, with these hooks.

    >>> sorted(take_step(detector()).losses)
    ['sup_loss_bbox', 'sup_loss_cls', 'unsup_loss_bbox', 'unsup_loss_cls']
    """
    last = _LastStep()
    for hook in (*hooks, last):
        model.attach(hook)
    model(**model.data_preprocessor(_batch(model, views), True), mode="loss")
    model.hooks.remove(last)
    return last.step


def detector(**settings: Any) -> Any:
    """A `TeacherStudentDetector` around a RetinaNet of 3 classes and 8 channels."""
    cfg = dict(type="TeacherStudentDetector", detector=retinanet(), **settings)
    return MODELS.build(cfg).train()


def segmentor(**settings: Any) -> Any:
    """A `TeacherStudentSegmentor` around an FCN of 4 classes and 8 channels."""
    cfg = {"type": "TeacherStudentSegmentor", "segmentor": fcn(), **settings}
    return MODELS.build(cfg).train()


def retinanet() -> dict[str, Any]:
    """The config of that RetinaNet."""
    anchors = dict(
        type="AnchorGenerator", octave_base_scale=2, scales_per_octave=1, ratios=[1.0],
        strides=[8, 16],
    )  # fmt: skip
    assigner = dict(type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0)
    return dict(
        type="RetinaNet",
        data_preprocessor=dict(type="DetDataPreprocessor", **MEAN, pad_size_divisor=32),
        backbone=BACKBONE,
        neck=dict(type="FPN", in_channels=[16, 32], out_channels=8, num_outs=2, norm_cfg=NORM),
        bbox_head=dict(
            type="RetinaHead", num_classes=3, in_channels=8, stacked_convs=1, feat_channels=8,
            anchor_generator=anchors, bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
        ),
        train_cfg=dict(
            assigner=assigner, sampler=dict(type="PseudoSampler"), allowed_border=-1, pos_weight=-1
        ),
        test_cfg=dict(
            nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=dict(type="nms", iou_threshold=0.5),
            max_per_img=5,
        ),
    )  # fmt: skip


def fcn() -> dict[str, Any]:
    """The config of that FCN; as an auxiliary network it is a second segmentor."""
    return dict(
        type="EncoderDecoder",
        data_preprocessor=dict(type="SegDataPreProcessor", **MEAN, size_divisor=16),
        backbone=BACKBONE,
        decode_head=dict(
            type="FCNHead", in_channels=32, in_index=1, channels=8, num_convs=1,
            concat_input=False, dropout_ratio=0.1, num_classes=4, norm_cfg=NORM,
        ),
        train_cfg=dict(),
        test_cfg=dict(mode="whole"),
    )  # fmt: skip


class _LastStep(StepHook):
    """Keeps the step after all other hooks have run."""

    phase = Phase.OBSERVE
    read_only = True
    step: Step

    def after_loss(self, step: Step) -> None:
        self.step = step


def _batch(model: TeacherStudent, views: int) -> dict[str, Any]:
    """A MultiBranch batch: None where an image is not in a branch."""
    strong = ["unsup_student", *(f"unsup_student_{i}" for i in range(2, views + 1))]
    inputs, samples = {}, {}
    for branch in ("sup", "unsup_teacher", *strong):
        has = [(number < 2) == (branch == "sup") for number in range(4)]
        inputs[branch] = [_noise() if one else None for one in has]
        samples[branch] = [_sample(model, n) if one else None for n, one in enumerate(has)]
    return dict(inputs=inputs, data_samples=samples)


def _noise() -> Tensor:
    return torch.randint(0, 255, (3, *SIZE), dtype=torch.uint8)


def _sample(model: TeacherStudent, number: int) -> Any:
    """An annotated sample; what is annotated in unlabeled views is never looked at."""
    kind = SegDataSample if model.scope == "mmseg" else DetDataSample
    sample: Any = kind(
        metainfo=dict(img_shape=SIZE, ori_shape=SIZE, img_id=number, img_path=f"{number}.jpg")
    )
    if kind is SegDataSample:
        labels = torch.randint(0, 4, (1, 4, 4)).repeat_interleave(16, 1).repeat_interleave(16, 2)
        sample.gt_sem_seg = PixelData(data=labels)
    else:
        box = torch.tensor([[8.0, 8.0, 40.0, 40.0]])
        sample.gt_instances = InstanceData(bboxes=box, labels=torch.tensor([0]))
    return sample
