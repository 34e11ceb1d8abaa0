"""Weights of objects in heads that give each positive a mask, and in DDQ's auxiliary losses."""

import pytest
import torch

from ssdet.teacher_student.weights import honor_weights
from ssdet.teacher_student.weights.boxes import with_box_weights

from .detectors import build, sample

pytestmark = pytest.mark.family
FAMILIES = ("solo", "solov2", "condinst", "rtmdet_ins")
BOXES = [(4, 4, 30, 30), (36, 34, 62, 60)]  # far from each other
ONE = dict(background_weight=0.0)
_built = {}


def model_of(family):
    """One of each for all tests, which only read it."""
    if family not in _built:
        torch.manual_seed(0)
        model = build(family)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
        assert honor_weights(model) == []
        _built[family] = model
    return _built[family].train()


def run(model, *samples):
    torch.manual_seed(3)  # points of CondInst's masks may be drawn, and DDQ's noise
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(4))
    found = model.loss(images[: len(samples)], list(samples))
    return {k: sum(v) if isinstance(v, list) else v for k, v in found.items() if "loss" in k}


def objects(cls, box=None, boxes=BOXES, **fields):
    fields.update(weight_cls=cls, weight_box=cls if box is None else box)
    return sample(boxes, masks=True, **fields)


@pytest.mark.parametrize("family", (*FAMILIES, "ddq"))
def test_the_losses_are_linear_in_the_weights(family):
    """1 gives the plain losses, c gives c times, 0 none; a box weight leaves the classes alone."""
    model, other = model_of(family), sample(BOXES[:1], masks=True)
    empty = sample(masks=True)
    plain = run(model, sample(BOXES, masks=True), empty)
    assert all(value > 0 for value in plain.values())
    ones = run(model, objects([1.0, 1.0], background_weight=1.0), empty)
    less, none = (
        run(model, objects([c, c], background_weight=c), sample(masks=True, background_weight=c))
        for c in (0.25, 0.0)
    )
    only = run(model, objects([1.0, 1.0], [0.0, 0.0]), empty)
    for key, value in plain.items():
        torch.testing.assert_close(ones[key], value)
        torch.testing.assert_close(less[key], value * 0.25)
        assert none[key] == 0
        torch.testing.assert_close(only[key], value if "cls" in key else value * 0)
    both = run(model, objects([0.5, 0.5], background_weight=0.5), other)
    first = run(model, objects([0.0, 0.0], **ONE), other)
    whole = run(model, sample(BOXES, masks=True), other)
    for key, value in whole.items():  # the second image keeps its own weights
        torch.testing.assert_close(both[key], (value + first[key]) / 2, msg=key)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_object_has_its_own_weight(family):
    """What an object adds to the loss of all masks is its share of the positives: in sum 1."""
    model = model_of(family)
    shares = []
    for number, weights in enumerate(([1.0, 0.0], [0.0, 1.0])):
        among = run(model, objects(weights, **ONE))["loss_mask"]
        alone = run(model, objects([1.0], boxes=BOXES[number : number + 1], **ONE))["loss_mask"]
        shares.append(float(among / alone))
    assert min(shares) > 0 and sum(shares) == pytest.approx(1.0, rel=1e-4)


def test_objects_of_one_cell_keep_their_own_weights():
    """SOLOv2 learns the masks of both objects; SOLO and its like learn the later one."""
    near = [(8, 8, 40, 40), (14, 14, 34, 34)]
    model = model_of("solov2")
    found = [
        run(model, objects(weights, boxes=boxes, **ONE))["loss_mask"]
        for weights, boxes in (([1.0, 0.0], near), ([0.0, 1.0], near[::-1]), ([0.0, 1.0], near))
    ]
    torch.testing.assert_close(found[0], found[1])
    assert not torch.isclose(found[0], found[2], rtol=1e-3)
    both = run(model, objects([1.0, 1.0], boxes=near, **ONE))["loss_mask"]
    torch.testing.assert_close(both, found[0] + found[2])


