"""Thresholds measured on held-out images: what is judged right, what passes, and when."""

from types import SimpleNamespace

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from ssdet.hooks import CalibratedThresholdHook
from ssdet.hooks._parts import held_out, labeled_pass
from ssdet.hooks._parts.held_out import HeldOutFold, Judged
from ssdet.teacher_student.pseudo_boxes import HIGH, LOW, PseudoBoxes
from ssdet.teacher_student.step import PixelLabels, Step
from ssdet.testing import box_step, detector, pixel_step, segmentor

SIZE = (64, 64)
# An object of class 0, one of class 1, and a crowd.
OBJECTS, CROWD = [[0.0, 0, 10, 10], [20, 20, 40, 40]], [[40.0, 0, 64, 30]]
FOUND = {  # box, class, score: what is right of it
    "well placed": ([0, 0, 10, 10], 0, 0.9),
    "a duplicate": ([0, 0, 10, 9], 0, 0.8),
    "right, but badly placed": ([20, 20, 40, 32], 1, 0.7),
    "of another class": ([20, 20, 40, 40], 0, 0.6),
    "in the crowd": ([42, 2, 60, 20], 0, 0.95),
    "of no score": ([0, 0, 10, 10], 0, 0.04),
}


def labeled_image():
    sample = DetDataSample(metainfo=dict(img_shape=SIZE, ori_shape=SIZE, img_id=0))
    truth = dict(bboxes=torch.tensor(OBJECTS), labels=torch.tensor([0, 1]))
    sample.gt_instances = InstanceData(**truth)
    sample.ignored_instances = InstanceData(bboxes=torch.tensor(CROWD))
    return {"inputs": torch.zeros(3, *SIZE, dtype=torch.uint8), "data_samples": sample}


def finds(model, *names):
    """Let the model find these boxes in each image."""
    boxes, labels, scores = zip(*(FOUND[name] for name in names or FOUND), strict=True)

    def label(views, *args, **kwargs):
        return [
            PseudoBoxes(
                bboxes=torch.tensor(boxes, dtype=torch.float32),
                labels=torch.tensor(labels),
                scores=torch.tensor(scores),
            )
            for _ in views.samples
        ]

    model.label = label


def test_what_is_right_on_a_held_out_image():
    model = detector()
    finds(model)
    found = HeldOutFold([labeled_image()], 10).judged(model, 0)
    assert found.scores.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6]), "no crowd, no low score"
    assert found.right.tolist() == [True, False, True, False]
    assert found.placed.tolist() == [True, False, False, False]
    assert found.truths.tolist() == [1, 1, 0] and not found.pixels
    # AP of class 0: right, wrong, wrong of one object; of class 1: right.
    assert found.quality == 1.0
    finds(model, "of another class", "right, but badly placed")
    assert HeldOutFold([labeled_image()], 10).judged(model, 0).quality == 0.5


def test_what_is_right_of_pixels():
    model = segmentor()
    truth = torch.tensor([[0, 0, 1, 255]])
    said = torch.tensor([[[0, 1, 1, 1]]])
    sample = SegDataSample(metainfo=dict(img_shape=(1, 4), ori_shape=(1, 4)))
    sample.gt_sem_seg = PixelData(data=truth[None])
    scores = torch.tensor([[[0.9, 0.8, 0.7, 0.6]]])
    ones = torch.ones_like(scores)
    model.label = lambda views, *a, **k: PixelLabels(said, scores, ones, ones.bool())
    image = {"inputs": torch.zeros(3, 1, 4, dtype=torch.uint8), "data_samples": sample}
    found = HeldOutFold([image], 10).judged(model, 0)
    assert found.labels.tolist() == [0, 1, 1] and found.right.tolist() == [True, False, True]
    assert found.truths.tolist() == [2, 1, 0, 0] and found.pixels
    assert found.quality == pytest.approx((1 / 2 + 1 / 2) / 2)  # IoU of both classes


def test_two_processes_judge_as_one(monkeypatch):
    model = detector()
    finds(model)
    images = [labeled_image() for _ in range(3)]
    alone = HeldOutFold(images, 10).judged(model, 0)
    parts = []
    for gather in (lambda own: parts.append(own) or [own], lambda own: list(parts)):
        monkeypatch.setattr(held_out, "all_gather_object", gather)
        for rank in (0, 1):
            for module in (held_out, labeled_pass):
                monkeypatch.setattr(module, "get_dist_info", lambda rank=rank: (rank, 2))
            together = HeldOutFold(images, 10).judged(model, 0)
    assert len(parts) == 2 and [len(own) for own in parts] == [3, 2]  # an empty one, and images
    for name, value in vars(alone).items():
        assert torch.equal(torch.as_tensor(getattr(together, name)), torch.as_tensor(value)), name


def judged(right, labels=None, scores=None, placed=None, pixels=False):
    """Labels of falling scores, one in each image."""
    right = torch.tensor(right).bool()
    count = len(right)
    return Judged(
        torch.linspace(0.98, 0.02, count) if scores is None else torch.tensor(scores),
        torch.zeros(count, dtype=torch.long) if labels is None else torch.tensor(labels),
        right, right if placed is None else torch.tensor(placed).bool(), torch.arange(count),
        torch.tensor([count, count]), pixels,
    )  # fmt: skip


def step_of(iteration=0):
    model = detector()
    model.iteration = iteration
    return Step(model, iteration)


