"""The protocol that a config names is the one that it follows."""

import math
from pathlib import Path

import pytest
import torch
from mmengine.registry import RUNNERS

from ssdet.engine.configs import load_config

from ..seg_helpers import build_seg, seg_batch, tiny_fcn

CONFIGS = Path(__file__).parents[2] / "configs"
FULL = sorted(
    str(path.relative_to(CONFIGS))
    for data in ("voc12", "cityscapes")
    for path in CONFIGS.glob(f"*/*_{data}.py")
    if "_base_" not in path.parts and "TeacherStudentSegmentor" in path.read_text()
)


def crops(pipeline):
    views = pipeline[0]
    return [tuple(t["crop_size"]) for t in views["shared"] if t["type"] == "RandomCrop"]


def test_the_configs_are_found():
    assert len(FULL) >= 8 and "unimatch/deeplabv3plus_r101_voc12.py" in FULL


@pytest.mark.parametrize("name", FULL)
def test_windows_resolution_and_crops(name):
    """Cityscapes: windows as large as the crops, two thirds of them further. VOC: whole images.

    CW-BASS evaluates whole images of Cityscapes, too, and SemiVL windows of scaled images of VOC.
    """
    cfg = load_config(name)
    model = cfg.model.segmentor
    size = tuple(model.data_preprocessor.size)
    for source in cfg.train_dataloader.dataset.datasets:
        assert crops(source.pipeline) == [size]
    scales = [t.scale for t in cfg.val_dataloader.dataset.pipeline if "Resize" in t["type"]]
    assert scales == ([(2048, 512)] if name.startswith("semivl") else [])
    assert cfg.val_dataloader.batch_size == 1
    assert model.data_preprocessor.test_cfg == dict(size_divisor=1)
    said = cfg.val_evaluator.protocol
    assert said == cfg.test_evaluator.protocol
    if name.startswith("semivl"):
        assert model.test_cfg.mode == "slide" and tuple(model.test_cfg.crop_size) == size
        assert "windows of 512" in said.resolution and "short side of 512" in said.resolution
    elif "voc12" in name:
        assert model.test_cfg.mode == "whole"
        assert cfg.val_dataloader.dataset.ann_file.endswith("Segmentation/val.txt")
        assert said.resolution == "val, original size, single scale"
    elif name.startswith("cw_bass"):
        assert model.test_cfg.mode == "whole"
    else:
        assert model.type == "WindowedEncoderDecoder"
        assert model.test_cfg.mode == "slide" and tuple(model.test_cfg.crop_size) == size
        stride = tuple(model.test_cfg.stride)
        # Published codes round two thirds down (UniMatch) or up (U2PL).
        assert stride in [(r(size[0] * 2 / 3),) * 2 for r in (math.floor, math.ceil)]
    assert cfg.val_evaluator.type == "SegmentationMetric"


@pytest.mark.parametrize(
    ("options", "says", "reads"),
    [
        ({}, "VOC12 classic 1_16 fold 1", "classic.1@1_16.txt"),
        (
            dict(protocol="blender", split="1_8", fold=2),
            "VOC12 blender 1_8 fold 2",
            "blender.2@1_8",
        ),
        (dict(labeled_list="u2pl/662.txt"), "VOC12 classic list u2pl/662.txt", "u2pl/662.txt"),
    ],
)
def test_the_name_follows_the_lists(options, says, reads):
    cfg = load_config("unimatch/deeplabv3plus_r101_voc12.py", options)
    assert cfg.val_evaluator.protocol.data == says
    assert reads in cfg.train_dataloader.dataset.datasets[0].source


@pytest.mark.parametrize("kind", ["EncoderDecoder", "WindowedEncoderDecoder"])
def test_the_teacher_labels_through_sliding_windows(kind):
    """A view of 48 with windows of 32 and strides of 21: 0-32 and, moved back, 16-48.

    MMSegmentation averages logits, the class for the papers' protocol probabilities.
    """
    slide = dict(mode="slide", crop_size=(32, 32), stride=(21, 21))
    model = build_seg({**tiny_fcn(), "type": kind, "test_cfg": slide})
    torch.nn.init.normal_(model.teacher.decode_head.conv_seg.weight)  # not all alike
    data = model.data_preprocessor(seg_batch(sup=0, size=(48, 48)), True)
    inputs = data["inputs"]["unsup_teacher"]
    views = model._step(data["inputs"], data["data_samples"]).weak
    with torch.no_grad():
        found = model.label(views)
        total, count = torch.zeros(2, 4, 48, 48), torch.zeros(48, 48)
        for top in (0, 16):
            for left in (0, 16):
                area = slice(top, top + 32), slice(left, left + 32)
                window = inputs[..., area[0], area[1]]
                logits = model.teacher.encode_decode(window, [{"img_shape": window.shape[2:]}])
                total[..., area[0], area[1]] += (
                    logits if kind == "EncoderDecoder" else logits.softmax(1)
                )
                count[area] += 1
    mean = (total / count).softmax(1) if kind == "EncoderDecoder" else total / count
    scores, labels = mean.max(1)
    assert torch.equal(found.labels, labels)
    assert torch.allclose(found.scores, scores, atol=1e-5)
    whole = build_seg(tiny_fcn())
    whole.teacher.load_state_dict(model.teacher.state_dict())
    with torch.no_grad():
        assert not torch.allclose(whole.label(views).scores, scores, atol=1e-3)


def test_the_metric_of_both_models_in_the_loop(tmp_path):
    cfg = load_config("unimatch/deeplabv3plus_demo.py")
    cfg.work_dir = str(tmp_path)
    cfg.val_dataloader.dataset.count = cfg.val_dataloader.batch_size = 2
    runner = RUNNERS.build(cfg)
    found = runner.val()
    for evaluator in runner.val_loop.evaluators.values():
        assert evaluator.metrics[0].title == "not named | whole image"
    for who in ("teacher", "student"):
        for key in ("mIoU", "mDice", "mBoundaryF"):
            assert 0 <= found[f"{who}/{key}"] <= 100
