"""What is heard of the heads: the proposal of a box, the factor of a score."""

import pytest
import torch
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData

from ssdet.hooks._parts.objectness import Heard, heard_objectness
from ssdet.teacher_student.step import Views

from ...families.detectors import small_config
from ...helpers import build_pair, image, sample


def images():
    return torch.stack([image(), image()]).float() / 64


def heard(detector, shown=None):
    torch.manual_seed(0)
    for part in ("test_cfg", "bbox_head", "roi_head"):
        keep_all(detector.get(part, {}))
    model = build_pair(detector)
    views = Views(images() if shown is None else shown, [sample(), sample()])
    for one in views.samples:
        one.set_metainfo(dict(batch_input_shape=(64, 64)))
    with torch.no_grad(), heard_objectness(model.teacher) as found:
        boxes = model.label(views)
    return model, boxes, found


def keep_all(cfg):
    """Boxes of fresh heads score below the usual limit."""
    for key in ("rcnn", "test_cfg"):
        if isinstance(cfg.get(key), dict):
            keep_all(cfg[key])
    if "score_thr" in cfg:
        cfg["score_thr"] = 0.0


def test_a_box_takes_the_objectness_of_the_candidate_with_its_score():
    boxes = InstanceData(scores=torch.tensor([0.3, 0.8]), labels=torch.tensor([1, 0]))
    first, second = torch.tensor([[0.8, 0.1], [0.6, 0.3]]), torch.tensor([0.9, 0.2])
    [found] = Heard([first], [], [second]).of([boxes])
    assert found.tolist() == pytest.approx([0.2, 0.9])
    # The candidate of class 0 has the same score and is not meant.
    scores, labels = torch.tensor([0.3, 0.3, 0.8]), torch.tensor([0, 1, 0])
    [found] = Heard([scores], [labels], [torch.tensor([0.5, 0.6, 0.7])]).of([boxes])
    assert found.tolist() == pytest.approx([0.6, 0.7])


def test_no_boxes_and_no_candidates():
    boxes = InstanceData(scores=torch.zeros(0), labels=torch.zeros(0, dtype=torch.long))
    assert Heard([torch.zeros(0, 3)], [], [torch.zeros(0)]).of([boxes])[0].shape == (0,)
    assert Heard().of([boxes]) is None


def test_the_proposal_of_a_box_is_found():
    """The proposal with the objectness that was heard decodes to exactly this box."""
    shown = images()
    model, boxes, found = heard(small_config("faster_rcnn"), shown)
    told = found.of(boxes)
    teacher = model.teacher
    with torch.no_grad():
        features = teacher.extract_feat(shown)
        proposals = teacher.rpn_head.predict(features, [sample(), sample()], rescale=False)
        rois = bbox2roi([one.bboxes for one in proposals])
        deltas = teacher.roi_head._bbox_forward(features, rois)["bbox_pred"]
    head = teacher.roi_head.bbox_head
    for number, (one, objectness) in enumerate(zip(boxes, told, strict=True)):
        mine = rois[:, 0] == number
        every = head.bbox_coder.decode(
            rois[mine, 1:].repeat_interleave(3, 0), deltas[mine].view(-1, 4), max_shape=(64, 64)
        ).view(-1, 3, 4)
        assert len(one) > 3
        for box, label, value in zip(one.bboxes, one.labels, objectness, strict=True):
            near = (proposals[number].scores - value).abs() < 1e-7
            assert (every[near, label] - box).abs().amax(1).min() < 1e-3


@pytest.mark.parametrize("family", ["faster_rcnn", "cascade_rcnn", "mask_rcnn", "fcos", "atss"])
def test_detectors_that_know_it(family):
    model, boxes, found = heard(small_config(family))
    told = found.of(boxes)
    assert sum(map(len, boxes)) > 3 and [len(t) for t in told] == [len(b) for b in boxes]
    for one, value in zip(boxes, told, strict=True):
        assert ((value >= 0) & (value <= 1)).all()
        if family in ("fcos", "atss"):  # the score is the probability of the class times this
            assert (one.scores <= value + 1e-6).all()
    heads = [m for n, m in model.teacher.named_modules() if n.endswith("head")]
    names = ("predict", "predict_by_feat", "_bbox_post_process")
    assert not any(name in vars(head) for head in heads for name in names)


@pytest.mark.parametrize("family", ["gfl", "retinanet", "dino", "yolox"])
def test_detectors_that_do_not(family):
    _, boxes, found = heard(small_config(family))
    assert found.of(boxes) is None


def test_soft_nms_changes_scores_and_is_left_out():
    cfg = small_config("fcos")
    cfg.test_cfg.nms = dict(type="soft_nms", iou_threshold=0.5)
    model = build_pair(cfg)
    with heard_objectness(model.teacher):
        assert "_bbox_post_process" not in vars(model.teacher.bbox_head)
