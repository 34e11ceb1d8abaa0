"""Each task of a detector learns its own set of boxes."""

import pytest
import torch
from mmengine import MessageHub
from mmengine.structures import InstanceData

from ssdet.registry import MODELS
from ssdet.teacher_student.pseudo_boxes import PseudoBoxes
from ssdet.teacher_student.step import Views
from ssdet.teacher_student.task_sets import check_task_sets, has_task_subsets, members

from ..families.detectors import build, initialized, sample, small_config

BOXES = [(2, 2, 34, 34), (30, 28, 62, 62), (8, 30, 40, 60)]
SETS = dict(rpn=[True, False, True], cls=[True, True, False], box=[False, True, True])
DENSE = ("retinanet", "fcos", "atss", "gfl", "tood", "rtmdet", "yolox")


def of(boxes, rows):
    """The boxes of a set, as if there were no others."""
    return [box for box, inside in zip(boxes, rows, strict=True) if inside]


def labels_of(rows):
    return [label for label, inside in enumerate(rows) if inside]


def pair(family):
    MessageHub.get_current_instance().update_info("epoch", 4)
    cfg = small_config(family)
    if "roi_head" in cfg:
        # Enough room for everything: the samplers draw nothing, whatever was drawn before.
        stages = (
            cfg.train_cfg.rcnn if isinstance(cfg.train_cfg.rcnn, list) else [cfg.train_cfg.rcnn]
        )
        for stage in [cfg.train_cfg.rpn, *stages]:
            stage.sampler.update(num=100000, pos_fraction=0.5)
    model = MODELS.build(dict(type="TeacherStudentDetector", detector=cfg))
    return initialized(model)


def images():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def target(rows=(True,) * 3, masks=False):
    fields = dict(weight_cls=[1.0] * sum(rows), weight_box=[1.0] * sum(rows))
    return sample(of(BOXES, rows), labels_of(rows), masks=masks, **fields)


def exclude(image, task, rows):
    """Leave only these boxes of an image in the set of a task."""
    image.gt_instances = PseudoBoxes.of(image.gt_instances)
    image.gt_instances.exclude_from_task(task, ~torch.tensor(rows))


def losses(model, *targets):
    torch.manual_seed(2)
    found = model.student_losses(Views(images(), []), list(targets))
    return {k: sum(v) if isinstance(v, list) else v for k, v in found.items()}


def separate(model, masks=False):
    """Losses of an image whose tasks have different sets, beside a plain one."""
    one, other = target(masks=masks), target(masks=masks)
    for task, rows in SETS.items():
        exclude(one, task, rows)
        exclude(other, task, [True] * 3)
    return losses(model, one, other)


def plain(model, task, masks=False):
    """Losses of the same image if it had the boxes of this task alone."""
    return losses(model, target(SETS[task], masks), target(masks=masks))


def test_missing_fields_mean_all():
    image = sample(BOXES)
    assert not has_task_subsets([image])
    image.gt_instances.in_cls = torch.tensor([True, False, True])
    assert has_task_subsets([sample(BOXES), image])
    cls, box = members([image], "cls")[0], members([image], "box")[0]
    assert cls.gt_instances.labels.tolist() == [0, 2] and len(box.gt_instances) == 3
    assert len(image.gt_instances) == 3


def test_masks_are_taken_along():
    image = sample(BOXES, masks=True)
    exclude(image, "box", [False, True, False])
    (chosen,) = members([image], "box")
    assert chosen.gt_instances.masks.masks.shape == (1, 64, 64)
    assert chosen.gt_instances.masks.masks[0, 28:62, 30:62].all()


@pytest.mark.parametrize("family", ["faster_rcnn", "cascade_rcnn", "mask_rcnn"])
def test_each_loss_of_a_two_stage_detector_sees_its_set_alone(family):
    model, masks = pair(family), family == "mask_rcnn"
    found = separate(model, masks)
    alone = {task: plain(model, task, masks) for task in SETS}
    assert set(found) == set(alone["cls"])
    for name, value in found.items():
        task = "rpn" if "rpn" in name else "cls" if "cls" in name or "acc" in name else "box"
        torch.testing.assert_close(value, alone[task][name], rtol=1e-5, atol=1e-6)
    # The comparison means something: the sets give different losses.
    first = "s0." if family == "cascade_rcnn" else ""
    assert abs(alone["cls"][f"{first}loss_bbox"] - alone["box"][f"{first}loss_bbox"]) > 1e-6
    assert abs(alone["cls"][f"{first}loss_cls"] - alone["box"][f"{first}loss_cls"]) > 1e-6


@pytest.mark.parametrize("family", DENSE)
def test_each_loss_of_a_dense_detector_sees_its_set_alone(family):
    model = pair(family)
    calls = []
    model.student.bbox_head.register_forward_hook(lambda *_: calls.append(1))
    found = separate(model)
    assert len(calls) == 1  # the heads run once
    cls, box = plain(model, "cls"), plain(model, "box")
    assert set(found) == set(cls)
    for name, value in found.items():
        expected = cls if "cls" in name or "obj" in name else box
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)
    names = [name for name in found if "loss_cls" in name or "loss_bbox" in name]
    assert all(not torch.equal(cls[name], box[name]) for name in names)


@pytest.mark.parametrize("family", ["faster_rcnn", "cascade_rcnn", "mask_rcnn", "gfl"])
def test_sets_may_be_empty_and_every_parameter_is_reached(family):
    model, masks = pair(family), family == "mask_rcnn"
    image = target(masks=masks)
    for task in SETS:
        exclude(image, task, [False] * 3)
    found = losses(model, image, image)
    total = sum(value.sum() for name, value in found.items() if "loss" in name)
    total.backward()
    assert total.isfinite()
    missing = [n for n, p in model.student.named_parameters() if p.requires_grad and p.grad is None]
    assert missing == []


def test_empty_images_of_a_task_are_weak_background():
    model = pair("faster_rcnn")
    results = []
    for weight in (1.0, 0.0):
        model.empty_weight = weight
        image = target()
        exclude(image, "cls", [False] * 3)
        results.append(losses(model, image, image))
    assert results[0]["loss_cls"] > 0 and results[1]["loss_cls"] == 0
    torch.testing.assert_close(results[0]["loss_bbox"], results[1]["loss_bbox"])


@pytest.mark.parametrize("family", ["faster_rcnn", "cascade_rcnn"])
@pytest.mark.parametrize("weighted", [True, False])
def test_without_any_proposal_the_losses_are_zero_with_a_graph(family, weighted):
    model = pair(family).student
    features = model.extract_feat(images()[:1])
    image = sample([], **(dict(weight_cls=[], weight_box=[]) if weighted else {}))
    nothing = InstanceData(bboxes=torch.zeros(0, 4))
    found = model.roi_head.loss(features, [nothing], [image])
    assert any("loss_cls" in name for name in found)
    total = sum(value.sum() for name, value in found.items() if "loss" in name)
    total.backward()
    assert total == 0
    heads = [p for n, p in model.roi_head.named_parameters() if "bbox_head" in n]
    assert all(p.grad is not None for p in heads)


def test_detectors_without_separable_losses_are_refused():
    with pytest.raises(TypeError, match=r"SomeHook: .*losses of a DeformableDETR cannot be split"):
        check_task_sets("SomeHook", build("deformable_detr"))
    with pytest.raises(TypeError, match="a GFL has no RPN"):
        check_task_sets("SomeHook", build("gfl"), "rpn", "cls")
    check_task_sets("SomeHook", build("gfl"), "cls")