@pytest.mark.parametrize("kind", ["topk", "drawn"])
def test_masks_that_condinst_selects_have_the_weight_of_their_object(kind, monkeypatch):
    model = model_of("condinst")
    head = model.mask_head
    monkeypatch.setattr(head, "topk_masks_per_img", 2 if kind == "topk" else -1)
    monkeypatch.setattr(head, "max_masks_to_train", 2 if kind == "drawn" else -1)
    one, other, both = (
        run(model, objects(weights, **ONE))["loss_mask"]
        for weights in ([1.0, 0.0], [0.0, 1.0], [1.0, 1.0])
    )
    torch.testing.assert_close(one + other, both)
    assert both > 0 and (kind == "drawn" or min(one, other) > 0)


@pytest.mark.parametrize("family", ["solo", "solov2"])
def test_cells_in_a_region_learn_no_background(family):
    model = model_of(family)

    def gradient(**fields):
        kept = []
        handle = model.mask_head.register_forward_hook(lambda m, i, o: kept.extend(o[1]))
        found = run(model, objects([1.0, 1.0], **fields))["loss_cls"]
        handle.remove()
        return torch.autograd.grad(found, kept)

    seen, left = gradient(), gradient(ignored=[(0.0, 0.0, 32.0, 64.0)])
    positive = gradient(**ONE)
    for before, after, taken in zip(seen, left, positive, strict=True):
        ignored = torch.zeros_like(before, dtype=torch.bool)
        ignored[..., : before.shape[-1] // 2] = True
        ignored &= ~taken.any(1, keepdim=True)
        assert ignored.any() and not after[ignored].any()
        torch.testing.assert_close(after[~ignored], before[~ignored])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_has_a_gradient_without_an_object(family):
    """Else a process without labels lets the others wait."""
    model = model_of(family)
    model.zero_grad()
    sum(run(model, sample(masks=True)).values()).backward()
    learned = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    assert [name for name, parameter in learned if parameter.grad is None] == []
    model.zero_grad()


def test_layers_of_ddq_may_keep_another_number_of_queries_of_each_image():
    """It drops duplicates between its layers: an image may have more queries than another."""
    head = model_of("ddq").bbox_head
    samples = [sample(BOXES, weight_cls=[0.5, 0.2], weight_box=[0.5, 0.2]), sample(BOXES[:1])]
    truth = [one.gt_instances for one in with_box_weights(samples)]
    scores, places = torch.randn(2, 12, 3), torch.rand(2, 12, 4)
    kept = [12, 9]
    scores, places = (
        [one[:count] for one, count in zip(each, kept, strict=True)] for each in (scores, places)
    )
    head.get_targets(scores, places, truth, [one.metainfo for one in samples])
    (cls,), (box,) = head.loss_cls.queued, head.loss_bbox.queued
    assert len(cls) == len(box) == 21
    assert cls[:12].sort().values.tolist() == pytest.approx([0.2, 0.5, *[1.0] * 10])
    assert cls[12:].tolist() == [1.0] * 9


@pytest.mark.parametrize("family", FAMILIES)
def test_the_weight_of_a_mask_is_a_factor_on_its_loss_alone(family):
    """Times that of its box."""
    model, weights = model_of(family), dict(weight_mask=[0.5, 0.5])
    plain = run(model, objects([1.0, 1.0]))
    less = run(model, objects([1.0, 1.0], **weights))
    both = run(model, objects([1.0, 1.0], [0.5, 0.5], **weights))
    alone = run(model, sample(BOXES, masks=True, **weights))
    assert "loss_mask" in plain
    for key, value in plain.items():
        factor = 0.5 if key == "loss_mask" else 1.0
        torch.testing.assert_close(less[key], value * factor)
        torch.testing.assert_close(alone[key], value * factor)
        if key == "loss_mask":
            torch.testing.assert_close(both[key], value * 0.25)
