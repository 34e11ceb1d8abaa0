"""The pieces behind the weights: geometry, losses, single families, what is left out by name."""

import copy

import pytest
import torch
from mmdet.models.dense_heads import RetinaHead
from mmdet.models.task_modules import BaseSampler
from mmdet.registry import MODELS, TASK_UTILS
from mmengine import MessageHub
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import nn

from ssdet.teacher_student.weights import honor_weights
from ssdet.teacher_student.weights.boxes import (
    IgnoringAssigner,
    WeighingSampler,
    covered,
    inside,
    with_box_weights,
)
from ssdet.teacher_student.weights.honor import _owned, apply_mixin
from ssdet.teacher_student.weights.losses import WeightedLoss, WeightedMaskLoss, queue_weights
from ssdet.teacher_student.weights.sparse import BBoxTargets

from ..families.detectors import build, sample, small_config

BOXES = [(2, 2, 34, 34), (30, 28, 62, 62)]


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def carrying(family):
    model = build(family)
    assert honor_weights(model) == []
    return model


def run(model, images, *samples):
    torch.manual_seed(2)
    found = model.loss(images[: len(samples)], list(samples))
    return {k: sum(v) if isinstance(v, list) else v for k, v in found.items() if "loss" in k}


# ------------------------------------------------------------------------------------- geometry


def test_a_box_is_covered_by_more_than_half():
    boxes = torch.tensor([(0, 0, 10, 10), (0, 0, 10, 10.2), (0, 0, 40, 40), (100, 0, 101, 1)])
    regions = torch.tensor([(-5, -5, 20, 5), (0, 5, 20, 30), (100, 0, 100.6, 1)])
    # 50 of 100, by both regions: not more than half. 52 of 102. 500 of 1600. 0.6 of 1.
    assert covered(boxes, regions).tolist() == [False, True, False, True]
    assert covered(boxes, regions[:0]).tolist() == [False] * 4
    assert covered(boxes[:0], regions).tolist() == []


def test_a_point_is_inside_and_not_on_the_border():
    points = torch.tensor([(5.0, 5.0), (0.0, 5.0), (10.0, 10.0), (9.9, 0.1)])
    assert inside(points, torch.tensor([(0.0, 0, 10, 10)])).tolist() == [True, False, False, True]
    assert inside(points, torch.zeros(0, 4)).tolist() == [False] * 4


# --------------------------------------------------------------------------------------- losses


def test_a_loss_multiplies_by_what_lies_ready_once():
    loss = MODELS.build(dict(type="mmdet.L1Loss"))
    apply_mixin(loss, WeightedLoss)
    pred, target = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.zeros(2, 2)
    assert loss(pred, target, avg_factor=2) == pytest.approx(5.0)
    queue_weights(loss, [torch.tensor([0.3, 1.0]), torch.tensor([0.0, 0.5])])
    # (0.3 * 3 + 7) / 2, then with weights of the head's own: (0.5 * (2 * 3 + 0 * 4)) / 2
    assert loss(pred, target, avg_factor=2) == pytest.approx(3.95)
    own = torch.tensor([[1.0, 1.0], [2.0, 0.0]])
    assert loss(pred, target, own, avg_factor=2) == pytest.approx(1.5)
    with pytest.raises(RuntimeError, match=r"L1Loss.*2 predictions and weights for \[\]"):
        loss(pred, target)
    queue_weights(loss, None)
    assert loss(pred, target, avg_factor=2) == pytest.approx(5.0)


def test_weights_of_another_number_of_predictions_are_refused():
    loss = MODELS.build(dict(type="mmdet.L1Loss"))
    apply_mixin(loss, WeightedLoss)
    queue_weights(loss, [torch.ones(3)])
    with pytest.raises(RuntimeError, match=r"2 predictions and weights for \[3\].*requirements"):
        loss(torch.ones(2, 4), torch.ones(2, 4))


def test_mask_loss_is_the_mean_over_all_masks():
    loss = MODELS.build(dict(type="mmdet.CrossEntropyLoss", use_mask=True, loss_weight=2.0))
    apply_mixin(loss, WeightedMaskLoss)
    pred = torch.zeros(2, 3, 4, 4)
    pred[0, 1], pred[1, 2] = 100.0, -100.0
    target = torch.zeros(2, 4, 4)
    target[1, :2] = 1.0
    labels = torch.tensor([1, 2])
    # Logits 100 on 16 empty pixels cost 100 each; -100 on 8 of 16 full ones cost 50 on average.
    assert loss(pred, target, labels).item() == pytest.approx(2 * (100 + 50) / 2)
    queue_weights(loss, [torch.tensor([0.3, 1.0])])
    assert loss(pred, target, labels).item() == pytest.approx(2 * (0.3 * 100 + 50) / 2)


