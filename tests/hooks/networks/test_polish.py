"""Dual polishing: sets by hand, learning on labeled images, and the edges."""

import math

import pytest
import torch
from torch import nn

from ssdet.hooks import PolishHook
from ssdet.teacher_student.step import Step, Views

from ...helpers import build_pair, instances, losses, multi_branch, pseudo, sample

NETWORKS = dict(
    box_polisher=dict(type="BoxPolisher", in_channels=16, roi_size=3, channels=8, hidden=16),
    cls_polisher=dict(type="ClassPolisher", num_classes=3, in_channels=16, roi_size=3, hidden=16),
)


def polished_pair(**settings):
    model = build_pair(auxiliary=NETWORKS)
    hook = PolishHook(**{"budget": 64, **settings})
    model.attach(hook)
    return model, hook


class Says(nn.Module):
    """Gives the same rows whatever it is asked."""

    def __init__(self, rows):
        super().__init__()
        self.rows = torch.tensor(rows)

    def forward(self, features):
        assert len(features) == len(self.rows)
        return self.rows


def refined(boxes, deltas, chances, **settings):
    """Pseudo boxes of a first image of two; the second one has none."""
    model, hook = polished_pair(**settings)
    hook.boxes.average = Says(deltas)
    hook.classes.average = Says([[math.log(max(p, 1e-9)) for p in row] for row in chances])
    weak = Views(torch.randn(2, 3, 64, 64), [sample(), sample()])
    step = Step(model, 0, weak=weak, pseudo=[boxes, pseudo([], [])], dropped=[{}, {}])
    hook.after_teacher(step)
    return step


def test_classes_come_from_unpolished_boxes_and_regression_from_polished_ones():
    found = [[10, 10, 30, 20], [0, 0, 10, 10], [20, 20, 60, 60], [5, 5, 9, 9]]
    step = refined(
        pseudo(found, [0.95, 0.6, 0.6, 0.6], [0, 1, 1, 2]),
        [[0.5, 0, 0, 0], [0, 0, 0, 0], [0.0, 0, math.log(2), 0], [0, 0, 0, 0]],
        [
            # Teacher sure: stays class 0 though the network says 1. Network sure: class 2 for 1.
            [0.0, 0.95, 0.0, 0.05],
            [0.02, 0.03, 0.95, 0.0],
            # Nobody is sure; and the network is sure of the background, which is no class.
            [0.1, 0.8, 0.1, 0.0],
            [0.0, 0.0, 0.05, 0.95],
        ],
    )
    boxes = step.pseudo[0]
    assert boxes.in_cls.tolist() == boxes.in_rpn.tolist() == [True] * 2 + [False] * 4
    assert boxes.in_box.tolist() == [False] * 2 + [True] * 4
    assert boxes.labels.tolist() == [0, 2, 0, 1, 1, 2]
    # Moved by half of 20 to the right; widened from 40 to 80 around 40 and cut at 64.
    assert boxes.bboxes.tolist() == [
        pytest.approx(row)
        for row in (found[0], found[1], [20, 10, 40, 20], found[1], [0, 20, 64, 60], found[3])
    ]
    assert step.log["polish/classified"] == 1 and step.log["polish/renamed"] == 0.5
    assert len(step.pseudo[1]) == 0 and "in_cls" in step.pseudo[1]


def test_a_teacher_that_is_sure_is_not_corrected():
    step = refined(pseudo([[0, 0, 9, 9]], [0.95], [0]), [[0.0] * 4], [[0.0, 1.0, 0.0, 0.0]])
    assert step.pseudo[0].labels.tolist() == [0, 0]


def test_no_candidates_at_all():
    model, hook = polished_pair()
    weak = Views(torch.randn(2, 3, 64, 64), [sample(), sample()])
    step = Step(model, 0, weak=weak, pseudo=[pseudo([], []), pseudo([], [])], dropped=[{}, {}])
    hook.after_teacher(step)
    assert [len(boxes) for boxes in step.pseudo] == [0, 0]


def test_only_the_networks_learn_from_their_losses():
    model, hook = polished_pair()
    found = losses(model, multi_branch(sup=2, unsup=0))
    (found["polish_loss_box"] + found["polish_loss_cls"]).backward()
    assert all(p.grad is None for p in model.student.parameters())
    for network in (hook.boxes, hook.classes):
        assert all(p.grad is not None for p in network.learner.parameters())
        assert not any(p.requires_grad for p in network.average.parameters())
    # An untrained box polisher moves nothing.
    assert found["polish/giou_after"] == found["polish/giou_before"] > 0


@pytest.mark.parametrize("images", [0, 2])
def test_without_a_true_box_the_losses_are_finite_and_every_weight_takes_part(images):
    model, hook = polished_pair()
    views = Views(torch.randn(images, 3, 64, 64), [sample() for _ in range(images)])
    step = Step(model, 0, sup=views if images else None)
    hook.after_loss(step)
    (step.losses["polish_loss_box"] + step.losses["polish_loss_cls"]).backward()
    for network in (hook.boxes, hook.classes):
        assert all(p.grad is not None for p in network.learner.parameters())
    assert step.losses["polish_loss_box"].item() == 0


