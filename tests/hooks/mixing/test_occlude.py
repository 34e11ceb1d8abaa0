"""Pseudo objects that are covered in part."""

import pytest

from ssdet.hooks import OccludeHook
from ssdet.hooks.mixing import occlude

from ...helpers import build_pair, losses, multi_branch, total
from ...seg_helpers import build_seg
from .test_erase import step_of

VIEW = "unsup_student"


@pytest.fixture
def fixed(monkeypatch):
    """Every box has a hole in its upper left part, as large as half of its sides."""

    def half(boxes, *_):
        return [(int(x1), int(y1), int((x1 + x2) / 2), int((y1 + y2) / 2))
                for x1, y1, x2, y2 in boxes.tolist()]  # fmt: skip

    monkeypatch.setattr(occlude, "holes", half)


def with_model(step):
    step.model = build_pair()
    return step


def test_a_hole_has_the_mean_color_and_the_box_stays(fixed):
    step = with_model(step_of([(0, 0, 20, 20)], []))
    OccludeHook(hidden=0.7).before_student(step)
    inputs = step.strong[VIEW].inputs
    assert not inputs[0, :, :10, :10].any() and inputs.sum() == 3 * (2 * 48 * 48 - 100)
    assert len(step.targets[VIEW][0].gt_instances) == 1
    assert step.log["occlude/holes"] == 0.5 and step.log["occlude/ignored"] == 0


def test_a_box_that_is_covered_too_far_is_ignored(fixed):
    """A quarter is covered."""
    step = with_model(step_of([(0, 0, 20, 20), (20, 20, 40, 40)]))
    OccludeHook(hidden=0.25).before_student(step)
    (sample,) = step.targets[VIEW]
    assert len(sample.gt_instances) == 0
    assert sample.ignored_instances.bboxes.tolist() == [[0, 0, 20, 20], [20, 20, 40, 40]]


def test_a_patch_comes_from_the_middle_of_an_object_of_another_image(fixed):
    step = with_model(step_of([(0, 0, 20, 20)], [(10, 10, 30, 30)]))
    step.strong[VIEW].inputs[1] = 7.0
    OccludeHook(fill="object").before_student(step)
    inputs = step.strong[VIEW].inputs
    assert (inputs[0, :, :10, :10] == 7).all() and (inputs[0, :, 10:] == 1).all()
    assert (inputs[1, :, 10:20, 10:20] == 1).all()


def test_without_another_object_the_mean_color_is_taken(fixed):
    step = with_model(step_of([(0, 0, 20, 20)], []))
    OccludeHook(fill="object").before_student(step)
    assert not step.strong[VIEW].inputs[0, :, :10, :10].any()


def test_trains_and_refuses_a_segmentor():
    model = build_pair()
    model.attach(OccludeHook(prob=1.0, fill="object"))
    total(losses(model, multi_branch())).backward()
    with pytest.raises(TypeError, match="OccludeHook: covers pseudo boxes"):
        build_seg().attach(OccludeHook())
    for wrong in (dict(prob=2), dict(size=(0.5, 0.2)), dict(fill="noise"), dict(hidden=-1)):
        with pytest.raises(ValueError, match=f"OccludeHook: {next(iter(wrong))}="):
            OccludeHook(**wrong)
