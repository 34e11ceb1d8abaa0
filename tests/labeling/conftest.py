"""A tiny pair of detectors, one of segmentors, and a folder of images to label."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

from ssdet.engine.checkpoint_file import write_checkpoint

from ..helpers import tiny_retinanet
from ..seg_helpers import tiny_fcn

CLASSES = ("cat", "dog", "cow")
DETECT = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(96, 64), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape",
                                          "scale_factor")),
]  # fmt: skip
SEGMENT = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(96, 64), keep_ratio=True),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs"),
]


def write_run(folder, scope, model, pipeline, **more):
    """A run folder with a checkpoint of two different networks."""
    config = Config(
        dict(
            default_scope=scope,
            model=model,
            test_dataloader=dict(dataset=dict(type="UnlabeledImages", pipeline=pipeline)),
            **{k: v for k, v in more.items() if k != "hook_states"},
        )
    )
    with DefaultScope.overwrite_default_scope(scope):
        pair = MODELS.build(config.model).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in pair.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    state = dict(state_dict=pair.state_dict(), meta=dict(dataset_meta=dict(classes=CLASSES)))
    state["step_hooks"] = more.get("hook_states", {})
    path = folder / "checkpoints" / "iter_1.pth"
    write_checkpoint(state, path)
    config.dump(folder / "config.py")
    return path


def detector_pair():
    detector = tiny_retinanet()
    detector["test_cfg"].update(score_thr=0.05, max_per_img=20)
    return dict(type="TeacherStudentDetector", detector=detector)


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"), "mmdet", detector_pair(), DETECT)


@pytest.fixture(scope="module")
def segmentor(tmp_path_factory):
    model = dict(type="TeacherStudentSegmentor", segmentor=tiny_fcn(num_classes=3))
    return write_run(tmp_path_factory.mktemp("run"), "mmseg", model, SEGMENT)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Thirty images of two sizes, two of which are not readable."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "sub").mkdir()
    random = np.random.default_rng(0)
    for number in range(30):
        size = (60, 80) if number % 3 else (90, 60)
        path = folder / ("sub" if number % 2 else "") / f"{number:02}.png"
        Image.fromarray(random.integers(0, 255, (*size, 3), np.uint8)).save(path)
    (folder / "broken.png").write_bytes(b"no image at all")
    whole = (folder / "00.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    return folder
