"""Masks with a threshold of their own: their scores by hand, and what is learned of them."""

import copy

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from ssdet.hooks import FixedThresholdHook, MaskScoreHook, QueryMaskLabelHook
from ssdet.hooks.boxes.mask_score import _with_confidence, _with_overlaps
from ssdet.teacher_student.weights import honor_weights

from ...families.detectors import initialized, small_config
from ...families.test_mask_detectors import pair as query_pair
from ...helpers import build_pair, losses, multi_branch, pseudo


def mask_scoring():
    cfg = small_config("mask_rcnn")
    cfg.type, cfg.roi_head.type = "MaskScoringRCNN", "MaskScoringRoIHead"
    cfg.roi_head.mask_iou_head = dict(
        type="MaskIoUHead", num_convs=1, num_fcs=1, in_channels=16, conv_out_channels=4,
        fc_out_channels=8, num_classes=3,
    )  # fmt: skip
    cfg.train_cfg.rcnn.mask_thr_binary = 0.5
    return two_stage(cfg)


def two_stage(cfg):
    cfg.test_cfg.rcnn.update(score_thr=0.0, max_per_img=5)
    return cfg


def pair(cfg, *hooks, **settings):
    torch.manual_seed(0)
    model = initialized(build_pair(cfg, **settings))
    for hook in hooks:
        model.attach(hook)
    return model


def with_masks(batch):
    """Each annotated box has its own area as its mask."""
    for sample in batch["data_samples"].get("sup", []):
        if sample is not None:
            boxes = sample.gt_instances.bboxes
            masks = np.zeros((len(boxes), *sample.img_shape), dtype=np.uint8)
            for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
                mask[y1:y2, x1:x2] = 1
            sample.gt_instances.masks = BitmapMasks(masks, *sample.img_shape)
    return batch


def says(model, scores, qualities):
    """The teacher finds these boxes, with masks of these qualities."""
    places = [(4, 4, 28, 28), (34, 34, 60, 60)][: len(scores)]

    def label(*_, **__):
        found = pseudo(places, scores)
        found.masks = torch.zeros(len(scores), 64, 64, dtype=torch.bool)
        for mask, (x1, y1, x2, y2) in zip(found.masks, places, strict=True):
            mask[y1:y2, x1:x2] = True
        found.mask_score = torch.tensor(qualities)
        return [found]

    model.label = label


def unsupervised(cfg, hooks, qualities):
    model = pair(cfg, *hooks)
    says(model, [0.8, 0.8], qualities)
    torch.manual_seed(5)
    found = losses(model, with_masks(multi_branch(sup=0, unsup=1)))
    return {
        key.removeprefix("unsup_"): float(sum(v) if isinstance(v, list) else v)
        for key, v in found.items()
        if "loss" in key
    }


@pytest.mark.parametrize("cfg", [mask_scoring(), two_stage(small_config("mask_rcnn"))])
def test_a_bad_mask_is_not_learned_but_its_box_is(cfg):
    """Of two boxes with 0.8, masks of 0.4 and 0.9: with 0.5, one of the masks is learned."""
    both, one, none, plain = (
        unsupervised(copy.deepcopy(cfg), hooks, [0.4, 0.9])
        for hooks in (
            [FixedThresholdHook(0.5), MaskScoreHook(mask=0.4)],
            [FixedThresholdHook(0.5), MaskScoreHook(mask=0.5)],
            [FixedThresholdHook(0.5), MaskScoreHook(mask=0.95)],
            [FixedThresholdHook(0.5)],
        )
    )
    assert both == pytest.approx(plain)
    masks = {key for key in plain if "mask" in key}
    assert masks >= {"loss_mask"} and min(plain[key] for key in masks) > 0
    for key, value in plain.items():
        assert one[key] < value if key in masks else one[key] == pytest.approx(value)
        assert none[key] == (0 if key in masks else pytest.approx(value))


