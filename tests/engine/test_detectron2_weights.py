"""Weights of Detectron2 under the names of MMDetection."""

import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict

from ssdet.engine.detectron2_weights import classes_of, read_weights, renamed, with_classes
from ssdet.exits import CheckpointError
from ssdet.registry import MODELS

from ..families.detectors import small_config

STATISTICS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
# As the log of U2Seg prints the model, and what each part is in MMDetection.
BY_HAND = {
    "backbone.bottom_up.stem.conv1.weight": "backbone.conv1.weight",
    "backbone.bottom_up.stem.conv1.norm.running_mean": "backbone.bn1.running_mean",
    "backbone.bottom_up.res2.0.shortcut.weight": "backbone.layer1.0.downsample.0.weight",
    "backbone.bottom_up.res2.0.shortcut.norm.bias": "backbone.layer1.0.downsample.1.bias",
    "backbone.bottom_up.res4.5.conv3.weight": "backbone.layer3.5.conv3.weight",
    "backbone.bottom_up.res5.2.conv2.norm.weight": "backbone.layer4.2.bn2.weight",
    "stem.conv1.weight": "backbone.conv1.weight",
    "res5.2.conv2.norm.running_var": "backbone.layer4.2.bn2.running_var",
    "backbone.fpn_lateral2.weight": "neck.lateral_convs.0.conv.weight",
    "backbone.fpn_lateral5.norm.weight": "neck.lateral_convs.3.bn.weight",
    "backbone.fpn_output3.bias": "neck.fpn_convs.1.conv.bias",
    "backbone.fpn_output3.norm.bias": "neck.fpn_convs.1.bn.bias",
    "proposal_generator.rpn_head.conv.weight": "rpn_head.rpn_conv.weight",
    "proposal_generator.rpn_head.objectness_logits.bias": "rpn_head.rpn_cls.bias",
    "proposal_generator.rpn_head.anchor_deltas.weight": "rpn_head.rpn_reg.weight",
    "roi_heads.box_head.fc1.weight": "roi_head.bbox_head.shared_fcs.0.weight",
    "roi_heads.box_head.2.fc2.bias": "roi_head.bbox_head.2.shared_fcs.1.bias",
    "roi_heads.box_predictor.cls_score.weight": "roi_head.bbox_head.fc_cls.weight",
    "roi_heads.box_predictor.1.bbox_pred.bias": "roi_head.bbox_head.1.fc_reg.bias",
    "roi_heads.mask_head.mask_fcn4.weight": "roi_head.mask_head.convs.3.conv.weight",
    "roi_heads.mask_head.deconv.weight": "roi_head.mask_head.upsample.weight",
    "roi_heads.mask_head.predictor.bias": "roi_head.mask_head.conv_logits.bias",
}
NO_PLACE = [
    "sem_seg_head.p2.0.weight",
    "proposal_generator.rpn_head.conv.conv0.weight",  # of a deeper one, which MMDetection lacks
    "backbone.top_block.p6.weight",
    "pixel_mean",
]


@pytest.mark.parametrize("name", BY_HAND)
def test_a_name_by_hand(name):
    found, left = renamed({name: torch.ones(1)})
    assert list(found) == [BY_HAND[name]] and left == []


def test_what_has_no_place_is_named():
    found, left = renamed(dict.fromkeys(NO_PLACE, torch.ones(1)))
    assert found == {} and left == NO_PLACE


def listed(cascade=True):
    """The names of a Cascade or Faster R-CNN of Detectron2 with a ResNet-18, and batch norm."""
    trunk = "backbone.bottom_up."
    convs = [f"{trunk}stem.conv1"]
    for stage in (2, 3, 4, 5):
        for block in (0, 1):
            convs += [f"{trunk}res{stage}.{block}.conv{number}" for number in (1, 2)]
        convs += [f"{trunk}res{stage}.0.shortcut"] if stage > 2 else []
    convs += [f"backbone.fpn_{kind}{n}" for kind in ("lateral", "output") for n in (2, 3, 4, 5)]
    names = [f"{conv}.weight" for conv in convs]
    names += [f"{conv}.norm.{value}" for conv in convs for value in STATISTICS]
    layers = [f"proposal_generator.rpn_head.{own}"
              for own in ("conv", "objectness_logits", "anchor_deltas")]  # fmt: skip
    for stage in ("0.", "1.", "2.") if cascade else ("",):
        layers += [f"roi_heads.box_head.{stage}fc{number}" for number in (1, 2)]
        layers += [f"roi_heads.box_predictor.{stage}{own}" for own in ("cls_score", "bbox_pred")]
    return names + [f"{layer}.{value}" for layer in layers for value in ("weight", "bias")]


