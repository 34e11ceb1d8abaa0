"""A config of MMSegmentation with our model and hooks, through its own script and through ours."""

import json
import os
import pprint
import subprocess
import sys
from pathlib import Path

import mmseg
import numpy as np
import pytest
import torch
from PIL import Image

from tests.families.segmentors import small_config
from tests.reliability.harness import ROOT, Run, checkpoint

PACKAGE = Path(mmseg.__file__).parent / ".mim"
SUPERVISED = "fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py"

# What a user writes: MMSegmentation's config as a base, our pair, and images without labels.
CONFIG = """
_base_ = {base!r}
custom_imports = dict(imports=['ssdet'])
segmentor = {segmentor}
model = dict(_delete_=True, type='TeacherStudentSegmentor', segmentor=segmentor)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9),
    dict(type='FixedThresholdHook', score=0.0),
    dict(type='CutMixHook', prob=1.0),
]
load = dict(type='LoadImageFromFile')
geometry = [
    dict(type='RandomResize', scale=(64, 32), ratio_range=(0.9, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(32, 32), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5)]
pack = dict(type='PackSegInputs')
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    sampler=dict(_delete_=True, type='LabeledUnlabeledSampler', batch=(2, 2)),
    dataset=dict(_delete_=True, type='LabeledUnlabeledDataset', datasets=[
        dict(
            type='CityscapesDataset', data_root={root!r},
            data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
            pipeline=[dict(
                type='WeakStrongViews', shared=[load, dict(type='LoadAnnotations'), *geometry],
                views=dict(sup=[pack]))]),
        dict(
            type='UnlabeledImages', source={root!r} + '/leftImg8bit/train_extra',
            pipeline=[dict(
                type='WeakStrongViews', shared=[load, *geometry[:1], dict(
                    type='RandomCrop', crop_size=(32, 32)), *geometry[2:]],
                views=dict(
                    unsup_teacher=[pack],
                    unsup_student=[dict(type='PhotoMetricDistortion'), pack]))])]))
val_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(data_root={root!r}, pipeline=[
        load, dict(type='Resize', scale=(64, 32), keep_ratio=True), dict(type='LoadAnnotations'),
        pack]))
test_dataloader = val_dataloader
val_cfg = dict(type='TeacherStudentLoop')
train_cfg = dict(max_iters=3, val_interval=3)
default_hooks = dict(checkpoint=dict(interval=3), logger=dict(interval=1))
"""


def pictures(root, part, count, labeled=True):
    """Street scenes of Cityscapes' layout: sky, a road, and a car somewhere."""
    random = np.random.RandomState(count)
    for n in range(count):
        labels = np.full((32, 64), 10, np.uint8)
        labels[16:] = 0
        x = random.randint(0, 48)
        labels[14:24, x : x + 12] = 13
        image = (labels[..., None] * 15 + random.randint(0, 40, (32, 64, 3))).astype(np.uint8)
        stem = f"{part}/town/town_{n:06}"
        for folder, end, pixels in (
            ("leftImg8bit", "leftImg8bit", image),
            *((("gtFine", "gtFine_labelTrainIds", labels),) if labeled else ()),
        ):
            path = root / folder / f"{stem}_{end}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    root = tmp_path_factory.mktemp("cityscapes")
    pictures(root, "train", 4)
    pictures(root, "train_extra", 5, labeled=False)
    pictures(root, "val", 2)
    segmentor = small_config("fcn")
    for head in (segmentor.decode_head, segmentor.auxiliary_head):
        head.num_classes = 19
    path = root / "semi.py"
    base = str(PACKAGE / "configs" / SUPERVISED)
    segmentor = pprint.pformat(segmentor.to_dict())
    path.write_text(CONFIG.format(base=base, segmentor=segmentor, root=str(root)))
    return path


@pytest.mark.long
def test_mmsegmentations_own_script_trains_evaluates_and_saves_it(config, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, PACKAGE / "tools/train.py", config, "--work-dir", tmp_path / "run"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    (scores,) = (tmp_path / "run").glob("*/vis_data/scalars.json")
    lines = [json.loads(line) for line in scores.read_text().splitlines()]
    assert "unsup_decode.loss_ce" in lines[0] and "pseudo/kept" in lines[0]
    assert "teacher/mIoU" in lines[-1] and "student/mIoU" in lines[-1]
    saved = torch.load(tmp_path / "run/iter_3.pth", weights_only=False)
    assert saved["step_hooks"]["TeacherEMAHook"]["updates"] == 3


def test_ssdet_trains_and_judges_it(config, tmp_path):
    out = Run("train", config, "--work-dir", tmp_path / "run", log=tmp_path / "out").wait()
    assert "Traceback" not in out
    assert checkpoint(tmp_path / "run", 3)["step_hooks"]["TeacherEMAHook"]["updates"] == 3
    last = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    assert "teacher/mIoU" in last and "student/mIoU" in last
    said = Run("doctor", config, log=tmp_path / "doctor").wait()
    assert "error" not in said.lower().replace("0 errors", ""), said
    path = tmp_path / "run/checkpoints/iter_3.pth"
    Run("test", config, path, "--work-dir", tmp_path / "t", log=tmp_path / "o").wait()
    scores = json.loads((tmp_path / "t/test.json").read_text())
    assert scores["mIoU"] == pytest.approx(last["teacher/mIoU"], abs=1e-4)