# ------------------------------------------------------------------------------ single families


def test_tood_in_its_first_epochs(images):
    model = carrying("tood")
    MessageHub.get_current_instance().update_info("epoch", 0)
    plain = run(model, images, sample(BOXES))
    box = run(model, images, sample(BOXES, weight_box=[0.3, 0.3]))
    torch.testing.assert_close(box["loss_bbox"], plain["loss_bbox"] * 0.3)
    torch.testing.assert_close(box["loss_cls"], plain["loss_cls"])
    cls = run(model, images, sample(BOXES, weight_cls=[0.0, 0.0], background_weight=0.0))
    assert cls["loss_cls"] == 0
    torch.testing.assert_close(cls["loss_bbox"], plain["loss_bbox"])


def test_yolox_with_its_late_l1_loss(images):
    model = carrying("yolox")
    model.bbox_head.use_l1 = True
    plain = run(model, images, sample(BOXES), sample())
    half = run(model, images, sample(BOXES, weight_box=[0.5, 0.5]), sample())
    assert plain["loss_l1"] > 0
    torch.testing.assert_close(half["loss_l1"], plain["loss_l1"] * 0.5)
    torch.testing.assert_close(half["loss_obj"], plain["loss_obj"])


@pytest.mark.parametrize("family", ["faster_rcnn", "cascade_rcnn", "mask_rcnn"])
def test_proposals_of_each_image_have_its_weights(family, images):
    model = carrying(family)
    masks = family == "mask_rcnn"
    off = dict(weight_cls=[0.0, 0.0], weight_box=[0.0, 0.0], background_weight=0.0)
    rois, outputs = [], []
    heads, extractors = model.roi_head.bbox_head, model.roi_head.bbox_roi_extractor
    heads = heads if isinstance(heads, nn.ModuleList) else [heads]
    extractors = extractors if isinstance(extractors, nn.ModuleList) else [extractors]
    for head, extractor in zip(heads, extractors, strict=True):
        extractor.register_forward_hook(lambda m, i, o: rois.append(i[1]))
        head.register_forward_hook(lambda m, i, o: outputs.extend(o))
    found = run(model, images, sample(BOXES, masks=masks, **off), sample(BOXES, masks=masks))
    gradients = torch.autograd.grad(sum(v.sum() for v in found.values()), outputs)
    for stage in range(len(heads)):
        first = rois[stage][:, 0] == 0
        assert 0 < first.sum() < len(first)
        for gradient in gradients[2 * stage : 2 * stage + 2]:
            assert not gradient[first].any()
            assert gradient[~first].any()


NEAR, FAR = (0, 0, 10, 10), (100, 0, 110, 10)


@pytest.fixture(autouse=True)
def _scope():
    """MMDetection's parts find each other by name, whichever runner was there before."""
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield


