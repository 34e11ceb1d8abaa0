"""The distribution adaptor: what an epoch is, its thresholds by hand, and what travels."""

from types import SimpleNamespace

import pytest
import torch

from ssdet.hooks import AdaptiveAssignerHook

from ...helpers import pseudo

BOX = (4, 4, 24, 24)


class Model:
    num_classes = 3


def step_of(*images):
    """A step in which the teacher finds (score, class) pairs in each image."""
    boxes = []
    for found in images:
        scores, labels = zip(*found, strict=True) if found else ((), ())
        boxes.append(pseudo([BOX] * len(found), list(scores), list(labels) or None))
    step = SimpleNamespace(model=Model(), pseudo_boxes=boxes, log={}, dropped=[])
    step.drop = lambda image, mask, reason: boxes.__setitem__(image, boxes[image].split(mask)[1])
    step.count = lambda *_: None
    return step


def hook_of(**settings):
    hook = AdaptiveAssignerHook(epoch=2, **settings)
    hook.by_class = True
    return hook


FIRST = ([(0.9, 0), (0.8, 0), (0.7, 0), (0.5, 0)], [(0.65, 1), (0.3, 1), (0.05, 1)])


def limits_after(hook, labels):
    """An epoch of two images, with these boxes of each class in four labeled images."""
    hook.counts.labels, hook.counts.amount = torch.tensor(labels, dtype=torch.float64), 4.0
    hook.after_teacher(step_of(*FIRST))
    assert hook.table is None, "the first epoch has the thresholds that were given"
    hook.after_teacher(step_of([]))
    return hook.table.T.tolist()


def test_as_many_as_the_labels_let_expect():
    """n = (3, 1, 1/2) in two images; the best floor(.6 n) = (1, 0, 0) and n are labels, uncertain.

    The rank counts from 0: the score at rank 1 of the first class is .8, at rank 3 it is .5.
    """
    found = limits_after(hook_of(), [6, 2, 1])
    assert found == [
        pytest.approx([0.8, 0.5]),
        pytest.approx([0.65, 0.3]),
        pytest.approx([0.6, 0.1]),  # no score
    ]


def test_as_the_released_code_has_it():
    """int(.99 * 4) = 3 of four scores, one of two (.05 does not count)."""
    found = limits_after(hook_of(source="scores"), [0, 0, 0])
    (first, second, third) = found
    assert first[1] == pytest.approx(0.5) and 0.5 <= first[0] <= 0.9
    assert second == pytest.approx([0.6, 0.3]) and third == pytest.approx([0.6, 0.1])


def test_boxes_are_judged_by_the_thresholds_of_their_class():
    hook = hook_of()
    limits_after(hook, [6, 2, 1])
    step = step_of([(0.8, 0), (0.79, 0), (0.49, 0), (0.5, 1), (0.29, 1), (0.7, 2)])
    hook.after_teacher(step)
    (boxes,) = step.pseudo_boxes
    assert boxes.scores.tolist() == pytest.approx([0.8, 0.79, 0.5, 0.7])
    assert boxes.classified.tolist() == [True, False, False, True]
    assert step.log["threshold/0"].item() == pytest.approx(0.8)
    assert step.log["threshold_low/1"].item() == pytest.approx(0.3)


def test_the_usual_number_is_the_mean_of_all_epochs():
    """Four scores, then two: three on average, and so the lower rank is that of 99 % of two."""
    hook = hook_of(source="scores")
    limits_after(hook, [0, 0, 0])
    hook.after_teacher(step_of([(0.9, 0), (0.2, 0)]))
    hook.after_teacher(step_of([]))
    assert hook.totals.tolist() == [6, 2, 0] and hook.epochs == 2
    assert hook.table[1].tolist() == pytest.approx([0.2, 0.1, 0.1])


def test_a_checkpoint_in_the_middle_of_an_epoch():
    hook, again = hook_of(), hook_of()
    limits_after(hook, [6, 2, 1])
    hook.after_teacher(step_of([(0.9, 0)]))  # the second image of the second epoch
    again.load_state_dict(hook.state_dict())
    for one in (hook, again):
        one.after_teacher(step_of([(0.4, 2)], []))
    assert torch.equal(hook.table, again.table) and hook.images == again.images == 2
    assert hook.table[:, 0].tolist() == pytest.approx([0.9, 0.9])


def test_an_epoch_is_the_unlabeled_images_of_the_training_data():
    hook = AdaptiveAssignerHook()
    with pytest.raises(RuntimeError, match="set epoch=<images>"):
        hook.after_teacher(step_of([]))
    with pytest.raises(ValueError, match=r"reliable=1\.5"):
        AdaptiveAssignerHook(reliable=1.5)
    with pytest.raises(ValueError, match="epoch=0"):
        AdaptiveAssignerHook(epoch=0)
