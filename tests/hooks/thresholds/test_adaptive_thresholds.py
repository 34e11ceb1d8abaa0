"""What each adaptive threshold does, with numbers worked out by hand."""

import pytest
import torch
from mmengine.registry import DefaultScope

from ssdet.datasets import DigitScenes, LabeledUnlabeledDataset
from ssdet.hooks import (
    CorrelationThresholdHook,
    GMMThresholdHook,
    LabelDistributionThresholdHook,
    QuantileThresholdHook,
)
from ssdet.hooks._parts import score_history
from ssdet.hooks._parts.score_history import gathered
from ssdet.teacher_student.pseudo_boxes import LOW
from ssdet.teacher_student.step import PixelLabels, Step

from ...helpers import build_pair, losses, multi_branch, pseudo


class Model:
    num_classes, burn_in = 2, 0


def boxes(scores, labels=None):
    labels = [0] * len(scores) if labels is None else labels
    return pseudo([[0, 0, 9, 9]] * len(scores), scores, labels or None)


def run(hook, labels, iteration=0):
    hook.num_classes = 2
    step = Step(model=Model(), iteration=iteration, pseudo=labels, unsup_weight=2.0)
    step.dropped = [{} for _ in range(len(labels))]
    hook.after_teacher(step)
    return step


def kept(step):
    return [pytest.approx(one.scores.tolist()) for one in step.pseudo]


# ---------------------------------------------------------------------- GMM


def test_as_many_boxes_as_their_scores_promise_before_the_mixture_sees_them():
    # 0.9 + 0.8 + 0.3 + 0.1 = 2.1: the ranks 0, 1 and 2. The second image: 0.2 gives n = 0.
    hook = GMMThresholdHook(count_ratio=1.0)
    step = run(hook, [boxes([0.1, 0.9, 0.3, 0.8]), boxes([0.05, 0.15])])
    assert [one["count"].scores.tolist() for one in step.dropped] == [
        pytest.approx([0.1]),
        pytest.approx([0.05]),
    ]
    assert hook.history.queue[0, :5].tolist() == pytest.approx([0.9, 0.3, 0.8, 0.15, 0])


def test_a_class_with_few_scores_has_the_default():
    hook = GMMThresholdHook(default=0.5)
    step = run(hook, [boxes([0.9, 0.4, 0.6], [0, 0, 1])])
    assert kept(step) == [[0.9, 0.6]]
    assert [float(step.log[f"threshold/{c}"]) for c in (0, 1)] == [0.5, 0.5]


def test_of_two_groups_the_upper_one_is_kept():
    scores = [0.1, 0.12, 0.11, 0.13, 0.1, 0.12, 0.11, 0.9, 0.92, 0.91]
    step = run(GMMThresholdHook(policy="middle"), [boxes(scores)])
    assert kept(step) == [[0.92, 0.91]]  # 0.9 is the threshold, and a box must be above it
    assert float(step.log["threshold/0"]) == pytest.approx(0.9)
    floor = run(GMMThresholdHook(policy="middle", floor=0.915), [boxes(scores)])
    assert kept(floor) == [[0.92]]


def test_the_newest_scores_rule():
    hook = GMMThresholdHook(num_scores=4)
    run(hook, [boxes([0.9] * 4)])
    step = run(hook, [boxes([0.2] * 4)])
    assert float(step.log["threshold/0"]) == pytest.approx(0.2 - 1e-5)


@pytest.mark.parametrize(("empty", "weight"), [(1, 2.0), (2, 2.0), (3, 0.02)])
def test_a_batch_of_mostly_empty_images_weighs_little(empty, weight):
    images = [boxes([]) for _ in range(empty)] + [boxes([0.9]) for _ in range(4 - empty)]
    step = run(GMMThresholdHook(background_weight=0.01), images)
    assert step.unsup_weight == pytest.approx(weight)


# ---------------------------------------------------------------------- quantiles


def test_a_share_of_each_class_is_dropped():
    # Of 0.1, 0.2, ..., 0.5 the quantile 0.5 is 0.3; of a single score it is that score.
    scores, labels = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7], [0] * 5 + [1]
    step = run(QuantileThresholdHook(0.5, num_scores=10), [boxes(scores, labels)])
    assert kept(step) == [[0.4, 0.5]]
    # Of all six, 0.35; and the log has one line.
    step = run(QuantileThresholdHook(0.5, num_scores=10, per_class=False), [boxes(scores, labels)])
    assert kept(step) == [[0.4, 0.5, 0.7]]
    assert float(step.log["threshold/all"]) == pytest.approx(0.35)


