"""Another model's boxes: found by image, weighed by what is measured, joined with the teacher's."""

import pytest
import torch

from ssdet.hooks import ExternalBoxesHook
from ssdet.teacher_student.pseudo_boxes import HIGH, LOW, Source
from ssdet.teacher_student.step import Step, Views

from ...helpers import build_pair, instances, pseudo, sample

PLACE, OTHER = [8.0, 8.0, 24.0, 24.0], [40.0, 40.0, 56.0, 56.0]


class Labels:
    """A data set of one list of boxes for each image: (box, label, score)."""

    def __init__(self, images, classes=(), **size):
        self.metainfo, self.size = dict(classes=classes), size
        self.images = list(images.items())

    def __len__(self):
        return len(self.images)

    def get_data_info(self, number):
        name, boxes = self.images[number]
        keys = ("bbox", "bbox_label", "score")
        found = [dict(zip(keys, b, strict=True)) for b in boxes]
        return {"img_path": name, "instances": found, **self.size}


@pytest.fixture(scope="module")
def model():
    return build_pair()


def named(name="images/a.jpg", **more):
    one = sample(**more)
    one.set_metainfo(dict(img_path=name))
    return one


def hook_of(model, *boxes, precision=None, found=None, images=None, **settings):
    """A hook whose measurements are given: precision of class 0, and what the teacher finds."""
    hook = ExternalBoxesHook(Labels(images or {"other/a.jpg": boxes}), **settings)
    hook.on_attach(model)
    if precision is not None:
        hook.counts[0, 1] = 1e6
        hook.counts[0, 0] = precision * 1e6
        hook.finds = torch.tensor([found, 1.0]) * 1e6
    return hook


def teacher(*found):
    own = pseudo(*found)
    own.source = torch.full_like(own.labels, Source.TEACHER)
    return own


def step_of(model, own, one=None):
    views = Views(torch.zeros(1, 3, 64, 64), [one or named()])
    return Step(model, 0, weak=views, pseudo=[own], dropped=[{}])


def test_boxes_of_a_resized_copy_are_refused(model):
    for size in (dict(height=64, width=64), dict(height=None, width=None)):
        hook = ExternalBoxesHook(Labels({"a.jpg": [(PLACE, 1, 0.7)]}, **size))
        hook.on_attach(model)
        hook.after_teacher(step_of(model, teacher([], [])))
    hook = ExternalBoxesHook(Labels({"a.jpg": [(PLACE, 1, 0.7)]}, height=32, width=64))
    hook.on_attach(model)
    with pytest.raises(ValueError, match=r"say that a\.jpg has 64x32 pixels.* has 64x64"):
        hook.after_teacher(step_of(model, teacher([], [])))


def test_a_reliable_box_is_learned_where_the_teacher_is_blind(model):
    hook = hook_of(model, (PLACE, 1, 0.7), precision=0.9, found=0.0)
    step = step_of(model, teacher([], []))
    hook.after_teacher(step)
    (boxes,) = step.pseudo
    assert boxes.bboxes.tolist() == [PLACE] and boxes.labels.tolist() == [1]
    assert boxes.source.tolist() == [Source.EXTERNAL] and boxes.level.tolist() == [HIGH]
    assert boxes.weight_cls.tolist() == pytest.approx([0.9], abs=1e-3)
    assert boxes.weight_box.tolist() == pytest.approx([0.9], abs=1e-3)
    assert step.log["external/kept"] == 1


def test_it_is_ignored_where_a_teacher_that_finds_all_is_silent(model):
    hook = hook_of(model, (PLACE, 1, 0.7), precision=0.9, found=1.0)
    step = step_of(model, teacher([], []))
    hook.after_teacher(step)
    assert step.pseudo[0].level.tolist() == [LOW]  # 0.9 / 2 lies between ignore and keep


def test_what_a_worthless_source_says_is_dropped(model):
    hook = hook_of(model, (PLACE, 1, 0.9), precision=0.05, found=0.0)
    step = step_of(model, teacher([OTHER], [0.9], [0]))
    hook.after_teacher(step)
    assert step.pseudo[0].bboxes.tolist() == [OTHER]
    assert step.log["external/dropped"] == 1


def test_a_box_that_the_threshold_dropped_speaks_for_it(model):
    hook = hook_of(model, (PLACE, 1, 0.7), precision=0.8, found=1.0)
    step = step_of(model, teacher([PLACE], [0.5], [1]))
    step.drop(0, torch.tensor([True]), "score")
    hook.after_teacher(step)
    assert step.pseudo[0].scores.tolist() == pytest.approx([0.65], abs=1e-3)  # (0.8 + 0.5) / 2


