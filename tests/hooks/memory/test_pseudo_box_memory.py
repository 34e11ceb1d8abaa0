"""Mined boxes: when they are added, taught, checked and dropped."""

import copy
import io

import numpy as np
import pytest
import torch

from ssdet.hooks import PseudoBoxMemoryHook
from ssdet.teacher_student.pseudo_boxes import ALL_STAGES, AMBIGUOUS, HIGH, LOW, Source
from ssdet.teacher_student.step import Step, Views

from ...families.detectors import small_config
from ...helpers import build_pair, instances, losses, multi_branch, pseudo, sample
from ...seg_helpers import build_seg

A, B, C = [8, 8, 24, 24], [32, 8, 48, 24], [8, 32, 24, 48]
FLIP = np.array([[-1, 0, 64], [0, 1, 0], [0, 0, 1.0]])


def turn(
    hook, iteration, places, levels=None, scores=None, labels=None, view=None, number=0, path=None
):
    """One image of a step, with the teacher's boxes; the pseudo labels after it."""
    boxes = pseudo(places, scores or [0.9] * len(places), labels or [0] * len(places))
    if levels is not None:
        boxes.level = torch.tensor(levels)
    seen = sample() if view is None else view
    seen.set_metainfo(dict(img_id=number, **({} if path is None else dict(img_path=path))))
    weak = Views(torch.zeros(1, 3, 64, 64), [seen])
    step = Step(None, iteration, weak=weak, pseudo=[boxes], dropped=[{}])
    hook.after_teacher(step)
    return step


def stored(hook, number=0):
    return hook.images[number].boxes.tolist()


def test_high_boxes_are_mined_once_and_taught_from_then_on():
    hook = PseudoBoxMemoryHook(interval=10)
    step = turn(hook, 0, [A, B, C], [HIGH, AMBIGUOUS, LOW])
    assert stored(hook) == [A] and step.log["store/mined"] == 1
    assert len(step.pseudo[0]) == 3  # nothing was known before
    step = turn(hook, 3, [B], [HIGH], labels=[1])
    assert stored(hook) == [A]  # mined at the interval alone
    found = step.pseudo[0]
    assert found.bboxes.tolist() == [B, A] and found.labels.tolist() == [1, 0]
    assert found.level.tolist() == [HIGH, HIGH] and found.weight_cls.tolist() == [1, 1]
    turn(hook, 10, [A, B], [AMBIGUOUS, HIGH], labels=[0, 1])
    assert stored(hook) == [A, B] and hook.images[0].born.tolist() == [0, 10]
    assert turn(hook, 10, [], number=7).pseudo[0].bboxes.shape == (0, 4)
    assert len(hook.images[7]) == 0


@pytest.mark.parametrize(
    ("places", "levels", "labels", "stays"),
    [
        ([[9, 8, 24, 24]], [AMBIGUOUS], [0], True),
        ([[9, 8, 24, 24]], [LOW], [0], False),
        ([[9, 8, 24, 24]], [AMBIGUOUS], [1], False),
        ([[15, 8, 31, 24]], [HIGH], [0], False),  # IoU 9 / 23
        ([], [], [], False),
    ],
)
def test_what_the_teacher_no_longer_supports_is_dropped(places, levels, labels, stays):
    hook = PseudoBoxMemoryHook(interval=10, overlap=0.0)
    turn(hook, 0, [A], [HIGH])
    turn(hook, 9, [])
    assert stored(hook) == [A]
    step = turn(hook, 10, places, levels, labels=labels)
    assert (A in stored(hook)) == stays and step.log["store/dropped"] == (not stays)


def test_the_teachers_boxes_at_the_same_place_give_way():
    hook = PseudoBoxMemoryHook(interval=10)
    turn(hook, 0, [A], [HIGH])
    near, far = [9, 8, 24, 24], [16, 8, 32, 24]  # IoU 0.94 and 1/3
    step = turn(hook, 1, [near, far], [AMBIGUOUS, AMBIGUOUS], labels=[1, 1])
    assert step.pseudo[0].bboxes.tolist() == [far, A]
    assert len(step.dropped[0]["stored"]) == 1


def test_boxes_are_those_of_the_original_image():
    hook = PseudoBoxMemoryHook(interval=10)
    turn(hook, 0, [A], [HIGH], view=sample(homography=FLIP))
    assert stored(hook) == [[40, 8, 56, 24]]
    half = np.diag([0.5, 0.5, 1])
    step = turn(hook, 1, [], view=sample(size=(32, 32), homography=half))
    assert step.pseudo[0].bboxes.tolist() == [[20, 4, 28, 12]]


def crop(left):
    """A view of the columns from `left` on, 32 of them."""
    matrix = np.array([[1, 0, -left], [0, 1, 0], [0, 0, 1.0]])
    view = sample(size=(64, 32), homography=matrix)
    view.set_metainfo(dict(ori_shape=(64, 64)))
    return view


