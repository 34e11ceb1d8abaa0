"""Graphs for ONNX answer as the models do, and the files as the graphs."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope
from mmseg.structures import SegDataSample

from ssdet.cli import main
from ssdet.engine import onnx_export, onnx_masks
from ssdet.engine.checkpoint_file import write_checkpoint
from ssdet.engine.configs import load_config
from ssdet.engine.onnx_export import default_size, export_onnx
from ssdet.engine.onnx_graphs import graph_of
from ssdet.engine.onnx_nms import Suppression
from ssdet.exits import RunError, UsageError
from tests.families import detectors, segmentors

BOXES = ("retinanet", "fcos", "atss", "gfl", "rtmdet", "yolox")
MASKS = ("condinst",)
PIXELS = ("fcn", "pspnet", "deeplabv3plus", "segformer")
SIZE = (96, 128)


def built(family):
    """A small model whose weights are far from equal, and the config that an export has."""
    scope, module = ("mmdet", detectors) if family in BOXES + MASKS else ("mmseg", segmentors)
    config = module.small_config(family)
    if family == "segformer":  # one layer of each kind; more of them only take longer
        config.backbone.num_layers = [1] * 4
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
        if family == "yolox":  # it takes the exponential of what is not trained here
            for layer in model.bbox_head.multi_level_conv_reg:
                layer.weight.mul_(1e-5)
    pipeline = [dict(type="Resize", scale=SIZE[::-1], keep_ratio=True)]
    plain = dict(default_scope=scope, model=config, test_pipeline=pipeline)
    meta = dict(dataset_meta=dict(classes=("a", "b", "c")))
    return Config(plain), model, dict(meta=meta, state_dict=model.state_dict())


def pictures(count=2):
    return torch.randint(0, 256, (count, 3, *SIZE), dtype=torch.uint8)


def seen_by(model, images, sample):
    """What the model's own preprocessor makes of images."""
    samples = [sample(metainfo=dict(img_shape=SIZE, ori_shape=SIZE)) for _ in images]
    data = dict(inputs=list(images), data_samples=samples)
    return model.data_preprocessor(data, False)["inputs"]


@torch.no_grad()
@pytest.mark.parametrize("family", BOXES)
def test_boxes_are_those_that_mmdetection_suppresses(family):
    _, model, _ = built(family)
    images = pictures()
    boxes, scores = graph_of(model)(images.float())
    outputs = model.bbox_head(model.extract_feat(seen_by(model, images, DetDataSample)))
    config = ConfigDict(score_thr=-1.0, nms_pre=10**9, max_per_img=10**9)
    metas = [dict(img_shape=SIZE, scale_factor=(1.0, 1.0))] * 2
    found = model.bbox_head.predict_by_feat(
        *outputs, batch_img_metas=metas, cfg=config, rescale=False, with_nms=False
    )
    for ours, theirs, expected in zip(boxes, scores, found, strict=True):
        if family == "yolox":  # which suppresses the best class of each box alone
            theirs = theirs.max(1, keepdim=True).values
        else:  # the others cut boxes off at the border
            ours = ours.clamp(min=0).minimum(torch.tensor([*SIZE[::-1], *SIZE[::-1]]))
        assert len(expected.scores) == theirs.numel()
        for index in expected.scores.argsort(descending=True)[:50]:
            column = 0 if family == "yolox" else expected.labels[index]
            gaps = (ours - expected.bboxes[index]).abs().amax(1)
            gaps += (theirs[:, column] - expected.scores[index]).abs()
            assert gaps.min() < 2e-3