@pytest.mark.parametrize(("iteration", "share"), [(0, 0.2), (50, 0.1), (100, 0.0), (500, 0.0)])
def test_the_share_moves_linearly(iteration, share):
    hook = QuantileThresholdHook(0.2, end=0.0, length=100)
    step = run(hook, [boxes([0.5])], iteration)
    assert float(step.log["quantile/share"]) == pytest.approx(share)


def test_pixels_of_high_entropy_weigh_nothing():
    # Certainties with two classes: 1 for (1, 0), 0 for (0.5, 0.5), 1 - 0.7219 for (0.8, 0.2).
    soft = torch.tensor([[1.0, 0.5, 0.8, 1.0], [0.0, 0.5, 0.2, 0.0]])[None, :, None]
    scores, labels = soft.max(1)
    valid = torch.ones_like(labels, dtype=torch.bool)
    hook = QuantileThresholdHook(0.4, measure="entropy", per_class=False, pixels=4000, floor=0.2)
    step = run(hook, PixelLabels(labels, scores, torch.ones_like(scores), valid, soft))
    assert step.pseudo.weights.tolist() == [[[1, 0, 1, 1]]]
    assert float(step.log["threshold/all"]) == pytest.approx(1 - 0.7219, abs=1e-3)


def test_entropy_without_probabilities_says_what_is_missing():
    labels = torch.zeros(1, 2, 2, dtype=torch.long)
    scores = torch.ones(1, 2, 2)
    with pytest.raises(ValueError, match="needs the teacher's probabilities"):
        hook = QuantileThresholdHook(0.2, measure="entropy")
        run(hook, PixelLabels(labels, scores, scores, labels == 0))


# ---------------------------------------------------------------------- CorrMatch


def test_the_threshold_follows_the_peaks():
    hook = CorrelationThresholdHook(0.85, momentum=0.9)
    step = run(hook, [boxes([0.6, 0.95], [0, 0]), boxes([0.75], [1])])
    # (0.95 + 0.75) / 2 = 0.85: unmoved. Then only class 1 with 0.45: 0.9 * 0.85 + 0.045 = 0.81.
    assert float(step.log["threshold/all"]) == pytest.approx(0.85)
    assert kept(step) == [[0.95], []]
    step = run(hook, [boxes([0.45], [1])])
    assert float(step.log["threshold/all"]) == pytest.approx(0.81)


# ---------------------------------------------------------------------- LabelMatch


def matched(**settings):
    hook = LabelDistributionThresholdHook(0.5, 1.0, images=2, per_image=8, interval=1, **settings)
    # 10 labeled images with 20 boxes of class 0 and none of class 1: in two images 4 and 0.2.
    hook.counts.labels = torch.tensor([20.0, 0.0], dtype=torch.float64)
    hook.counts.amount = 10.0
    return hook


IMAGES = ([0.9, 0.8, 0.3, 0.2], [0.7, 0.6, 0.1, 0.5])


def test_as_many_boxes_as_the_labels_have():
    step = run(matched(), [boxes(scores) for scores in IMAGES])
    # Rank 2 of the eight is 0.7, rank 4 is 0.5.
    assert float(step.log["threshold/0"]) == pytest.approx(0.7)
    assert float(step.log["threshold_low/0"]) == pytest.approx(0.5)
    assert float(step.log["threshold/1"]) == pytest.approx(0.9)  # never seen: the default
    assert kept(step) == [[0.9, 0.8], [0.7, 0.6, 0.5]]  # a box at a threshold counts here
    assert [one.level.tolist() for one in step.pseudo] == [[2, 2], [2, LOW, LOW]]


def test_until_the_queue_is_full_the_default_rules():
    hook = matched()
    step = run(hook, [boxes(IMAGES[0])])
    assert float(step.log["threshold/0"]) == pytest.approx(0.9) and kept(step) == [[0.9]]
    assert float(run(hook, [boxes(IMAGES[1])]).log["threshold/0"]) == pytest.approx(0.7)
    # The oldest image makes room: of 0.7, 0.6, 0.5, 0.1 and twice 0.05, rank 2 is 0.5.
    step = run(hook, [boxes([0.05, 0.05])])
    assert float(step.log["threshold/0"]) == pytest.approx(0.5)


@pytest.fixture(scope="module")
def data():
    steps = [dict(type="PackDetInputs")]
    shared = dict(count=20, labeled=6, image_size=64, digits=(0, 1, 2))
    load = [dict(type="LoadDigitScene")]
    annotations = dict(type="LoadAnnotations", with_bbox=True)
    with DefaultScope.overwrite_default_scope("mmdet"):
        views = {"sup": [annotations, *steps]}, dict.fromkeys(("unsup_teacher",), steps)
        parts = [
            DigitScenes(
                split=split,
                pipeline=[dict(type="WeakStrongViews", shared=load, views=view)],
                **shared,
            )
            for split, view in zip(("labeled", "unlabeled"), views, strict=True)
        ]
        yield LabeledUnlabeledDataset(parts)