def test_one_object_becomes_one_box(model):
    theirs, ours = [8.0, 8.0, 28.0, 28.0], [8.0, 8.0, 24.0, 24.0]
    hook = hook_of(model, (theirs, 1, 0.7), precision=0.8, found=1.0)
    step = step_of(model, teacher([ours, OTHER], [0.8, 0.9], [1, 0]))
    hook.after_teacher(step)
    (boxes,) = step.pseudo
    assert boxes.labels.tolist() == [0, 1]
    assert boxes.bboxes[1].tolist() == pytest.approx([8.0, 8.0, 26.0, 26.0], abs=1e-2)


@pytest.mark.parametrize(("score", "label"), [(0.95, 0), (0.5, 1)])
def test_of_two_classes_at_one_place_the_more_probable_stays(model, score, label):
    hook = hook_of(model, (PLACE, 1, 0.7), precision=0.8, found=0.0)
    step = step_of(model, teacher([PLACE], [score], [0]))
    hook.after_teacher(step)
    assert step.pseudo[0].labels.tolist() == [label]


def test_an_annotation_is_never_replaced(model):
    hook = hook_of(model, (PLACE, 1, 0.7), precision=0.99, found=0.0)
    own = pseudo([PLACE], [0.1], [0])
    own.source = torch.full_like(own.labels, Source.ANNOTATION)
    step = step_of(model, own)
    hook.after_teacher(step)
    assert step.pseudo[0].labels.tolist() == [0]


def test_boxes_move_into_the_view(model):
    hook = hook_of(model, (PLACE, 1, 0.7), precision=0.9, found=0.0)
    mirrored = named(homography=[[-1, 0, 64], [0, 1, 0], [0, 0, 1]])
    step = step_of(model, teacher([], []), mirrored)
    hook.after_teacher(step)
    assert step.pseudo[0].bboxes.tolist() == [[40.0, 8.0, 56.0, 24.0]]


def labeled(model, boxes, labels, **meta):
    one = named(gt=instances(boxes, labels))
    one.set_metainfo(meta)
    return Step(model, 0, sup=Views(torch.zeros(1, 3, 64, 64), [one]))


def test_precision_is_measured_on_annotations(model):
    hook = hook_of(model, (PLACE, 1, 0.9), (OTHER, 1, 0.3), decay=1.0)
    for _ in range(100):
        hook.before_teacher(labeled(model, [PLACE], [1]))
    assert hook.precision[1, 4] > 0.95 and hook.precision[1, 1] < 0.05
    # A class without a box has what all have, a half.
    assert hook.precision[0].tolist() == pytest.approx([0.5] * 5, abs=0.05)


def test_an_image_with_gaps_measures_nothing(model):
    hook = hook_of(model, (PLACE, 1, 0.9))
    hook.before_teacher(labeled(model, [], [], exhaustive=()))
    assert hook.counts.sum() == 0


def test_without_annotations_the_teacher_is_what_it_is_compared_with(model):
    hook = hook_of(model, (PLACE, 1, 0.9), decay=1.0)
    for _ in range(100):
        hook.after_teacher(step_of(model, teacher([PLACE], [0.8], [1])))
    assert hook.precision[1, 4].item() == pytest.approx(0.8, abs=0.03)
    assert hook.found == pytest.approx(0.8, abs=0.03)


def test_classes_go_by_name(model):
    data = Labels({"a.jpg": [(PLACE, 0, 1.0), (OTHER, 1, 1.0)]}, classes=("auto", "tree"))
    hook = ExternalBoxesHook(data, classes={"auto": "car"}, prior=0.9)
    hook.on_attach(model)
    hook.class_names = ["bike", "bus", "car"]
    step = step_of(model, teacher([], []))
    hook.after_teacher(step)
    assert step.pseudo[0].labels.tolist() == [2]


@pytest.mark.parametrize(
    ("classes", "message"),
    [({}, "no class of the labels"), ({"auto": "plane"}, "'plane' is a class of neither")],
)
def test_classes_that_do_not_fit_are_refused(model, classes, message):
    hook = ExternalBoxesHook(Labels({"a.jpg": []}, classes=("auto",)), classes=classes)
    hook.on_attach(model)
    hook.class_names = ["bike", "bus", "car"]
    with pytest.raises(ValueError, match=message):
        hook._open()


def test_labels_of_other_images_are_an_error(model):
    hook = hook_of(model, images={"b.jpg": [], "c.jpg": []})
    with pytest.raises(ValueError, match=r"none of the first 200 images.*a\.jpg.*b\.jpg"):
        for _ in range(200):
            hook.after_teacher(step_of(model, teacher([], [])))


def test_settings_are_checked():
    with pytest.raises(ValueError, match=r"ignore=0\.7 is above keep=0.6"):
        ExternalBoxesHook(Labels({}), ignore=0.7)
