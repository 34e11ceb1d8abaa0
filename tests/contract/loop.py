"""A model with its hooks in a loop of a few lines, driven as MMEngine's runner drives them."""

import copy
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine import MessageHub
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.runner import get_priority
from mmengine.structures import PixelData

from ssdet.registry import DATASETS, HOOKS, MODELS
from ssdet.teacher_student.step import PixelLabels

from ..families.detectors import initialized, small_config
from ..helpers import build_pair, multi_branch, tiny_retinanet
from ..seg_helpers import PREPROCESSOR, build_seg, seg_batch, tiny_fcn


def _two_stage(family):
    cfg = small_config(family)
    cfg.test_cfg.rcnn.update(score_thr=0.0, max_per_img=5)
    cfg.train_cfg.rpn_proposal.update(nms_pre=50, max_per_img=20)
    cfg.test_cfg.rpn.update(nms_pre=50, max_per_img=20)
    return cfg


def _shifted():
    cfg = _two_stage("faster_rcnn")
    cfg.neck.update(type="ShiftedFPN", num_outs=6, add_extra_convs="on_input")
    cfg.rpn_head.anchor_generator.update(scales=[4], strides=[8, 16, 32, 64, 128])
    cfg.roi_head.bbox_roi_extractor.featmap_strides = [8, 16, 32, 64]
    return cfg


def _fcos(**head):
    cfg = small_config("fcos")
    cfg.bbox_head.update(head)
    cfg.test_cfg.update(score_thr=0.0, max_per_img=5)
    return cfg


def _yolox():
    cfg = small_config("yolox")
    cfg.test_cfg.update(score_thr=0.0, max_per_img=5)
    return cfg


def _rtmdet():
    cfg = small_config("rtmdet")
    for part in (cfg.backbone, cfg.neck, cfg.bbox_head):  # batch norm would part two processes
        part.norm_cfg = dict(type="GN", num_groups=4)
    cfg.test_cfg.update(score_thr=0.0, max_per_img=5)
    return cfg


def _mask_queries():
    cfg = small_config("mask2former")
    cfg.test_cfg.max_per_image = 5
    return cfg


DETECTORS = {
    "joint_fcos": lambda: _fcos(type="JointConfidenceFCOSHead"),
    "uncertain_fcos": lambda: _fcos(type="UncertainFCOSHead", reg_max=4),
    "retinanet": tiny_retinanet,
    "faster_rcnn": lambda: _two_stage("faster_rcnn"),
    "shifted_rcnn": _shifted,
    "cascade_rcnn": lambda: _two_stage("cascade_rcnn"),
    "mask_rcnn": lambda: _two_stage("mask_rcnn"),
    "mask2former": _mask_queries,
    "yolox": _yolox,
    "rtmdet": _rtmdet,
    "deformable_detr": lambda: small_config("deformable_detr"),
    "dino": lambda: small_config("dino"),
}
PAIRS = {**PREPROCESSOR, "type": "PairDataPreProcessor"}
CHANNELS = dict(type="ChannelCrossAttention", in_channels=32, channels=8)
SEGMENTORS = {
    "fcn": tiny_fcn,
    "fcn_dropout": lambda: tiny_fcn(dropout_ratio=0.5),
    "fcn_domains": lambda: tiny_fcn(norm="DomainBN"),
    "fcn_channels": lambda: {**tiny_fcn(), "neck": CHANNELS},
    "siamese": lambda: {**tiny_fcn(), "type": "SiameseSegmentor", "data_preprocessor": PAIRS},
}


SIZES = ("ori_shape", "pad_shape", "batch_input_shape")