@pytest.mark.parametrize("family", ["cascade_rcnn", "faster_rcnn"])
def test_every_tensor_of_a_detector_gets_a_name(family):
    cfg = small_config(family)
    cfg.neck.norm_cfg = ConfigDict(type="BN")
    model = MODELS.build(dict(cfg, _scope_="mmdet"))
    names = listed(cascade=family == "cascade_rcnn")
    found, left = renamed(dict.fromkeys(names, torch.ones(1)))
    assert left == [] and set(found) == set(model.state_dict()) and len(found) == len(names)


def test_each_stage_of_a_cascade_gets_the_mask_head():
    weights = {f"roi_heads.box_head.{stage}.fc1.bias": torch.ones(2) for stage in range(3)}
    weights["roi_heads.mask_head.deconv.bias"] = torch.arange(2)
    found, _ = renamed(weights)
    for stage in range(3):
        assert found[f"roi_head.mask_head.{stage}.upsample.bias"].tolist() == [0, 1]


def rows(*values):
    return torch.tensor([[float(value)] for value in values])


HEAD = {
    "roi_head.bbox_head.fc_cls.weight": rows(1, 2, 4, 9),  # three classes and the background
    "roi_head.bbox_head.fc_cls.bias": torch.tensor([0.0, 1.0, 2.0, 3.0]),
    "roi_head.bbox_head.fc_reg.weight": rows(*range(12)),
    "roi_head.mask_head.conv_logits.bias": torch.tensor([5.0, 6.0, 7.0]),
    "neck.fpn_convs.0.conv.bias": torch.ones(3),
}


def test_clusters_become_classes():
    """Class 0 is cluster 2; class 1 the mean of 0 and 2; nothing is class 2: the mean of all."""
    found = with_classes(HEAD, [[2], [0, 2], []])
    box = "roi_head.bbox_head."
    torch.testing.assert_close(found[f"{box}fc_cls.weight"], rows(4, 2.5, 7 / 3, 9))
    assert found[f"{box}fc_cls.bias"].tolist() == [2, 1, 1, 3]
    assert found[f"{box}fc_reg.weight"].flatten().tolist() == [8, 9, 10, 11, 4, 5, 6, 7, 4, 5, 6, 7]
    assert found["roi_head.mask_head.conv_logits.bias"].tolist() == [7, 6, 6]
    assert found["neck.fpn_convs.0.conv.bias"].equal(HEAD["neck.fpn_convs.0.conv.bias"])


def test_boxes_that_do_not_differ_by_class_stay():
    head = {**HEAD, "roi_head.bbox_head.fc_reg.weight": rows(0, 1, 2, 3)}
    found = with_classes(head, [[2]])
    assert found["roi_head.bbox_head.fc_reg.weight"].flatten().tolist() == [0, 1, 2, 3]
    assert classes_of(found) == 1


def test_clusters_that_are_not_there():
    with pytest.raises(CheckpointError, match=r"classes \[3, 7\] are none of the 3"):
        with_classes(HEAD, [[3, 0], [7]])
    with pytest.raises(CheckpointError, match="no box head"):
        with_classes({"backbone.conv1.weight": torch.ones(1)}, [[0]])


def test_a_pickle_of_arrays_is_read(tmp_path):
    path = tmp_path / "weights.pkl"
    arrays = {"stem.conv1.weight": np.arange(3.0, dtype=np.float32)}
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "x"}, protocol=2))
    found = read_weights(path)
    assert found["stem.conv1.weight"].tolist() == [0, 1, 2]


class Harmful:
    def __reduce__(self):
        return (os.mkdir, ("made",))


def test_a_pickle_with_code_is_refused_before_it_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("weights.pkl", "weights.pth"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps({"model": Harmful()}, protocol=2))
        with pytest.raises(CheckpointError, match="could run code"):
            read_weights(path)
    assert not (tmp_path / "made").exists()


def test_files_without_tensors(tmp_path):
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps({"model": {"a": 1}}))
    with pytest.raises(CheckpointError, match="holds no tensors"):
        read_weights(path)
    path.write_bytes(b"no pickle")
    with pytest.raises(CheckpointError, match="cannot be read as a pickle"):
        read_weights(path)
