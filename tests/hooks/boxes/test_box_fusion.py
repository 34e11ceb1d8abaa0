"""Pseudo boxes that several orientations agree on."""

import pytest
import torch

from ssdet.hooks import BoxFusionHook, DualThresholdHook, FixedThresholdHook
from ssdet.mixing import ORIENTATIONS
from ssdet.teacher_student.pseudo_boxes import AMBIGUOUS, HIGH
from ssdet.teacher_student.step import Step, Views

from ...families.detectors import small_config
from ...helpers import build_pair, losses, multi_branch, pseudo, sample, total
from ...seg_helpers import build_seg
from .test_box_hooks import run


def finds_bright(score):
    """A teacher that draws a box around what is bright, as sure as `score` says of the shape."""

    def label(views, network=None):
        found = []
        for image, seen in zip(views.inputs, views.samples, strict=True):
            rows, columns = (image[0] > 0.5).nonzero().unbind(1)
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            found.append(pseudo([[float(side) for side in box]], [score(seen.img_shape)]))
        return found

    return label


def step_of(model, views):
    return Step(model, 0, weak=views, pseudo=model.label(views), dropped=[{}])


def bright_views():
    views = Views(torch.zeros(1, 3, 32, 64), [sample((20, 40))])
    views.inputs[0, :, 4:8, 30:36] = 1
    return views


def test_a_teacher_that_is_sure_of_where_things_are_is_not_changed():
    model = build_pair()
    hook = BoxFusionHook(ORIENTATIONS)
    model.attach(hook)
    model.label = finds_bright(lambda shape: 0.9 if shape[0] < shape[1] else 0.3)
    step = step_of(model, bright_views())
    hook.after_teacher(step)
    (fused,) = step.pseudo
    assert fused.bboxes[0].tolist() == pytest.approx([30, 4, 36, 8])
    assert fused.scores.tolist() == pytest.approx([0.7])  # four of 0.9, two quarter turns of 0.3
    assert step.log["fusion/found"] == step.log["fusion/fused"] == 1


def test_what_one_view_saw_counts_half():
    model = build_pair()
    hook = BoxFusionHook(("identity", "hflip"))
    model.attach(hook)
    answers = iter(
        [
            [pseudo([[0, 0, 10, 10], [30, 0, 40, 10]], [0.9, 0.8])],
            [pseudo([[30, 0, 40, 12]], [0.3])],  # mirrored: 0 to 10
        ]
    )
    model.label = lambda views, network=None: next(answers)
    step = step_of(model, bright_views())
    hook.after_teacher(step)
    (fused,) = step.pseudo
    assert fused.scores.tolist() == pytest.approx([0.6, 0.4])
    assert fused.bboxes.flatten().tolist() == pytest.approx([0, 0, 10, 10.5, 30, 0, 40, 10])


def test_objectness_is_fused_like_the_boxes_and_decides_on_their_level():
    """By hand: (0.9 * 0.9 + 0.3 * 0.5) / 1.2 = 0.8 for the first object, 0.6 for the second."""
    model = build_pair()
    fusion, dual = BoxFusionHook(("identity", "hflip")), DualThresholdHook()
    dual.table = {"confidence": torch.tensor([[0.5, 0.3]] * 3)}
    dual.table["objectness"] = torch.tensor([[0.75, 0.5]] * 3)
    dual.fitted_at = 0
    for hook in (dual, fusion):
        model.attach(hook)
    first = pseudo([[0, 0, 10, 10], [20, 0, 30, 10]], [0.9, 0.8])
    second = pseudo([[30, 0, 40, 10], [10, 0, 20, 10]], [0.3, 0.8])  # mirrored
    first.objectness, second.objectness = torch.tensor([0.9, 0.4]), torch.tensor([0.5, 0.8])
    answers = iter([[first], [second]])
    model.label = lambda views, network=None, needs=None: next(answers)
    step = step_of(model, bright_views())
    for hook in model.hooks:
        hook.after_teacher(step)
    (fused,) = step.pseudo
    assert model.hooks == [fusion, dual] and model.needs >= {"objectness"}
    assert fused.bboxes[:, 0].tolist() == pytest.approx([20, 0])  # the surest one first
    assert fused.scores.tolist() == pytest.approx([0.8, 0.6])
    assert fused.objectness.tolist() == pytest.approx([0.6, 0.8])
    assert fused.level.tolist() == [AMBIGUOUS, HIGH]
    assert fused.weight_cls.tolist() == pytest.approx([0.8 * 0.6, 1.0])