def test_the_budget_bounds_what_is_learned_from():
    model, hook = polished_pair(budget=10)
    looked = []
    for network in (hook.boxes, hook.classes):
        network.learner[0].register_forward_hook(lambda m, i, o: looked.append(len(o)))
    views = Views(torch.randn(1, 3, 64, 64), [sample(gt=instances([(8, 8, 40, 40)] * 5))])
    hook.after_loss(Step(model, 0, sup=views))
    assert looked == [10, 10]


def test_the_networks_learn_to_correct():
    torch.manual_seed(0)
    model, hook = polished_pair(budget=96)
    where = [(8, 8, 40, 40), (20, 30, 60, 60)]
    inputs = torch.zeros(2, 3, 64, 64)
    for picture, (x1, y1, x2, y2) in zip(inputs, where, strict=True):
        picture[:, y1:y2, x1:x2] = 2.0
    views = Views(inputs, [sample(gt=instances([box])) for box in where])
    learned = [p for n in (hook.boxes, hook.classes) for p in n.learner.parameters()]
    optimizer = torch.optim.Adam(learned, lr=5e-3)
    history = []
    for _ in range(40):
        step = Step(model, 0, sup=views)
        hook.after_loss(step)
        optimizer.zero_grad()
        sum(step.losses.values()).backward()
        optimizer.step()
        hook.update()
        history.append(step)
    assert history[-1].losses["polish_loss_cls"] < history[0].losses["polish_loss_cls"]
    gained = history[-1].log["polish/giou_after"] - history[-1].log["polish/giou_before"]
    assert gained > 0.02


def test_averages_follow_slowly_after_a_running_mean():
    _, hook = polished_pair(momentum=0.5)
    value, average = hook.boxes.learner[0].bias, hook.boxes.average[0].bias
    for number, expected in ((1.0, 1.0), (3.0, 2.0), (6.0, 4.0)):
        nn.init.constant_(value, number)
        hook.update()
        assert average[0].item() == pytest.approx(expected)
    assert hook.state_dict() == {"updates": 3}


class Runner:
    def __init__(self, iteration):
        self.iter, self.cfg = iteration, {}


def test_averages_go_on_where_load_from_has_loaded_them():
    """Else the first update would make them what the networks are in this moment."""
    model, hook = polished_pair(momentum=0.75)
    nn.init.constant_(hook.boxes.average[0].bias, 8.0)
    saved = model.state_dict()
    for iteration, restored, expected in (
        (0, None, 0.75 * 8 + 0.25 * 4),  # a new run from these weights
        (1, {"updates": 1}, 0.5 * 8 + 0.5 * 4),  # a resumed one: the mean of two
        (9, {"updates": 9, "loaded": True}, 0.75 * 8 + 0.25 * 4),  # resumed, once loaded
    ):
        other, again = polished_pair(momentum=0.75)
        other.load_state_dict(saved)
        again._restored = restored
        again.before_train(Runner(iteration))
        nn.init.constant_(again.boxes.learner[0].bias, 4.0)
        again.update()
        assert again.boxes.average[0].bias[0].item() == pytest.approx(expected)
        assert again.state_dict().get("loaded", False) is (expected == 7)


def test_the_mean_begins_anew_where_the_averages_are_copies():
    _, hook = polished_pair(momentum=0.75)
    hook.before_train(Runner(0))
    assert not hook.loaded
    nn.init.constant_(hook.boxes.learner[0].bias, 4.0)
    hook.update()
    assert hook.boxes.average[0].bias[0].item() == 4.0


def test_a_larger_gamma_follows_what_is_learned_now_for_longer():
    """The published code warms up over 100 iterations: of t, 101 / (t + 101) is new."""
    _, hook = polished_pair(gamma=101)
    value, average = hook.boxes.learner[0].bias, hook.boxes.average[0].bias
    for number, expected in ((1.0, 1.0), (2.0, 1 + 101 / 102), (0.0, (1 + 101 / 102) * 2 / 103)):
        nn.init.constant_(value, number)
        hook.update()
        assert average[0].item() == pytest.approx(expected)


@pytest.mark.parametrize("training", [True, False])
def test_averages_stay_in_eval_mode(training):
    model, hook = polished_pair()
    model.train(training)
    assert hook.boxes.learner.training is training
    assert not hook.boxes.average.training


def test_models_it_cannot_work_with_are_refused_by_name():
    with pytest.raises(ValueError, match="no BoxPolisher called 'box_polisher'"):
        build_pair().attach(PolishHook())
    wrong = {**NETWORKS, "cls_polisher": dict(NETWORKS["cls_polisher"], num_classes=7)}
    with pytest.raises(ValueError, match="num_classes=7, the detector 3"):
        build_pair(auxiliary=wrong).attach(PolishHook())
    wrong = {**NETWORKS, "box_polisher": dict(NETWORKS["box_polisher"], in_channels=8)}
    with pytest.raises(ValueError, match="set in_channels=16"):
        build_pair(auxiliary=wrong).attach(PolishHook())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(min_confidence=1.2), r"PolishHook: min_confidence=1.2 is not in \[0, 1\]"),
        (dict(budget=0), "budget=0"),
        (dict(box_jitter=[(3,)]), "list of \\(copies, deviation\\)"),
        (dict(cls_weight=-1), "cls_weight=-1"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=says):
        PolishHook(**settings)