class Runner:
    iter = 0

    def __init__(self, data):
        self.train_dataloader = type("Loader", (), {"dataset": data})


class Annotated:
    """Two images with the classes 0, 0 and 2, and a crowd."""

    classes = ((0, 0), (2,))

    @property
    def metainfo(self):
        return {"classes": ("a", "b", "c")}

    def __len__(self):
        return 2

    def get_data_info(self, number):
        crowd = dict(bbox_label=1, ignore_flag=1)
        return {"instances": [dict(bbox_label=c) for c in self.classes[number]] + [crowd]}


def test_boxes_are_counted_in_the_annotations():
    hook, model = LabelDistributionThresholdHook(), build_pair()
    model.attach(hook)
    hook.before_train(Runner(Annotated()))
    assert hook.counts.labels.tolist() == [2, 0, 1] and hook.counts.amount == 2
    assert hook.class_names == ("a", "b", "c")
    losses(model, multi_branch())  # is not counted once more
    assert hook.counts.amount == 2


def test_scenes_without_annotations_are_counted_as_they_come(data):
    hook, model = LabelDistributionThresholdHook(), build_pair()
    model.attach(hook)
    hook.before_train(Runner(data))
    assert hook.counts.amount == 0
    losses(model, multi_branch())  # two images with one box of class 0 each
    assert hook.counts.labels.tolist() == [2, 0, 0] and hook.counts.amount == 2


def test_a_pass_over_images_without_labels(data):
    hook = LabelDistributionThresholdHook(source="pass", images=8, interval=3)
    model = build_pair()
    model.attach(hook)
    hook.before_train(Runner(data))
    hook.counts.labels, hook.counts.amount = torch.ones(3, dtype=torch.float64), 6.0
    asked = []
    label = model.label
    model.label = lambda views, network=None: asked.append(len(views.samples)) or label(views)
    for iteration in (0, 1, 2, 3):
        step = Step(model=model, iteration=iteration, pseudo=[boxes([0.95])], dropped=[{}])
        hook.after_teacher(step)
    assert asked == [1] * 16  # eight images in the iterations 0 and 3
    assert all(0.05 <= float(step.log[f"threshold/{c}"]) <= 1 for c in data.metainfo["classes"])


def test_a_pass_without_images_says_what_to_do():
    hook = matched(source="pass")
    with pytest.raises(RuntimeError, match="take source='queue'"):
        run(hook, [boxes([0.5])])


# ---------------------------------------------------------------------- several processes


def test_rows_of_all_processes_in_their_order(monkeypatch):
    mine, theirs = torch.tensor([[0.1, 0.0]]), torch.tensor([[0.2, 1.0], [0.3, 1.0]])

    def all_gather(value):
        if value.ndim == 1:
            return [value, torch.tensor([2])]
        assert value.shape == (2, 2)  # padded to the longest
        return [value, theirs]

    monkeypatch.setattr(score_history, "get_world_size", lambda: 2)
    monkeypatch.setattr(score_history, "all_gather", all_gather)
    assert torch.equal(gathered(mine), torch.cat([mine, theirs]))


def test_a_history_holds_scores_of_all_processes(monkeypatch):
    """Each brings more pixels than there is room for."""
    two_processes(monkeypatch)
    history = score_history.ScoreHistory("Test", 4, sync=True)
    history.push(torch.tensor([0.1, 0.2, 0.3, 0.4, 0.45]), torch.zeros(5), 1, are_drawn=True)
    assert history.queue.tolist() == [pytest.approx([0.1, 0.6, 0.2, 0.7])]


def test_a_history_of_boxes_is_that_of_one_process(monkeypatch):
    """Which scores are the newest must not depend on how the images are spread."""
    scores = torch.tensor([0.1, 0.2, 0.3])
    alone = score_history.ScoreHistory("Test", 4, sync=True)
    alone.push(torch.cat([scores, scores + 0.5]), torch.zeros(6), 1)
    two_processes(monkeypatch)
    history = score_history.ScoreHistory("Test", 4, sync=True)
    history.push(scores, torch.zeros(3), 1)
    assert torch.equal(history.queue, alone.queue)


def two_processes(monkeypatch):
    """The other one has the same scores, higher by a half."""

    def all_gather(value):
        return [value, value + 0.5 if value.ndim == 2 else value]

    monkeypatch.setattr(score_history, "get_world_size", lambda: 2)
    monkeypatch.setattr(score_history, "all_gather", all_gather)