@pytest.mark.parametrize("family", ["faster_rcnn", "fcos"])
def test_objectness_of_a_real_detector_lies_between_those_of_its_views(family):
    cfg = small_config(family)
    (cfg.test_cfg.rcnn if family == "faster_rcnn" else cfg.test_cfg).score_thr = 0.0
    hook = BoxFusionHook(("identity", "hflip"), min_iou=0.5)
    hook.needs = frozenset({"objectness"})
    _, step, _ = run(family, hook, unsup=2, cfg=cfg)
    for fused in step.pseudo:
        assert len(fused) > 0
        assert ((fused.objectness >= 0) & (fused.objectness <= 1)).all()


def test_sizes_are_views_too():
    model = build_pair()
    hook = BoxFusionHook(("identity",), scales=(0.5, 2.0))
    model.attach(hook)

    def label(views, network=None):
        found = finds_bright(lambda shape: {10: 0.3, 20: 0.6, 40: 0.9}[shape[0]])(views)
        for boxes, image, seen in zip(found, views.inputs, views.samples, strict=True):
            boxes.masks = image[:1, : seen.img_shape[0], : seen.img_shape[1]] > 0.5
        return found

    model.label = label
    step = step_of(model, bright_views())
    hook.after_teacher(step)
    (fused,) = step.pseudo
    assert fused.scores.tolist() == pytest.approx([0.6])
    assert fused.bboxes[0].tolist() == pytest.approx([30, 4, 36, 8])
    assert torch.equal(fused.masks[0], bright_views().inputs[0, 0, :20, :40] > 0)


def test_masks_are_those_of_the_surest_view():
    model = build_pair()
    hook = BoxFusionHook(("identity", "rot180"))
    model.attach(hook)

    def label(views, network=None):
        (found,) = finds_bright(lambda shape: 0.5)(views)
        found.scores += 0.4 * float(views.inputs[0, 0, 0, 0] == 1)  # the turned view is surer
        found.masks = (views.inputs[:, 0] > 0)[:, :20, :40]
        return [found]

    model.label = label
    views = bright_views()
    views.inputs[0, 1, 19, 39] = views.inputs[0, 0, 19, 39] = 1  # the corner that comes first
    step = step_of(model, views)
    hook.after_teacher(step)
    (fused,) = step.pseudo
    assert fused.scores.tolist() == pytest.approx([0.7])
    assert torch.equal(fused.masks[0], views.inputs[0, 0, :20, :40] > 0)


@pytest.mark.parametrize("family", ["retinanet", "faster_rcnn", "mask_rcnn", "deformable_detr"])
def test_detectors_learn_from_it(family):
    cfg = small_config(family)
    if family == "retinanet":
        cfg.test_cfg.score_thr = 0.0  # at first it is sure of nothing
    hook = BoxFusionHook(("identity", "hflip", "rot90"))
    found, step, _ = run(family, hook, unsup=2, cfg=cfg)
    assert torch.isfinite(total(found)) and found["fusion/fused"] > 0
    assert step.pseudo[0].scores.diff().max() <= 0  # the surest one first, as a detector says it


def test_a_teacher_without_anything_to_say():
    model = build_pair()
    model.attach(BoxFusionHook())
    model.attach(FixedThresholdHook(0.5))
    model.label = lambda views, network=None: [pseudo([], []) for _ in views.samples]
    found = losses(model, multi_branch())
    assert found["unsup_loss"] == 0 and found["fusion/fused"] == 0


@pytest.mark.parametrize(
    ("views", "says"),
    [
        (("identity",), "at least one more"),
        (("hflip", "vflip"), "give views='identity' and"),
        (("identity", "hflip", "hflip"), "each once"),
        (("identity", "turn"), "views='turn'"),
    ],
)
def test_views_are_checked(views, says):
    with pytest.raises(ValueError, match=f"BoxFusionHook: .*{says}"):
        BoxFusionHook(views)


@pytest.mark.parametrize("scales", [(1.0,), (0.8, 0.8)])
def test_a_size_that_was_seen_is_refused(scales):
    with pytest.raises(ValueError, match=r"BoxFusionHook: .* repeat a size"):
        BoxFusionHook(scales=scales)


def test_it_acts_before_a_threshold_that_is_listed_first():
    model, threshold, fusion = build_pair(), FixedThresholdHook(0.5), BoxFusionHook()
    model.attach(threshold)
    model.attach(fusion)
    assert model.hooks == [fusion, threshold]


def test_segmentors_are_refused():
    with pytest.raises(TypeError, match="BoxFusionHook: fuses boxes"):
        build_seg().attach(BoxFusionHook())
    with pytest.raises(ValueError, match="min_iou=2"):
        BoxFusionHook(min_iou=2)
    with pytest.raises(ValueError, match="BoxFusionHook: scales=20"):
        BoxFusionHook(scales=(20,))