class Loop:
    """A tiny pair and its hooks, from a seed; the same seed and the same settings: the same run.

    Args:
        work_dir: Where hooks that write may write.
        kind: A key of `DETECTORS` or `SEGMENTORS`.
        hooks: Configs, in the order of a list of `custom_hooks`.
        model: Settings of the pair.
        views: Strong views of each unlabeled image.
    """

    def __init__(self, work_dir, kind, hooks, model=(), views=1):
        work_dir.mkdir(exist_ok=True)
        torch.manual_seed(0)
        MessageHub.get_current_instance().update_info("epoch", 4)
        self.kind, self.views = kind, views
        if kind in SEGMENTORS:
            self.model = build_seg(SEGMENTORS[kind](), **dict(model))
        else:
            self.model = build_pair(DETECTORS[kind](), **dict(model))
        # Before that, a DETR's embeddings are what the memory held, and YOLOX's boxes are huge.
        if kind in ("deformable_detr", "dino", "yolox"):
            initialized(self.model)
        _awaken(self.model)
        self.hooks = [HOOKS.build(copy.deepcopy(hook)) for hook in hooks]
        learned = [p for p in self.model.parameters() if p.requires_grad]
        wrapper = OptimWrapper(torch.optim.SGD(learned, lr=1e-3, momentum=0.9))
        wrapper.initialize_count_status(self.model, 0, 10)
        dataset = SimpleNamespace(metainfo={}, folds=[fold_of(kind)])
        self.runner = SimpleNamespace(
            model=self.model, optim_wrapper=wrapper, hooks=self.hooks, iter=0, max_iters=10, seed=0,
            work_dir=str(work_dir), train_dataloader=SimpleNamespace(dataset=dataset),
        )  # fmt: skip
        # The order of MMEngine: by priority, then that of the list.
        for hook in sorted(self.hooks, key=lambda hook: get_priority(hook.priority)):
            hook.before_run(self.runner)
        self.labels = self.model.label
        self.model.label = self._surely
        self.with_gradient = {}

    def distribute(self):
        """Take the steps together with the other processes."""
        self.runner.model = MMDistributedDataParallel(self.model, broadcast_buffers=False)

    def train(self, steps, rank=0):
        """Take so many steps, each process with images of its own; the log of each step."""
        if self.runner.iter == 0:
            self._begin()
        logs = []
        for number in range(self.runner.iter, self.runner.iter + steps):
            torch.manual_seed(10 * number + rank)
            batch = batch_of(self.kind, self.views, rank)
            for hook in self.hooks:
                hook.before_train_iter(self.runner, number, batch)
            log = self.runner.model.train_step(batch, self.runner.optim_wrapper)
            logs.append({name: torch.as_tensor(value) for name, value in log.items()})
            self.runner.iter += 1
            for hook in self.hooks:
                hook.after_train_iter(self.runner, number, batch, log)
        return logs

    def _begin(self):
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(self._note(name))
        for hook in self.hooks:
            hook.before_train(self.runner)

    def _note(self, name):
        def note(parameter):
            found = self.with_gradient.get(name, False)
            self.with_gradient[name] = found or bool(parameter.grad.any())

        return note

    def save(self):
        """What a checkpoint holds of the run."""
        return dict(
            model=self.model.state_dict(),
            optimizer=self.runner.optim_wrapper.state_dict(),
            hooks=[hook.state_dict() for hook in self.hooks],
            iter=self.runner.iter,
        )

    def load(self, saved):
        """Go on from there."""
        self._begin()
        self.model.load_state_dict(saved["model"])
        self.runner.optim_wrapper.load_state_dict(saved["optimizer"])
        self.runner.iter = saved["iter"]
        for hook, state in zip(self.hooks, saved["hooks"], strict=True):
            if state:
                hook.load_state_dict(state)

    def _surely(self, *args, **kwargs):
        """A teacher without training is sure of nothing; this one says it is."""
        return self._with_scores(lambda scores: 0.95 + 0.05 * scores, *args, **kwargs)

    def silence(self):
        """From now on the teacher finds no box, and is sure of no pixel."""
        self.model.label = self._nothing

    def _nothing(self, *args, **kwargs):
        found = self._with_scores(torch.zeros_like, *args, **kwargs)
        return found if isinstance(found, PixelLabels) else [boxes[:0] for boxes in found]

    def _with_scores(self, change, *args, **kwargs):
        found = self.labels(*args, **kwargs)
        for labels in [found] if isinstance(found, PixelLabels) else found:
            labels.scores = change(labels.scores)
        return found


