"""Weights and soft targets of single proposals, priors and queries, against losses by hand."""

from types import SimpleNamespace

import pytest
import torch

from ssdet.teacher_student.step import Views
from ssdet.teacher_student.weights.boxes import judged_priors
from ssdet.teacher_student.weights.sparse import ProposalTargets, judged_proposals

from ..families.detectors import initialized, sample, small_config
from ..helpers import build_pair

BOXES = [(4, 4, 30, 30), (30, 20, 60, 60)]


def setting(family):
    torch.manual_seed(0)
    model = initialized(build_pair(small_config(family)))
    image = sample(BOXES)
    image.gt_instances.weight_cls = torch.ones(2)
    image.gt_instances.weight_box = torch.ones(2)
    image.set_metainfo(dict(batch_input_shape=(64, 64), pad_shape=(64, 64)))
    return model, Views(torch.randn(1, 3, 64, 64), []), image


def losses(model, views, image):
    torch.manual_seed(3)
    found = model.student_losses(views, [image.clone()])
    return {k: sum(v) if isinstance(v, list) else v for k, v in found.items()}


def test_soft_targets_and_weights_of_proposals_by_hand():
    """Three proposals, logits (0, 0), (0, 0), (2 ln 3, 0); the second is uncertain."""
    logits = torch.tensor([[0.0, 0.0], [0.0, 0.0], [2 * torch.tensor(3.0).log(), 0.0]])
    model = build_pair(small_config("faster_rcnn"))
    head = model.student.roi_head.bbox_head
    head.num_classes, head.loss_cls.use_sigmoid = 1, False
    results = [
        SimpleNamespace(
            pos_priors=torch.tensor([[0.0, 0, 10, 10]]).repeat(2, 1),
            neg_priors=torch.tensor([[20.0, 20, 30, 30]]),
            pos_gt_bboxes=torch.tensor([[0.0, 0, 10, 10]]).repeat(2, 1),
            pos_gt_labels=torch.tensor([0, 0]),
            weights=weights_of(2),
        )
    ]
    soft = torch.tensor([[0.5, 0.5], [0.25, 0.75], [0.0, 1.0]])
    told = [ProposalTargets(torch.tensor([1.0, 0.0, 1.0]), soft)]
    rois = torch.tensor([[0.0, 0, 0, 10, 10], [0, 0, 0, 10, 10], [0, 20, 20, 30, 30]])
    cfg = SimpleNamespace(pos_weight=-1)
    seen = []

    def judge(stage, given):
        seen.append(stage)
        return told

    with judged_proposals(model.student.roi_head, judge):
        found = head.loss_and_target(logits, torch.zeros(3, 4), rois, results, rcnn_train_cfg=cfg)
    # Hard: -ln 0.5 of the first, -ln 0.1 of the background, over two proposals.
    hard = (0.6931472 + 2.3025851) / 2
    assert found["loss_bbox"]["loss_cls"].item() == pytest.approx(hard, rel=1e-5)
    # Soft: the second alone (1 - weight), -0.25 ln 0.5 - 0.75 ln 0.5.
    assert found["loss_bbox"]["loss_cls_soft"].item() == pytest.approx(0.6931472, rel=1e-5)
    assert seen == [0] and "judge" not in vars(head)


def weights_of(count):
    from ssdet.teacher_student.weights.boxes import BoxWeights

    ones = torch.ones(count)
    return BoxWeights(ones, ones, 1.0, torch.zeros(0, 4))


def test_all_proposals_with_weight_one_change_nothing():
    model, views, image = setting("faster_rcnn")
    plain = losses(model, views, image)

    def judge(stage, results):
        sizes = [len(r.pos_priors) + len(r.neg_priors) for r in results]
        return [ProposalTargets(torch.ones(size)) for size in sizes]

    with judged_proposals(model.student.roi_head, judge):
        judged = losses(model, views, image)
    assert plain.keys() == judged.keys()
    for name, value in plain.items():
        assert torch.allclose(value, judged[name], rtol=1e-5), name


@pytest.mark.parametrize("family", ["retinanet", "gfl", "atss", "fcos", "dino"])
def test_weights_of_priors_multiply_the_classification_alone(family):
    model, views, image = setting(family)
    plain, shapes = losses(model, views, image), []

    def half(cls):
        shapes.append(cls.shape)
        return cls * 0.5

    with judged_priors(model.student.bbox_head, half):
        judged = losses(model, views, image)
    for name, value in plain.items():
        if "loss" not in name or "dn_" in name:
            continue
        factor = 0.5 if "cls" in name else 1.0
        assert judged[name].item() == pytest.approx(factor * value.item(), rel=1e-4), name
    assert all(shape[0] == 1 and len(shape) == 2 for shape in shapes)
    assert "judge" not in vars(model.student.bbox_head)


def test_single_priors_can_be_left_out():
    model, views, image = setting("retinanet")
    with judged_priors(model.student.bbox_head, torch.zeros_like):
        assert losses(model, views, image)["loss_cls"] == 0


def test_heads_whose_priors_cannot_be_weighed_are_refused():
    model, _, _ = setting("yolox")
    with (
        pytest.raises(TypeError, match="priors of a YOLOXHead cannot be weighted"),
        judged_priors(model.student.bbox_head, torch.zeros_like),
    ):
        pass