def test_the_threshold_is_where_the_labels_are_right_often_enough():
    """Of 100 labels the best 50 are right: above 0.3 7 of 10 are, and above 0.5 all."""
    hook = CalibratedThresholdHook(0.9, background=0.6, box_target=None, risk=0.5)
    hook.fit(step := step_of(), judged([1] * 50 + [0] * 50))
    upper, lower = hook.table["upper"][0].item(), hook.table["lower"][0].item()
    # 50 of 55 are 0.91 (score 0.456), and 50 of 83 are 0.60 (0.185); the grid has steps of 0.05.
    assert upper == pytest.approx(0.47, abs=0.03)
    assert lower == pytest.approx(0.21, abs=0.04)
    assert step.log["calibration/0/right"] == 50
    assert 50 <= step.log["calibration/0/labels"] <= 55
    # A bound is stricter than the middle, and the threshold never below its floor.
    strict = CalibratedThresholdHook(0.9, background=0.6, risk=0.01)
    strict.fit(step_of(), judged([1] * 50 + [0] * 50))
    assert strict.table["upper"][0] > upper
    easy = CalibratedThresholdHook(0.5, floor=0.4)
    easy.fit(step_of(), judged([1] * 100))
    assert easy.table["upper"][0] == pytest.approx(0.4)


def test_a_class_that_is_mostly_wrong_is_ignored_and_not_background():
    hook = CalibratedThresholdHook(0.8, background=0.3)
    labels = [0, 1] * 50
    hook.fit(step_of(), judged([1, 0] * 50, labels))
    assert hook.table["upper"][0] < 1 and hook.table["upper"][1].isinf()
    limits = hook.limits(2, torch.device("cpu"))
    assert limits.upper[1] == pytest.approx(1.01), "what is logged is finite"
    step = box_step([0.99, 0.99], labels=[0, 1])
    step.iteration = 1
    hook.fold = HeldOutFold([labeled_image()], 1)
    hook.after_teacher(step)
    assert step.pseudo[0].level.tolist() == [HIGH, LOW]


def ready(**table):
    hook = CalibratedThresholdHook()
    hook.fold, hook.fitted_at = HeldOutFold([labeled_image()], 1), 0
    hook.table = {name: torch.tensor(values) for name, values in table.items()}
    return hook


def test_what_passes_what_is_ignored_and_what_teaches_coordinates():
    hook = ready(upper=[0.5, float("inf")], lower=[0.2, 0.3], box=[0.8, 0.1])
    step = box_step([0.9, 0.5, 0.3, 0.1, 0.95, 0.2], labels=[0, 0, 0, 0, 1, 1])
    hook.after_teacher(step)
    boxes = step.pseudo[0]
    assert boxes.scores.tolist() == pytest.approx([0.9, 0.5, 0.3, 0.95])
    assert boxes.level.tolist() == [HIGH, HIGH, LOW, LOW]
    assert boxes.weight_box.tolist()[:2] == [1, 0] and boxes.weight_cls.tolist()[:2] == [1, 1]


def test_pixels_below_the_threshold_have_no_weight():
    hook = ready(upper=[0.5, 0.8])
    step = pixel_step([[0.9, 0.5, 0.4, 0.7]], labels=[[0, 0, 0, 1]])
    hook.after_teacher(step)
    assert step.pseudo.weights.tolist() == [[[1, 1, 0, 0]]]


def test_pixels_of_an_image_count_as_one():
    """A thousand pixels of two images say no more than two labels."""
    one = judged([1] * 1000, pixels=True)
    hook = CalibratedThresholdHook(0.9)
    one.images = torch.arange(1000) % 2
    hook.fit(step_of(), one)
    assert hook.table["upper"][0].isinf() and set(hook.table) == {"upper"}
    one.images = torch.arange(1000) % 100
    hook = CalibratedThresholdHook(0.9)
    hook.fit(step_of(), one)
    assert hook.table["upper"][0] < 0.9


class Fold:
    """Counts how often it is asked."""

    numbers = (0,)
    asked = 0

    def judged(self, model, moment):
        self.asked += 1
        return judged([1] * 50 + [0] * 50) if self.asked < 3 else judged([])


def test_it_is_measured_again_as_the_teacher_improves():
    hook = CalibratedThresholdHook(0.9, interval=10)
    hook.fold = fold = Fold()
    asked = []
    for iteration in (5, 6, 14, 15, 24, 25):
        step = box_step([0.9])
        step.iteration = iteration
        hook.after_teacher(step)
        asked.append(fold.asked)
    assert asked == [1, 1, 1, 2, 2, 3]
    other = CalibratedThresholdHook(0.9, interval=10)
    other.load_state_dict(hook.state_dict())
    assert other.fitted_at == 25, "a resumed run goes on counting"
    assert torch.equal(other.table["upper"], hook.table["upper"])


def test_without_held_out_images_it_does_not_train():
    hook = CalibratedThresholdHook()
    runner = SimpleNamespace(
        model=detector(), iter=0, train_dataloader=SimpleNamespace(dataset=SimpleNamespace())
    )
    hook.before_run(runner)
    with pytest.raises(ValueError, match=r"train_dataloader\.dataset\.held_out to a share"):
        hook.before_train(runner)
    with pytest.raises(RuntimeError, match="without a runner there are no held-out images"):
        hook.after_teacher(box_step([0.9]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [(dict(target=1.2), r"target=1.2 is not in \[0, 1\]"),
     (dict(target=0.5, background=0.6), "background=0.6 is above target=0.5"),
     (dict(box_target=-1), "box_target=-1 is not in"), (dict(interval=0), "interval=0 is not in")],
)  # fmt: skip
def test_refused_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        CalibratedThresholdHook(**settings)
