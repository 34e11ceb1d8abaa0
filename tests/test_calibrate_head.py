"""The last layer learns about a rare class from features that are drawn."""

import importlib.util
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn

from ssdet.engine.checkpoint_file import read_checkpoint
from ssdet.registry import MODELS

from .families.detectors import small_config
from .test_demos import _confidence, run, small  # noqa: F401

PATH = Path(__file__).parents[1] / "tools" / "calibrate_head.py"
spec = importlib.util.spec_from_file_location("calibrate_head", PATH)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)
CENTERS = torch.tensor([[4.0, 0, 0], [0, 4.0, 0], [0, 0, 0]])  # two classes and the background


def features(*counts):
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([c for c, n in enumerate(counts) for _ in range(n)])
    return CENTERS[labels] + torch.randn(len(labels), 3, generator=generator), labels


def test_a_rare_class_is_recognized_more_often():
    torch.manual_seed(0)
    layer = nn.Linear(3, 3)
    seen, labels = features(200, 3, 200)
    found = tool.relearned(layer, seen, labels, enough=50, steps=1000)
    plain = tool.relearned(layer, seen, labels, enough=0, steps=1000)
    fresh, classes = features(0, 400, 0)
    right, before = ((one(fresh).argmax(1) == classes).float().mean() for one in (found, plain))
    assert right > 0.85 and before < 0.2
    assert not found.weight.equal(layer.weight) and layer.weight.requires_grad


def test_empty_boxes_hold_no_object():
    from mmdet.structures.bbox import bbox_overlaps

    torch.manual_seed(0)
    object_ = torch.tensor([[20.0, 20, 60, 60]])
    found = tool.empty_boxes(object_, (100, 80))
    assert len(found) > 5 and bbox_overlaps(found, object_).max() < 0.3
    assert (found >= 0).all() and (found[:, 2] <= 80).all() and (found[:, 3] <= 100).all()
    assert len(tool.empty_boxes(object_[:0], (100, 80))) == tool.BACKGROUND


def test_the_images_of_a_supervised_training_are_read_too():
    """Its data set is no pair of sources, and its samples have no branches."""
    steps = ["LoadDigitScene", "LoadAnnotations", "PackDetInputs"]
    pipeline = [dict(type=step) for step in steps]
    scenes = dict(type="DigitScenes", count=3, labeled=2, split="labeled", image_size=64)
    loader = dict(dataset=dict(**scenes, digits=(0, 1, 2), pipeline=pipeline))
    config = Config(dict(default_scope="mmdet", train_dataloader=loader))
    model = MODELS.build(dict(small_config("faster_rcnn"), _scope_="mmdet")).eval()
    found, labels = tool.labeled_features(model, config, passes=1)
    assert len(found) == len(labels) and {3} < set(labels.tolist()) <= {0, 1, 2, 3}


@pytest.mark.long
def test_a_run_is_calibrated_and_only_its_last_layer_changes(tmp_path, capsys):
    run(small("long_tail/faster-rcnn_demo.py", tmp_path / "run", 2))
    out = tmp_path / "calibrated.pth"
    checkpoint = next((tmp_path / "run").rglob("*iter_2.pth"))
    config = str(tmp_path / "run" / "config.py")
    arguments = [str(checkpoint), "--config", config, "--out", str(out), "--steps", "3"]
    assert tool.main([*arguments, "--passes", "1", "--enough", "5"]) == 0
    assert "rare classes" in capsys.readouterr().out
    before, after = (read_checkpoint(path)["state_dict"] for path in (checkpoint, out))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    layer = "teacher.roi_head.bbox_head.fc_cls"
    assert changed == {f"{layer}.weight", f"{layer}.bias"}
