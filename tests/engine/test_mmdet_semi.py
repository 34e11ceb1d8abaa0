"""A config of MMDetection's own semi-supervised folder, with our model and hooks in it."""

import json
import os
import pprint
import subprocess
import sys
from pathlib import Path

import mmdet
import pytest
import torch
from mmengine.hub import get_config

from tests.doctor.place import coco
from tests.families.detectors import small_config
from tests.reliability.harness import ROOT, Run, checkpoint

SEMI = "soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py"

# What a user writes: MMDetection's config as a base, and our pair in the place of its own.
CONFIG = """
_base_ = 'mmdet::{semi}'
custom_imports = dict(imports=['ssdet'])
detector = {detector}
model = dict(_delete_=True, type='TeacherStudentDetector', detector=detector, unsup_weight=4.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999),
    dict(type='FixedThresholdHook', score=0.5, cls=0.9, rpn=0.9),
]
train_cfg = dict(max_iters=2, val_interval=2)
default_hooks = dict(checkpoint=dict(interval=2), logger=dict(interval=1))
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    sampler=dict(batch_size=2, source_ratio=[1, 1]),
    dataset=dict(datasets={datasets}))
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset={validation})
val_evaluator = dict(ann_file={annotations!r})
test_dataloader = val_dataloader
test_evaluator = val_evaluator
"""


def made_small(node):
    """The sizes of its pipelines, for pictures of 64 x 48 pixels."""
    for step in node.values() if isinstance(node, dict) else node:
        if isinstance(step, (dict, list)):
            made_small(step)
    if isinstance(node, dict) and node.get("type") in ("RandomResize", "Resize"):
        node["scale"] = [(64, 48), (96, 72)] if node["type"] == "RandomResize" else (64, 48)
    return node


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The config in a folder with six labeled, eight unlabeled and three other pictures."""
    folder = tmp_path_factory.mktemp("semi")
    for name, first, count in (("labeled", 0, 6), ("val", 100, 3), ("unlabeled", 200, 8)):
        coco(folder, name, first, count)
    content = json.loads((folder / "unlabeled.json").read_text())
    (folder / "unlabeled.json").write_text(json.dumps({**content, "annotations": []}))
    base = get_config(f"mmdet::{SEMI}")
    own = [*base.train_dataloader.dataset.datasets, base.val_dataloader.dataset]
    parts = []
    for dataset, name in zip(own, ("labeled", "unlabeled", "val"), strict=True):
        dataset = made_small(dataset.to_dict())
        dataset.update(
            data_root=str(folder), ann_file=f"{name}.json", data_prefix=dict(img=""),
            metainfo=dict(classes=("cat", "dog")),
        )  # fmt: skip
        parts.append(dataset)
    detector = small_config("faster_rcnn")
    detector.roi_head.bbox_head.num_classes = 2
    path = folder / "semi.py"
    path.write_text(
        CONFIG.format(
            semi=SEMI,
            detector=pprint.pformat(detector.to_dict()),
            datasets=pprint.pformat(parts[:2]),
            validation=pprint.pformat(parts[2]),
            annotations=str(folder / "val.json"),
        )
    )
    return path


@pytest.mark.long
def test_mmdetections_own_script_trains_evaluates_and_saves_it(config, tmp_path):
    script = Path(mmdet.__file__).parent / ".mim/tools/train.py"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, script, config, "--work-dir", tmp_path / "run"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    (scores,) = (tmp_path / "run").glob("*/vis_data/scalars.json")
    last = json.loads(scores.read_text().splitlines()[-1])
    assert "teacher/coco/bbox_mAP" in last and "student/coco/bbox_mAP" in last
    first = json.loads(scores.read_text().splitlines()[0])
    assert "unsup_loss" in first or "unsup_loss_cls" in first
    saved = torch.load(tmp_path / "run/iter_2.pth", weights_only=False)
    assert saved["step_hooks"]["TeacherEMAHook"]["updates"] == 2


def test_ssdet_trains_and_judges_it(config, tmp_path):
    out = Run("train", config, "--work-dir", tmp_path / "run", log=tmp_path / "out").wait()
    assert "Traceback" not in out
    assert checkpoint(tmp_path / "run", 2)["step_hooks"]["TeacherEMAHook"]["updates"] == 2
    last = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    assert "teacher/coco/bbox_mAP" in last and "student/coco/bbox_mAP" in last
    said = Run("doctor", config, log=tmp_path / "doctor").wait()
    assert "error" not in said.lower().replace("0 errors", ""), said