def test_the_head_of_mask_scores_learns_in_proportion_to_the_weights():
    model = pair(mask_scoring())
    assert honor_weights(model.student) == []
    model = model.student
    found = {}
    for weight in (None, 1.0, 0.25):
        batch = with_masks(multi_branch(sup=2, unsup=0))
        samples = [one for one in batch["data_samples"]["sup"] if one is not None]
        for sample in samples:
            sample.set_metainfo(dict(batch_input_shape=(64, 64), pad_shape=(64, 64)))
            if weight is not None:
                sample.gt_instances.weight_mask = torch.full((1,), weight)
        torch.manual_seed(3)
        images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(4))
        found[weight] = model.loss(images, samples)
    for key in ("loss_mask", "loss_mask_iou"):
        assert found[None][key] > 0
        torch.testing.assert_close(found[1.0][key], found[None][key])
        torch.testing.assert_close(found[0.25][key], found[None][key] * 0.25)
    torch.testing.assert_close(found[0.25]["loss_bbox"], found[None]["loss_bbox"])


def test_predicted_overlaps_stay_apart_from_the_scores():
    results = [InstanceData(labels=torch.tensor([1, 0]), scores=torch.tensor([0.8, 0.5]))]
    (found,) = _with_overlaps([torch.tensor([[0.1, 0.4], [1.2, 0.3]])], results)
    assert found.scores.tolist() == pytest.approx([0.8, 0.5]), "MMDetection would say 0.32"
    assert found.mask_score.tolist() == pytest.approx([0.4, 1.0])


@pytest.mark.parametrize("activated", [False, True])
def test_the_mean_probability_inside_of_the_mask_of_the_class(activated):
    maps = torch.tensor([[[[9.0, 9.0, 9.0]], [[2.0, 1.0, -1.0]]]])
    maps = maps.sigmoid() if activated else maps
    results = [InstanceData(labels=torch.tensor([1]), scores=torch.tensor([0.8]))]
    predict = _with_confidence(lambda preds, found, **_: found)
    (found,) = predict(mask_preds=[maps], results_list=results, activate_map=activated)
    assert found.mask_score.tolist() == pytest.approx([0.8059278])


@pytest.mark.parametrize("cfg", [mask_scoring(), two_stage(small_config("mask_rcnn"))])
def test_labels_of_a_teacher_have_scores_of_masks(cfg):
    hook = MaskScoreHook(mask=0.5)
    model = pair(cfg, FixedThresholdHook(0.0), hook)
    seen = []
    model.hooks[-1].after_loss = lambda step: seen.extend(step.pseudo)
    before = set(vars(model.teacher.roi_head.mask_head))
    losses(model, with_masks(multi_branch(sup=1, unsup=2)))
    assert sum(map(len, seen)) > 0
    for boxes in seen:
        assert ((boxes.mask_score >= 0) & (boxes.mask_score <= 1)).all()
        assert torch.equal(boxes.weight_mask, (boxes.mask_score >= 0.5).float())
    assert set(vars(model.teacher.roi_head.mask_head)) == before


def test_detectors_without_such_masks_are_refused():
    for cfg in (None, small_config("faster_rcnn")):
        with pytest.raises(TypeError, match="needs a teacher with a mask head for regions"):
            build_pair(cfg).attach(MaskScoreHook())
    with pytest.raises(ValueError, match="mask=2 is not in"):
        MaskScoreHook(mask=2)


def test_mask2former_needs_the_labels_of_queries():
    model = query_pair("mask2former")
    for hook in (FixedThresholdHook(0.0), MaskScoreHook()):
        model.attach(hook)
    with pytest.raises(TypeError, match="List QueryMaskLabelHook"):
        losses(model, multi_branch(sup=0, unsup=1))
    model.attach(QueryMaskLabelHook(min_pixels=0.0))
    assert losses(model, multi_branch(sup=0, unsup=1))
