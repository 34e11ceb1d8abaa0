"""Erasing in the strong view, and the boxes that it hides."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from ssdet.hooks import EraseHook
from ssdet.hooks.mixing import erase as erase_module
from ssdet.teacher_student.step import Step, Views

from ...helpers import build_pair, losses, multi_branch, pseudo, total
from ...seg_helpers import build_seg


def step_of(*boxes, size=(40, 40), pad=8, views=("unsup_student",)):
    """A step whose images are all 1, each with the given boxes, and padded by `pad`."""
    step = Step(None, 0)
    for name in views:
        samples = []
        for own in boxes:
            sample = DetDataSample(metainfo=dict(img_shape=size))
            sample.gt_instances = pseudo(own, [0.9] * len(own))
            sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
            samples.append(sample)
        inputs = torch.ones(len(boxes), 3, size[0] + pad, size[1] + pad)
        step.strong[name] = Views(inputs, samples)
        step.targets[name] = samples
    return step


def test_boxes_with_seven_tenths_erased_are_dropped(monkeypatch):
    monkeypatch.setattr(erase_module, "sample_patches", lambda *_: [(0, 0, 10, 7), (20, 0, 30, 6)])
    step = step_of([(0, 0, 10, 10), (20, 0, 30, 10), (0, 20, 10, 30)], [])
    EraseHook(hidden=0.7).before_student(step)
    first, second = step.targets["unsup_student"]
    # 0.7 erased: gone. 0.6 erased: stays. Not touched: stays.
    assert first.gt_instances.bboxes.tolist() == [[20, 0, 30, 10], [0, 20, 10, 30]]
    assert len(second.gt_instances) == 0
    assert step.log["erase/dropped"] == 0.5
    assert step.log["erase/area"] == pytest.approx(130 / 1600)
    inputs = step.strong["unsup_student"].inputs
    assert inputs[0, :, :7, :10].sum() == inputs[1, :, :6, 20:30].sum() == 0
    assert inputs.sum() == 2 * 3 * (48 * 48 - 130)


def test_each_view_and_image_is_erased_anew_inside_of_the_image():
    torch.manual_seed(0)
    step = step_of([], [], views=("unsup_student", "unsup_student_2"))
    before = [view.inputs for view in step.strong.values()]
    EraseHook(count=(3, 3), size=(0.2, 0.4)).before_student(step)
    masks = [image[0] == 0 for view in step.strong.values() for image in view.inputs]
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) == 4
    assert all(mask.any() and not mask[40:].any() and not mask[:, 40:].any() for mask in masks)
    assert all((inputs == 1).all() for inputs in before), "what came is not written to"


def test_nothing_is_erased_with_no_patches():
    step = step_of([(0, 0, 10, 10)])
    EraseHook(count=(0, 0)).before_student(step)
    assert (step.strong["unsup_student"].inputs == 1).all()
    assert len(step.targets["unsup_student"][0].gt_instances) == 1


def test_trains_and_refuses_a_segmentor():
    model = build_pair()
    model.attach(EraseHook(count=(5, 5), size=(0.5, 0.9), hidden=0.3))
    found = losses(model, multi_branch())
    assert found["erase/dropped"] > 0
    total(found).backward()
    with pytest.raises(TypeError, match=r"EraseHook: .*not with a TeacherStudentSegmentor"):
        build_seg().attach(EraseHook())


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (dict(count=(3, 1)), r"count=\(3, 1\)"),
        (dict(size=(0.0, 1.5)), "high <= 1"),
        (dict(size=(0.1,)), "size="),
        (dict(hidden=1.5), "hidden=1.5"),
    ],
)
def test_settings_are_checked_when_built(setting, says):
    with pytest.raises(ValueError, match=f"EraseHook: .*{says}|EraseHook: {says}"):
        EraseHook(**setting)
