"""Boxes under autocast are those of float32."""

import copy

import pytest
import torch

from ssdet.teacher_student.precise_boxes import keep_boxes_precise

from ..families.detectors import build, small_config
from ..helpers import build_pair, instances, sample

HALVES = [torch.float16, torch.bfloat16]
# Sides of 300 pixels: 90,000 is no number of float16. And small ones, far from the corner.
BOXES = [
    [0, 10, 10, 310, 310],
    [0, 700, 20, 1000, 330],
    [0, 1051, 33, 1063, 51],
    [0, 1289, 7, 1299, 15],
]


def maps(head_strides, height=352, width=1344, channels=16, dtype=torch.float32):
    return tuple(
        torch.ones(1, channels, height // s, width // s, dtype=dtype) for s in head_strides
    )


def pooled_places(extractor, features, rois):
    """Which RoIs each level is asked for."""
    asked = {}
    handles = [
        layer.register_forward_hook(
            lambda _, given, __, level=level: asked.update({level: given[1]})
        )
        for level, layer in enumerate(extractor.roi_layers)
    ]
    found = extractor(features, rois)
    for handle in handles:
        handle.remove()
    return asked, found


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("role", ["student", "teacher"])
@pytest.mark.parametrize("family", ["faster_rcnn", "mask_rcnn", "cascade_rcnn"])
def test_regions_are_pooled_from_the_level_and_the_place_of_float32(family, role, dtype):
    roi_head = getattr(build_pair(small_config(family)), role).roi_head
    extractor = roi_head.bbox_roi_extractor
    extractor = extractor[-1] if family == "cascade_rcnn" else extractor
    extractors = [extractor, roi_head.mask_roi_extractor] if family == "mask_rcnn" else [extractor]
    rois = torch.tensor(BOXES, dtype=torch.float32)
    with torch.autocast("cpu", dtype=dtype):
        for own in extractors:
            expected, _ = pooled_places(own, maps((4, 8, 16, 32)), rois)
            asked, found = pooled_places(own, maps((4, 8, 16, 32), dtype=dtype), rois)
            assert expected.keys() == {0, 2}
            assert asked.keys() == expected.keys()
            for level, places in expected.items():
                assert torch.equal(asked[level].float(), places)
            assert found.dtype == dtype


def still(head):
    """The head, all of whose outputs are the bias of its last layers, in any precision."""
    for name, parameter in head.named_parameters():
        parameter.data.fill_(0.0 if name.endswith("weight") else 1 / 16)
    return head


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize(
    ("family", "strides"),
    [
        ("retinanet", (8, 16, 32, 64, 128)),
        ("fcos", (8, 16, 32, 64, 128)),
        ("gfl", (8, 16, 32, 64, 128)),
        ("rtmdet", (8, 16, 32)),
        ("yolox", (8, 16, 32)),
        ("faster_rcnn", (4, 8, 16, 32, 64)),
    ],
)
def test_dense_heads_find_boxes_as_in_float32(family, strides, dtype):
    """On an image of 1,344 pixels, where bfloat16 has one number for eight pixels."""
    teacher = build_pair(small_config(family)).eval().teacher
    head = still(teacher.rpn_head if family == "faster_rcnn" else teacher.bbox_head)
    channels = head.in_channels
    features = maps(strides, height=128, channels=channels)
    seen = [sample((128, 1344))]
    settings = dict(score_thr=0.0, nms_pre=20, nms=dict(type="nms", iou_threshold=1.0))
    head.test_cfg.update(max_per_img=500, **settings)
    with torch.no_grad():
        (expected,) = head.predict(features, seen, rescale=False)
        with torch.autocast("cpu", dtype=dtype):
            (found,) = head.predict(features, seen, rescale=False)
    assert found.bboxes.dtype == torch.float32
    assert len(found) == len(expected) > 20
    # What is left is the precision of the outputs, some pixels from the center to a side.
    torch.testing.assert_close(found.bboxes, expected.bboxes, rtol=0, atol=0.125)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("family", ["deformable_detr", "dino"])
def test_query_heads_find_boxes_as_in_float32(family, dtype):
    head = build_pair(small_config(family)).teacher.bbox_head
    torch.manual_seed(0)
    hidden = torch.randn(2, 1, 12, 16).to(dtype)
    references = [torch.rand(1, 12, 4) for _ in range(3)]
    with torch.no_grad():
        expected = head(hidden.float(), references)
        with torch.autocast("cpu", dtype=dtype):
            found = head(hidden, references)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_points_of_the_targets_are_those_of_float32(monkeypatch):
    """FCOS: the point at x = 1,028 is 1,024 in bfloat16, and every distance is off by 4."""
    head = build_pair(small_config("fcos")).student.bbox_head
    asked = []
    get_targets = head.get_targets
    monkeypatch.setattr(
        head,
        "get_targets",
        lambda points, boxes: asked.append(points) or get_targets(points, boxes),
    )
    seen = sample((128, 1344), gt=instances([(1020, 40, 1060, 80)]))
    features = maps((8, 16, 32, 64, 128), height=128)
    head.loss(features, [seen])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        head.loss(features, [seen])
    for expected, points in zip(*asked, strict=True):
        assert torch.equal(points, expected)


def test_without_autocast_nothing_changes():
    plain = build("faster_rcnn").eval()
    precise = copy.deepcopy(plain)
    keep_boxes_precise(precise)
    assert type(copy.deepcopy(precise).rpn_head) is type(precise.rpn_head)
    assert isinstance(precise.rpn_head, type(plain.rpn_head))
    assert precise.state_dict().keys() == plain.state_dict().keys()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        (expected,) = plain(image, [sample()], mode="predict")
        (found,) = precise(image, [sample()], mode="predict")
    for name, value in expected.pred_instances.items():
        assert torch.equal(found.pred_instances[name], value)
