"""The head of Unbiased Teacher v2: its outputs, what it learns, and how its boxes are ranked."""

import pytest
import torch
from mmengine.structures import InstanceData

from ssdet.losses import sides_likelihood
from ssdet.models.uncertain_fcos import Listening

from ..families.detectors import initialized, small_config
from ..helpers import build_pair
from .test_fcos_heads import META, annotated, maps


@pytest.fixture(scope="module")
def student():
    cfg = small_config("fcos")
    cfg.bbox_head.update(type="UncertainFCOSHead", reg_max=4, loss_bbox=dict(type="GIoULoss"))
    return initialized(build_pair(cfg)).student


@pytest.fixture
def head(student):
    yield student.bbox_head
    student.bbox_head.listening = student.bbox_head.rankings = None


def features(head, size=64):
    return [torch.rand(1, 16, size // s, size // s) for s in (8, 16, 32)] + [
        torch.rand(1, 16, 1, 1),
        torch.rand(1, 16, 1, 1),
    ]


def test_distances_are_strides_in_training_and_pixels_in_eval_mode(head):
    seen = features(head)
    with torch.no_grad():
        training = head.train()(seen)
        testing = head.eval()(seen)
    head.train()
    assert [len(part) for part in training] == [5, 5, 5, 5]
    for level, stride in enumerate(head.strides):
        assert training[1][level].shape[1] == training[3][level].shape[1] == 4
        assert training[1][level].min() >= 0 and training[1][level].max() <= 4
        assert torch.allclose(testing[1][level], training[1][level] * stride)


def test_annotated_boxes_teach_the_deviations(head):
    """Four cells have distances of 4 and 12 pixels to the sides, 0.5 and 1.5 strides; 1 is said."""
    given = (maps(3), maps(4, 1.0), maps(1), maps(4, -1.0))
    found = head.loss_by_feat(*given, [annotated()], [META], None)
    plain = head.loss_by_feat(*given[:3], maps(4, 0.0), [annotated()], [META], None)
    overlap = 144 / (2 * 256 - 144)
    errors = torch.full((1, 4), 0.5)
    least, sure = (sides_likelihood(errors, torch.full((1, 4), d)).item() for d in (0.0, -1.0))
    difference = found["loss_bbox"].item() - plain["loss_bbox"].item()
    assert difference == pytest.approx(0.05 * overlap * (sure - least), rel=1e-4)


def told(logits):
    """A pseudo box of which the teacher has said how unsure it is of its sides."""
    boxes = annotated(
        weight_cls=torch.ones(1), weight_box=torch.ones(1), side_logits=torch.tensor([logits])
    )
    boxes.set_metainfo(dict(ignore_regions=torch.zeros(0, 4), background_weight=1.0))
    return boxes


def test_pseudo_boxes_teach_the_sides_of_which_the_teacher_is_surer(head):
    """The error is 0.5 strides on each side; left and top are chosen, at all four cells."""
    head.listening = Listening(margin=0.1, least=0.8, weight=3.0)
    given = [maps(3), maps(4, 1.0), maps(1), maps(4, -1.0)]
    for level in (*given[1], *given[3]):
        level.requires_grad_()
    found = head.loss_by_feat(*given, [told([-2.0, -2.0, -1.5, 0.0])], [META], None)
    assert found["loss_bbox"].item() == pytest.approx(3 * 0.5)
    assert head.heard[0].item() == 8 and head.heard[1] == 16
    found["loss_bbox"].backward()
    moved = given[1][0].grad[0].abs().sum((1, 2))
    assert (moved > 0).tolist() == [True, True, False, False]
    assert given[3][0].grad.abs().sum() == 0  # pseudo boxes teach no deviation
    nobody = head.loss_by_feat(*given, [told([0.0] * 4)], [META], None)
    assert nobody["loss_bbox"].item() == 0


def test_a_batch_in_which_an_image_has_no_box(head):
    head.listening = Listening(margin=0.1, least=0.8, weight=1.0)
    empty = told([0.0] * 4)[torch.zeros(1, dtype=torch.bool)]
    two = [[torch.cat([level, level]) for level in one] for one in
           (maps(3), maps(4, 1.0), maps(1), maps(4, -1.0))]  # fmt: skip
    both = head.loss_by_feat(*two, [empty, told([-3.0] * 4)], [META, META], None)
    assert both["loss_bbox"].item() == pytest.approx(0.5)
    none = head.loss_by_feat(*two, [empty, empty], [META, META], None)
    assert none["loss_bbox"].item() == none["loss_centerness"].item() == 0


def test_each_ranking_gives_a_set_of_boxes(head):
    """The same box at two places: one with the better class, one with the surer sides."""
    logits = maps(3, -9.0)
    logits[0][0, 1, 0, 0], logits[0][0, 1, 0, 1] = 2.0, 1.0
    distances, centers, sides = maps(4, 0.0), maps(1, 0.0), maps(4, 0.0)
    distances[0][0, :, 0, 0] = torch.tensor([4.0, 4.0, 12.0, 12.0])
    distances[0][0, :, 0, 1] = torch.tensor([12.0, 4.0, 4.0, 12.0])
    sides[0][0, :, 0, 0], sides[0][0, :, 0, 1] = 2.0, -4.0
    given = dict(batch_img_metas=[dict(**META, scale_factor=(1.0, 1.0))], rescale=False)
    (plain,) = head.predict_by_feat(logits, distances, centers, sides, **given)
    assert len(plain) == 1 and "side_logits" not in plain
    p, q = torch.tensor([2.0, 1.0]).sigmoid().tolist()
    assert plain.scores.item() == pytest.approx((p * 0.5) ** 0.5)
    head.rankings = {"cls": "cls", "box": "cls_certainty"}
    (found,) = head.predict_by_feat(logits, distances, centers, sides, **given)
    assert found.in_cls.tolist() == [True, False] and found.in_box.tolist() == [False, True]
    sure = torch.tensor(4.0).sigmoid().item()
    assert found.scores.tolist() == pytest.approx([p, (q * sure) ** 0.5])
    assert found.side_logits.tolist() == [[2.0] * 4, [-4.0] * 4]
    assert torch.equal(found.bboxes[0], found.bboxes[1])


def test_no_object_gives_zeros_with_a_graph(head):
    nothing = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    given = [maps(3), maps(4), maps(1), maps(4)]
    for level in given[3]:
        level.requires_grad_()
    found = head.loss_by_feat(*given, [nothing], [META], None)
    sum(found.values()).backward()
    assert found["loss_bbox"].item() == 0 and given[3][0].grad is not None