@torch.no_grad()
def test_masks_are_those_of_mmdetection(monkeypatch):
    """The model itself keeps a few boxes and gives them masks; the graph has the same for each."""
    monkeypatch.setattr(onnx_masks, "CANDIDATES", 100)  # of 258 priors
    _, model, _ = built("condinst")
    images = pictures()
    boxes, scores, masks = graph_of(model)(images.float())
    assert boxes.shape == (2, 100, 4) and masks.shape == (2, 100, SIZE[0] // 4, SIZE[1] // 4)
    best = scores.amax(2)
    assert (best[:, :-1] >= best[:, 1:]).all()
    model.bbox_head.test_cfg.update(score_thr=0.0, nms=dict(type="nms", iou_threshold=0.6))
    model.bbox_head.test_cfg.update(nms_pre=10**9, max_per_img=10)
    samples = [DetDataSample(metainfo=dict(img_shape=SIZE, ori_shape=SIZE, batch_input_shape=SIZE,
                                           scale_factor=(1.0, 1.0))) for _ in images]  # fmt: skip
    features = model.extract_feat(seen_by(model, images, DetDataSample))
    found = model.bbox_head.predict(features, samples, rescale=False)
    expected = model.mask_head(features, found)[0]
    for image, (results, predicted) in enumerate(zip(found, expected, strict=True)):
        ours = boxes[image].clamp(min=0).minimum(torch.tensor([*SIZE[::-1], *SIZE[::-1]]))
        for bbox, score, label, mask in zip(
            results.bboxes, results.scores, results.labels, predicted.sigmoid(), strict=True
        ):
            gaps = (ours - bbox).abs().amax(1) + (scores[image][:, label] - score).abs()
            assert gaps.min() < 2e-3
            torch.testing.assert_close(masks[image, gaps.argmin()], mask, rtol=1e-3, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("family", PIXELS)
def test_logits_are_those_of_mmsegmentation(family):
    _, model, _ = built(family)
    images = pictures()
    expected = model.encode_decode(
        seen_by(model, images, SegDataSample), [dict(img_shape=SIZE)] * 2
    )
    logits = graph_of(model)(images.float())
    assert logits.shape == (2, segmentors.CLASSES, *SIZE)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


FAST = ("gfl", "segformer")
EVERY = [
    pytest.param(family, marks=() if family in FAST else pytest.mark.long)
    for family in (*BOXES, *MASKS, *PIXELS)
]


@pytest.mark.parametrize("family", EVERY)
def test_a_file_answers_as_the_graph_for_any_number_of_images(family, tmp_path):
    config, model, checkpoint = built(family)
    path = tmp_path / "out" / "model.onnx"
    text = export_onnx(config, checkpoint, path)
    assert "image (batch, 3, 96, 128)" in text and "differs from PyTorch by at most" in text
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]  # and no file of weights
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    images = pictures(5).float()
    with torch.no_grad():
        expected = graph_of(model)(images)
    found = session.run(None, {"image": images.numpy()})
    expected = list(expected) if isinstance(expected, tuple) else [expected]
    found = [torch.from_numpy(output) for output in found]
    found, expected = graph_of(model).matched(found, expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-3, atol=1e-2)
    facts = {prop.key: prop.value for prop in onnx.load(str(path)).metadata_props}
    assert json.loads(facts["classes"]) == ["a", "b", "c"]
    assert "BGR" in facts["input"] and facts["pad_size_divisor"] == "32"


def test_masks_are_compared_box_by_box():
    """Two programs may order equal scores otherwise, and choose another box as the last one."""
    _, model, _ = built("condinst")
    graph = graph_of(model)
    boxes, masks = torch.rand(1, 4, 4) * 50, torch.rand(1, 4, 6, 8)
    scores = torch.tensor([[[0.9, 0.0], [0.5, 0.1], [0.5, 0.1], [0.2, 0.2]]])
    order = [0, 2, 1, 3]
    for changed, gap in ((masks, 0.0), (masks + 0.25, 0.25)):
        found, expected = graph.matched(
            [boxes[:, order], scores[:, order], changed[:, order]], [boxes, scores, masks]
        )
        gaps = [float((a - b).abs().max()) for a, b in zip(found, expected, strict=True)]
        assert gaps == pytest.approx([0.0, 0.0, gap])


@pytest.mark.parametrize("fault", ["too far", "not a number"])
def test_a_file_that_answers_otherwise_is_not_kept(fault, tmp_path, monkeypatch):
    config, _, checkpoint = built("fcn")
    if fault == "too far":
        monkeypatch.setattr(onnx_export, "TOLERANCE", -1.0)
    else:
        checkpoint["state_dict"]["decode_head.conv_seg.bias"][:] = float("nan")
    with pytest.raises(Exception, match=r"differs from PyTorch by .* so it was not kept"):
        export_onnx(config, checkpoint, tmp_path / "model.onnx", (64, 64))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("family", ["faster_rcnn", "tood", "dino", "mask_rcnn"])
def test_what_cannot_be_exported_is_refused_by_name(family):
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(detectors.small_config(family))
    with pytest.raises(UsageError) as error:
        graph_of(model)
    assert type(model).__name__ in str(error.value)
    assert "RetinaHead" in str(error.value) and "SegformerHead" in str(error.value)


def test_suppression_by_hand(tmp_path):
    """Box 1 of class 0 falls to box 0, box 0 of class 1 to box 1; 0.05 is not above 0.05."""
    boxes = [[[0, 0, 10, 10], [1, 0, 10, 10], [20, 20, 30, 30], [0, 0, 10, 5]]]
    scores = [[[0.9, 0.1], [0.8, 0.6], [0.7, 0.04], [0.05, 0.05]]]
    values = {"b": np.array(boxes, np.float32), "s": np.array(scores, np.float32)}
    helper = onnx.helper
    info = {name: helper.make_tensor_value_info(name, 1, None) for name in ("b", "s")}
    outputs = [helper.make_tensor_value_info(name, 1, None) for name in ("boxes", "scores")]
    nodes = [helper.make_node("Identity", ["b"], ["boxes"]),
             helper.make_node("Identity", ["s"], ["scores"])]  # fmt: skip
    graph = helper.make_graph(nodes, "given", list(info.values()), outputs)
    suppression = Suppression(score=0.05, iou=0.5, most=10)
    suppression.append(onnx, graph)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    *given, selected = session.run(None, values)
    assert selected.tolist() == [[0, 0, 0], [0, 0, 2], [0, 1, 1]]
    suppression.check(*given, selected)
    with pytest.raises(RunError, match="selects 2 boxes and PyTorch 3"):
        suppression.check(*given, selected[:2])


def test_suppression_is_that_of_the_config():
    test = dict(score_thr=0.01, nms=dict(type="nms", iou_threshold=0.65))
    assert Suppression.of(Config(dict(model=dict(test_cfg=test)))).iou == 0.65
    for how in (None, dict(type="soft_nms", iou_threshold=0.5)):
        with pytest.raises(UsageError, match="--nms: the model's test_cfg"):
            Suppression.of(Config(dict(model=dict(test_cfg=dict(test, nms=how)))))


def test_the_size_is_the_pipelines_in_whole_strides():
    steps = [dict(type="LoadImageFromFile"), dict(type="Resize", scale=(1333, 800))]
    plain = dict(model=dict(data_preprocessor=dict(pad_size_divisor=32)), test_pipeline=steps)
    assert default_size(Config(plain)) == (800, 1344)
    with pytest.raises(UsageError, match="give --size H W"):
        default_size(Config({**plain, "test_pipeline": steps[:1]}))


def test_the_command_writes_it_and_refuses_before_it_writes(tmp_path, capsys):
    config = load_config("mean_teacher/gfl_demo.py")
    with DefaultScope.overwrite_default_scope("mmdet"):
        pair = MODELS.build(config.model)
    path = tmp_path / "run" / "checkpoints" / "iter_1.pth"
    meta = dict(dataset_meta=dict(classes=("a", "b", "c")))
    write_checkpoint(dict(state_dict=pair.state_dict(), meta=meta), path)
    config.dump(tmp_path / "run" / "config.py")
    command = ["export", str(path), "--out", str(tmp_path / "out"), "--onnx"]
    assert main([*command[:-1], "--nms"]) == 2 and "add --onnx" in capsys.readouterr().err
    assert main([*command, "--size", "64", "96", "--nms"]) == 0
    told = capsys.readouterr().out
    assert "image (batch, 3, 64, 96), BGR" in told and "-> boxes, scores, selected; " in told
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "config.py", "model.onnx", "model.pth",
    }  # fmt: skip
    assert main([*command, "--size", "64", "96"]) == 65
    assert "--force" in capsys.readouterr().err
