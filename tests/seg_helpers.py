"""Tiny segmentors and hand-made batches that several test rooms use."""

import copy

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from ssdet.hooks import StepHook, TeacherEMAHook
from ssdet.registry import MODELS
from ssdet.teacher_student.phase import Phase

from .helpers import losses

PREPROCESSOR = dict(
    type="SegDataPreProcessor",
    mean=[127.0] * 3,
    std=[64.0] * 3,
    bgr_to_rgb=False,
    pad_val=0,
    seg_pad_val=255,
    size_divisor=16,
)
CROSS_ENTROPY = dict(type="CrossEntropyLoss", avg_non_ignore=True)


def tiny_fcn(num_classes=4, norm="GN", auxiliary=False, **head):
    """FCN on a ResNet-18 of 8 channels: 0.05 s for a step on two 32x32 images."""
    norm_cfg = dict(type="GN", num_groups=4) if norm == "GN" else dict(type=norm)
    decode = dict(
        type="FCNHead",
        in_channels=32,
        in_index=2,
        channels=8,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.0,
        num_classes=num_classes,
        norm_cfg=norm_cfg,
        loss_decode=CROSS_ENTROPY,
    )
    cfg = dict(
        type="EncoderDecoder",
        data_preprocessor=PREPROCESSOR,
        backbone=dict(
            type="ResNet",
            depth=18,
            base_channels=8,
            num_stages=3,
            out_indices=(0, 1, 2),
            strides=(1, 2, 1),
            dilations=(1, 1, 2),
            norm_cfg=norm_cfg,
            norm_eval=False,
        ),
        decode_head={**decode, **head},
        train_cfg=dict(),
        test_cfg=dict(mode="whole"),
    )
    if auxiliary:
        cfg["auxiliary_head"] = dict(decode, in_channels=16, in_index=1)
    return cfg


def build_seg(segmentor=None, **settings):
    """A `TeacherStudentSegmentor` in training mode."""
    cfg = dict(type="TeacherStudentSegmentor", segmentor=segmentor or tiny_fcn(), **settings)
    return MODELS.build(copy.deepcopy(cfg)).train()


def seg_sample(size=(32, 32), homography=None, gt=None, **meta):
    """A data sample of a view."""
    meta = dict(img_shape=size, ori_shape=size, **meta)
    if homography is not None:
        meta["homography_matrix"] = np.asarray(homography, dtype=np.float32)
    sample = SegDataSample(metainfo=meta)
    if gt is not None:
        sample.gt_sem_seg = PixelData(data=torch.as_tensor(gt)[None])
    return sample


def seg_batch(sup=2, unsup=2, views=1, size=(32, 32), homography=None, classes=4, same=False):
    """A MultiBranch batch as it comes from `pseudo_collate`: None where a sample has no branch.

    Labeled images show their label as brightness, so that a model can learn them.
    """
    branches = ["sup"] if sup else []
    branches += ["unsup_teacher", "unsup_student"] if unsup else []
    branches += [f"unsup_student_{i}" for i in range(2, views + 1)]
    batch = {"inputs": {}, "data_samples": {}}
    drawn = {}
    for branch in branches:
        images, samples = [], []
        for i in range(sup + unsup):
            if (i < sup) != (branch == "sup"):
                images.append(None)
                samples.append(None)
                continue
            if not (same and i in drawn):
                blocks = torch.randint(classes, (-(-size[0] // 16), -(-size[1] // 16)))
                label = blocks.repeat_interleave(16, 0).repeat_interleave(16, 1)
                drawn[i] = label[: size[0], : size[1]]
            label = drawn[i]
            images.append((label * (255 // classes)).to(torch.uint8).expand(3, *size).clone())
            matrix = homography if branch.startswith("unsup_student") else None
            gt = label if branch == "sup" else None
            samples.append(seg_sample(size, matrix, gt))
        batch["inputs"][branch], batch["data_samples"][branch] = images, samples
    return batch


def with_other_labeled(batch, size):
    """The batch with labeled images of another size, so that a joint pass has to pad."""
    unlabeled = sum(one is not None for one in batch["inputs"]["unsup_teacher"])
    large = seg_batch(unsup=0, size=size)
    for key in batch:
        batch[key]["sup"] = large[key]["sup"] + [None] * unlabeled
    return batch


def padded_from(batch, column):
    """The batch, with the unlabeled views marked as padding from a column on."""
    for name, samples in batch["data_samples"].items():
        for sample in samples:
            if name != "sup" and sample is not None:
                marks = torch.zeros(1, *sample.img_shape, dtype=torch.long)
                marks[..., column:] = 255
                sample.gt_sem_seg = PixelData(data=marks)
    return batch


def plain(batch):
    """The labeled branch alone, as a plain batch."""
    return {key: [one for one in batch[key]["sup"] if one is not None] for key in batch}


def projecting(head=None, **settings):
    """A pair with a small `PixelProjector`, the same in each call."""
    torch.manual_seed(1)
    norm = dict(type="GN", num_groups=4)
    small = dict(
        type="PixelProjector", in_channels=8, channels=4, convs=1, dropout=0.0, norm_cfg=norm
    )
    return build_seg(
        tiny_fcn(), auxiliary=dict(representation={**small, **(head or {})}), **settings
    )


class Spy(StepHook):
    """Keeps the last step."""

    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def taken(model, *hooks, batch=None):
    """The losses of a step with these hooks, and the step."""
    spy = Spy()
    for one in (TeacherEMAHook(0.9), *hooks, spy):
        model.attach(one)
    return losses(model, batch or seg_batch()), spy.step