def test_cropped_views_neither_mine_nor_judge_what_they_cut():
    hook = PseudoBoxMemoryHook(interval=10)
    cut, whole, border = [0, 8, 8, 24], [10, 8, 20, 24], [22, 8, 32, 24]
    turn(hook, 0, [cut, whole, border], [HIGH] * 3, view=crop(32))
    # The left side of this view cuts the image, its right side is the image's own.
    assert stored(hook) == [[42, 8, 52, 24], [54, 8, 64, 24]]
    step = turn(hook, 10, [], view=crop(0))  # neither is to be seen
    assert len(stored(hook)) == 2 and len(step.pseudo[0]) == 0
    step = turn(hook, 20, [], view=crop(18))  # columns 18 to 50: 8 of 10 of the first one
    assert stored(hook) == [[54, 8, 64, 24]]


def test_the_surest_of_an_image_are_kept():
    hook = PseudoBoxMemoryHook(max_boxes=2)
    turn(hook, 0, [A, B, C], scores=[0.9, 0.99, 0.95])
    assert stored(hook) == [B, C]


def test_an_object_with_boxes_of_two_classes_is_mined_once():
    hook = PseudoBoxMemoryHook()
    turn(hook, 0, [[9, 8, 24, 24], A, B], scores=[0.9, 0.95, 0.8], labels=[1, 0, 2])
    assert stored(hook) == [A, B] and hook.images[0].labels.tolist() == [0, 2]


def test_fields_of_other_hooks_are_filled():
    hook = PseudoBoxMemoryHook(interval=10)
    turn(hook, 0, [A])
    boxes = pseudo([B], [0.9])
    boxes.spread, boxes.max_stage = torch.tensor([0.2]), torch.tensor([1])
    seen = sample()
    step = Step(None, 1, weak=Views(torch.zeros(1, 3, 64, 64), [seen]), pseudo=[boxes])
    step.dropped = [{}]
    hook.after_teacher(step)
    assert step.pseudo[0].spread.tolist() == pytest.approx([0.2, 0.0])
    assert step.pseudo[0].max_stage.tolist() == [1, ALL_STAGES], "a stored box is for all stages"
    assert step.pseudo[0].source.tolist() == [Source.ANNOTATION, Source.MEMORY]


def test_state_goes_through_a_checkpoint():
    hook = PseudoBoxMemoryHook(interval=10)
    turn(hook, 0, [A, B], [HIGH, HIGH], labels=[1, 2], number="a.jpg")
    turn(hook, 1, [], number="b.jpg")
    turn(hook, 2, [C], number=5)
    file = io.BytesIO()
    torch.save(hook.state_dict(), file)
    file.seek(0)
    other = PseudoBoxMemoryHook(interval=10)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert list(other.images) == ["a.jpg", "b.jpg", 5]
    for key, mined in hook.images.items():
        for name, value in vars(mined).items():
            assert torch.equal(
                torch.as_tensor(value), torch.as_tensor(vars(other.images[key])[name])
            )
    assert PseudoBoxMemoryHook().state_dict() == {}


def test_images_of_two_sources_with_the_same_number_are_two():
    hook = PseudoBoxMemoryHook(interval=10)
    turn(hook, 0, [A], path="one/a.jpg")
    step = turn(hook, 1, [B], path="two/b.jpg")
    assert step.pseudo[0].bboxes.tolist() == [B]
    assert turn(hook, 2, [], path="one/a.jpg").pseudo[0].bboxes.tolist() == [A]
    file = io.BytesIO()
    torch.save(hook.state_dict(), file)
    file.seek(0)
    other = PseudoBoxMemoryHook(interval=10)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert turn(other, 3, [], path="two/b.jpg").pseudo[0].bboxes.tolist() == [B]


def test_processes_learn_of_each_other(monkeypatch):
    import ssdet.hooks.memory.pseudo_box_memory as room

    mine = PseudoBoxMemoryHook()
    turn(mine, 0, [B], number=8)
    theirs = copy.deepcopy(mine.images)
    monkeypatch.setattr(room, "all_gather_object", lambda changed: [changed, theirs])
    hook = PseudoBoxMemoryHook()
    turn(hook, 0, [A])
    assert stored(hook) == [A] and stored(hook, 8) == [B]


def test_students_learn_mined_boxes():
    model = build_pair()
    hook = PseudoBoxMemoryHook()
    model.attach(hook)
    model.label = lambda views, network=None: [pseudo([A], [0.9]) for _ in views.samples]
    losses(model, multi_branch())
    model.label = lambda views, network=None: [pseudo([], []) for _ in views.samples]
    found = losses(model, multi_branch())
    assert found["pseudo/kept"] == 1 and found["unsup_loss_bbox"][0].isfinite()


def test_refusals():
    with pytest.raises(TypeError, match="works with a TeacherStudentDetector"):
        build_seg().attach(PseudoBoxMemoryHook())
    with pytest.raises(TypeError, match="stores boxes without masks, and MaskRCNN learns masks"):
        build_pair(small_config("mask_rcnn")).attach(PseudoBoxMemoryHook())
    with pytest.raises(ValueError, match="max_boxes=0"):
        PseudoBoxMemoryHook(max_boxes=0)
    nameless = sample(gt=instances([]))
    del nameless.img_id
    with pytest.raises(ValueError, match="has neither img_id nor img_path"):
        weak = Views(torch.zeros(1, 3, 64, 64), [nameless])
        PseudoBoxMemoryHook().after_teacher(Step(None, 0, weak=weak, pseudo=[pseudo([], [])]))