def sampled(num, regions=(), **settings):
    """An object, a proposal on it, and 8 negatives of which 6 are far away, through a sampler."""
    assigner = TASK_UTILS.build(
        dict(type="mmdet.MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5)
    )
    sampler = TASK_UTILS.build(
        dict(
            type="mmdet.RandomSampler",
            num=num,
            pos_fraction=0.25,
            add_gt_as_proposals=False,
            **settings,
        )
    )
    apply_mixin(assigner, IgnoringAssigner)
    apply_mixin(sampler, WeighingSampler)
    priors = InstanceData(
        priors=torch.tensor([NEAR, *[(40, 0, 50, 10)] * 2, *[FAR] * 6], dtype=torch.float32)
    )
    (one,) = with_box_weights([sample([NEAR], ignored=regions, weight_box=[1.0])])
    return sampler.sample(assigner.assign(priors, one.gt_instances), priors, one.gt_instances)


@pytest.mark.parametrize(
    ("num", "regions", "settings", "negatives", "missing"),
    [
        (8, [], {}, 7, 0),
        (8, [FAR], {}, 2, 5),  # 7 of 8 would have been drawn
        (16, [FAR], {}, 2, 6),  # all 8
        (4, [FAR], {}, 2, 1),
        (8, [FAR], dict(neg_pos_ub=3), 2, 1),
        (8, [FAR], dict(neg_pos_ub=2), 2, 0),
        (8, [FAR, (40, 0, 50, 10)], {}, 0, 7),
    ],
)
def test_negatives_that_regions_took_away_are_counted(num, regions, settings, negatives, missing):
    found = sampled(num, regions, **settings)
    assert (len(found.pos_inds), len(found.neg_inds)) == (1, negatives)
    assert found.missing == missing


def l1_loss(num, regions):
    """loss_bbox of a head that says 0, with targets that are 1 / (0.1, 0.1, 0.2, 0.2) each."""
    head = MODELS.build(
        dict(
            type="mmdet.BBoxHead", num_classes=2, in_channels=4, roi_feat_size=1,
            loss_bbox=dict(type="L1Loss"), _scope_="mmdet",
        )
    )  # fmt: skip
    apply_mixin(head, BBoxTargets)
    apply_mixin(head.loss_bbox, WeightedLoss)
    result = sampled(num, regions)
    result.pos_priors = result.pos_priors - 5.0  # 5 of 10 pixels beside, in both directions
    count = len(result.pos_inds) + len(result.neg_inds)
    rois = torch.zeros(count, 5)
    found = head.loss_and_target(
        torch.zeros(count, 3), torch.zeros(count, 8), rois, [result], ConfigDict(pos_weight=-1)
    )
    return found["loss_bbox"]["loss_bbox"].item()


@pytest.mark.parametrize("num", [8, 16])
def test_box_losses_are_divided_as_if_no_region_was_ignored(num):
    """By hand: two distances of 0.5, in units of 0.1 each, by all 8 (of 9) proposals drawn."""
    expected = 2 * 0.5 / 0.1 / min(num, 9)
    assert l1_loss(num, []) == pytest.approx(expected)
    assert l1_loss(num, [FAR]) == pytest.approx(expected)


@pytest.mark.parametrize("family", ["faster_rcnn", "cascade_rcnn"])
def test_a_region_far_from_the_boxes_does_not_change_their_losses(family, images):
    model = carrying(family)
    for head in (model.rpn_head, model.roi_head):
        for assigner_sampler in _owned(head):
            if isinstance(assigner_sampler, BaseSampler):
                assigner_sampler.num = 4096  # all there are, or else other positives are drawn
    box = [(2, 2, 30, 30)]
    plain = run(model, images, sample(box, weight_box=[1.0]), sample(box))
    region = run(model, images, sample(box, ignored=[(0, 36, 64, 64)]), sample(box))
    names = [name for name in plain if "bbox" in name]
    assert len(names) == (2 if family == "faster_rcnn" else 4)
    for name in names:
        torch.testing.assert_close(region[name], plain[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("family", ["faster_rcnn", "cascade_rcnn"])
def test_no_negative_proposal_is_sampled_from_a_region(family, images):
    model = carrying(family)
    region = torch.tensor([(20.0, 0.0, 64.0, 64.0)])
    heads = model.roi_head.bbox_head
    seen = []
    for head in heads if isinstance(heads, nn.ModuleList) else [heads]:
        ask = head.loss_and_target
        head.loss_and_target = lambda *a, ask=ask, **k: (
            seen.extend(k["sampling_results"]) or ask(*a, **k)
        )
    run(model, images, sample(BOXES[:1]))
    assert all(covered(result.neg_priors, region).any() for result in seen)
    seen.clear()
    run(model, images, sample(BOXES[:1], ignored=region.tolist()))
    for result in seen:
        assert len(result.neg_priors)
        assert len(result.pos_priors)
        assert not covered(result.neg_priors, region).any()


@pytest.mark.parametrize("family", ["faster_rcnn", "cascade_rcnn", "mask_rcnn", "dino", "yolox"])
def test_when_all_is_ignored_the_loss_is_zero_with_a_graph(family, images):
    """No parameter without a gradient, which another process would wait for."""
    model = carrying(family)
    usual = run(model, images, sample(BOXES, masks=family == "mask_rcnn"))
    sum(v.sum() for v in usual.values()).backward()
    touched = {n for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    nothing = sample(masks=family == "mask_rcnn", ignored=[(-500, -500, 600, 600)])
    total = sum(v.sum() for v in run(model, images, nothing).values())
    assert total == 0
    total.backward()
    now = {n for n, p in model.named_parameters() if p.grad is not None}
    assert touched - now <= _plain_leaves_out(family, images)


def _plain_leaves_out(family, images):
    """Parameters that MMDetection itself gives no gradient when there is no box."""
    model = build(family)
    found = run(model, images, sample(masks=family == "mask_rcnn"))
    sum(v.sum() for v in found.values()).backward()
    return {n for n, p in model.named_parameters() if p.grad is None}


@pytest.mark.parametrize("family", ["gfl", "fcos", "yolox", "deformable_detr"])
def test_bfloat16(family, images):
    model = carrying(family)
    fields = dict(weight_cls=[0.3, 1.0], weight_box=[0.3, 0.0], ignored=[(40, 0, 60, 20)])
    with torch.autocast("cpu", torch.bfloat16):
        found = run(model, images, sample(BOXES, **fields))
    total = sum(v.sum() for v in found.values())
    total.backward()
    assert total.isfinite()
    # Of the head alone: for maps of 2x2 pixels torch 2.13 on a CPU now and then leaves gradients
    # of the neck's convolutions unwritten in bfloat16, with or without weights.
    head = model.bbox_head.parameters()
    assert all(p.grad is None or p.grad.isfinite().all() for p in head)


# ------------------------------------------------------------------- what a detector stays, after


def test_the_detector_stays_what_it_is(images):
    plain = build("faster_rcnn")
    keys, names = list(plain.state_dict()), [type(m).__name__ for m in plain.modules()]
    kinds = [type(m) for m in plain.modules()]
    honor_weights(plain)
    assert list(plain.state_dict()) == keys
    assert [type(m).__name__ for m in plain.modules()] == names
    assert all(isinstance(m, k) for m, k in zip(plain.modules(), kinds, strict=True))
    once = [type(m) for m in plain.modules()]
    assert honor_weights(plain) == []
    assert [type(m) for m in plain.modules()] == once
    double = copy.deepcopy(plain)
    fields = dict(weight_cls=[0.3, 1.0], weight_box=[0.3, 1.0])
    left = run(plain, images, sample(BOXES, **fields))
    right = run(double, images, sample(BOXES, **fields))
    assert all(torch.equal(left[k], right[k]) for k in left)


def test_the_samples_stay_what_they_are(images):
    model = carrying("retinanet")
    given = sample(BOXES, weight_cls=[0.3, 1.0], ignored=[(0, 0, 9, 9)])
    before = given.gt_instances.metainfo_keys(), given.gt_instances.keys()
    run(model, images, given)
    assert (given.gt_instances.metainfo_keys(), given.gt_instances.keys()) == before


# --------------------------------------------------------------------------------- left out


class OddRetinaHead(RetinaHead):
    """Someone's head with a loss of its own."""

    def loss_by_feat(self, cls_scores, *args, **kwargs):
        return dict(loss_odd=sum(s.sum() for s in cls_scores))


def small(family, **head):
    cfg = small_config(family)
    for key, value in head.items():
        cfg.bbox_head[key] = value
    with DefaultScope.overwrite_default_scope("mmdet"):
        return MODELS.build(cfg).train()


def test_a_head_with_its_own_loss_is_named_and_works(images):
    model = small("retinanet", type=OddRetinaHead)
    twin = copy.deepcopy(model)
    assert honor_weights(model) == ["bbox_head (OddRetinaHead)"]
    fields = dict(weight_cls=[0.3, 1.0], weight_box=[0.3, 1.0], ignored=[(0, 0, 9, 9)])
    left = run(twin, images, sample(BOXES))
    right = run(model, images, sample(BOXES, **fields))
    assert left.keys() == right.keys() == {"loss_odd"}
    assert torch.equal(left["loss_odd"], right["loss_odd"])


def test_another_family_is_named_and_works(images):
    model = small("retinanet", type="FreeAnchorRetinaHead", loss_bbox=dict(type="SmoothL1Loss"))
    assert honor_weights(model) == ["bbox_head (FreeAnchorRetinaHead)"]
    twin = copy.deepcopy(model)
    left = run(twin, images, sample(BOXES))
    right = run(model, images, sample(BOXES, weight_cls=[0.0, 0.0], weight_box=[0.0, 0.0]))
    assert all(torch.equal(left[k], right[k]) for k in left)


def test_a_loss_that_does_more_with_its_weight_is_named(images):
    model = small("retinanet", loss_cls=dict(type="GHMC"))
    assert honor_weights(model) == ["bbox_head.loss_cls (GHMC)"]
    plain = run(model, images, sample(BOXES))
    half = run(model, images, sample(BOXES, weight_cls=[0.5, 0.5], weight_box=[0.5, 0.5]))
    torch.testing.assert_close(half["loss_bbox"], plain["loss_bbox"] * 0.5)
    torch.testing.assert_close(half["loss_cls"], plain["loss_cls"])
