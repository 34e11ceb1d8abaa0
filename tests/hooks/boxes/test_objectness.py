"""The objectness of boxes: the proposal of a box, the factor of a score."""

import pytest
import torch
from mmdet.structures.bbox import bbox2roi

from ssdet.teacher_student.objectness import predicted_objectness
from ssdet.teacher_student.step import Views

from ...families.detectors import small_config
from ...helpers import build_pair, image, sample


def images():
    return torch.stack([image(), image()]).float() / 64


def labeled(detector, shown=None, needs=("objectness",)):
    torch.manual_seed(0)
    for part in ("test_cfg", "bbox_head", "roi_head"):
        keep_all(detector.get(part, {}))
    model = build_pair(detector)
    views = Views(images() if shown is None else shown, [sample(), sample()])
    for one in views.samples:
        one.set_metainfo(dict(batch_input_shape=(64, 64)))
    with torch.no_grad():
        return model, model.label(views, needs=needs)


def keep_all(cfg):
    """Boxes of fresh heads score below the usual limit."""
    for key in ("rcnn", "test_cfg"):
        if isinstance(cfg.get(key), dict):
            keep_all(cfg[key])
    if "score_thr" in cfg:
        cfg["score_thr"] = 0.0


def test_the_proposal_of_a_box_is_found():
    """The proposal with the objectness of a box decodes to exactly this box."""
    shown = images()
    model, boxes = labeled(small_config("faster_rcnn"), shown)
    teacher = model.teacher
    with torch.no_grad():
        features = teacher.extract_feat(shown)
        proposals = teacher.rpn_head.predict(features, [sample(), sample()], rescale=False)
        rois = bbox2roi([one.bboxes for one in proposals])
        deltas = teacher.roi_head._bbox_forward(features, rois)["bbox_pred"]
    head = teacher.roi_head.bbox_head
    for number, one in enumerate(boxes):
        mine = rois[:, 0] == number
        every = head.bbox_coder.decode(
            rois[mine, 1:].repeat_interleave(3, 0), deltas[mine].view(-1, 4), max_shape=(64, 64)
        ).view(-1, 3, 4)
        assert len(one) > 3
        for box, label, value in zip(one.bboxes, one.labels, one.objectness, strict=True):
            near = (proposals[number].scores - value).abs() < 1e-7
            assert (every[near, label] - box).abs().amax(1).min() < 1e-3


KNOWN = ["faster_rcnn", "cascade_rcnn", "mask_rcnn", "fcos", "atss", "yolox"]


@pytest.mark.parametrize("family", KNOWN)
def test_detectors_that_know_it(family):
    model, boxes = labeled(small_config(family))
    assert sum(map(len, boxes)) > 3
    for one in boxes:
        assert ((one.objectness >= 0) & (one.objectness <= 1)).all()
        if family in (
            "fcos",
            "atss",
            "yolox",
        ):  # the score is the probability of the class times this
            assert (one.scores <= one.objectness + 1e-6).all()
    heads = [m for n, m in model.teacher.named_modules() if n.endswith("head")]
    names = ("predict", "predict_by_feat", "_predict_by_feat_single", "_bbox_post_process")
    assert not any(name in vars(head) for head in heads for name in names)


@pytest.mark.parametrize("family", ["faster_rcnn", "mask_rcnn", "fcos", "yolox"])
def test_boxes_are_the_same_with_and_without_it(family):
    shown = images()
    _, told = labeled(small_config(family), shown)
    _, plain = labeled(small_config(family), shown, needs=())
    for one, other in zip(told, plain, strict=True):
        assert "objectness" not in other
        for name, value in other.items():
            assert torch.equal(value, one[name]), name


@pytest.mark.parametrize("family", ["gfl", "retinanet", "dino"])
def test_detectors_that_do_not(family):
    _, boxes = labeled(small_config(family))
    assert not any("objectness" in one for one in boxes)


def test_objectness_of_yolox_is_that_of_the_point():
    """Layers that say 0.2 on one level and 0.9 on the others; a score is that times the class."""
    model, _ = labeled(small_config("yolox"))
    head = model.teacher.bbox_head
    for level, (layer, value) in enumerate(
        zip(head.multi_level_conv_obj, (0.2, 0.9, 0.9), strict=True)
    ):
        layer.weight.data.zero_()
        layer.bias.data.fill_(torch.tensor(value).logit())
        classes = head.multi_level_conv_cls[level]
        classes.weight.data.zero_()
        classes.bias.data.fill_(0.0 if level else 2.0)
    views = Views(images(), [sample(), sample()])
    with torch.no_grad():
        for one in model.label(views, needs=("objectness",)):
            assert len(one)
            best = torch.where(one.objectness < 0.5, torch.tensor(2.0).sigmoid(), 0.5)
            torch.testing.assert_close(one.scores, one.objectness * best)
            near = (one.objectness - 0.2).abs() < 1e-6
            assert (near | ((one.objectness - 0.9).abs() < 1e-6)).all()


@pytest.mark.parametrize("family", ["faster_rcnn", "fcos"])
def test_soft_nms_changes_scores_and_keeps_it(family):
    cfg = small_config(family)
    soft = dict(type="soft_nms", iou_threshold=0.5)
    (cfg.test_cfg.rcnn if family == "faster_rcnn" else cfg.test_cfg).nms = soft
    _, boxes = labeled(cfg)
    assert sum(map(len, boxes)) > 3 and all("objectness" in one for one in boxes)


def test_nothing_is_left_behind_after_an_error():
    model = build_pair(small_config("fcos"))
    with pytest.raises(KeyError), predicted_objectness(model.teacher):
        raise KeyError
    assert "_bbox_post_process" not in vars(model.teacher.bbox_head)