@torch.no_grad()
def _awaken(model):
    """Away from initial values at which a gradient is zero."""
    for network in (model.student, *model.auxiliary.values()):
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.copy_student()


@MODELS.register_module()
class LabelerForTests(torch.nn.Module):
    """Labels pixels by how bright they are; nothing in it learns."""

    labels_classes = 4

    def forward(self, images):
        levels = torch.arange(4).view(1, -1, 1, 1) * 64.0
        return (-(images.mean(1, keepdim=True) - levels).abs()).softmax(1)


@MODELS.register_module()
class PromptedForTests(torch.nn.Module):
    """A promptable model: a square around each point, of which it is sure."""

    def __init__(self, num_classes):
        super().__init__()
        self.decode_head = SimpleNamespace(num_classes=num_classes)

    def masks_of(self, images, prompts):
        found = []
        for one in prompts:
            masks = torch.zeros(len(one), *images.shape[-2:], dtype=torch.bool)
            for mask, (x, y) in zip(masks, one.points[:, 0].long().tolist(), strict=True):
                mask[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5] = True
            found.append((masks, torch.full((len(one),), 0.9)))
        return found


@DATASETS.register_module(force=True)
class LabelsForTests:
    """What another model says of the images of `loop.batch_of`: a box in each of them."""

    metainfo: ClassVar = {}

    def __len__(self):
        return 8

    def get_data_info(self, number):
        box = dict(bbox=[4.0, 4.0, 28.0, 28.0], bbox_label=1, score=0.9)
        path = f"/data/{number // 4}-{number % 4}.jpg"
        return {"img_path": path, "instances": [box]}

    def get_cat_ids(self, number):
        return [0, 1]


def batch_of(kind, views=1, rank=0):
    """Two labeled and two unlabeled images as a data set gives them, with external labels."""
    batch = seg_batch(views=views) if kind in SEGMENTORS else multi_branch(views=views)
    if kind == "siamese":  # of two images, the later one is the negative of the earlier one
        for images in batch["inputs"].values():
            images[:] = [None if one is None else torch.cat([one, 255 - one]) for one in images]
    for samples in batch["data_samples"].values():
        for number, sample in enumerate(samples):
            if sample is None:
                continue
            meta = dict(img_id=4 * rank + number, img_path=f"/data/{rank}-{number}.jpg")
            sizes = dict.fromkeys(SIZES, sample.img_shape)
            sample.set_metainfo({**meta, **sizes, "homography_matrix": np.eye(3)})
            if kind in SEGMENTORS:
                labels = torch.randint(3, (1, *sample.img_shape), dtype=torch.uint8)
                sample.second_sem_seg = PixelData(data=labels)
                if kind == "siamese":
                    dates = torch.randint(2, (2, *sample.img_shape), dtype=torch.uint8)
                    sample.date_sem_seg = PixelData(data=dates)
            elif kind in ("mask_rcnn", "mask2former"):
                sample.gt_instances.masks = _filled(sample.gt_instances.bboxes, sample.img_shape)
    return batch


def fold_of(kind):
    """Two labeled images that are held out."""
    generator = torch.random.get_rng_state()
    torch.manual_seed(7)
    batch = batch_of(kind)
    torch.random.set_rng_state(generator)
    images, samples = batch["inputs"]["sup"], batch["data_samples"]["sup"]
    pairs = zip(images, samples, strict=True)
    return [{"inputs": one, "data_samples": sample} for one, sample in pairs if sample is not None]


def _filled(boxes, size):
    masks = np.zeros((len(boxes), *size), dtype=np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = 1
    return BitmapMasks(masks, *size)
