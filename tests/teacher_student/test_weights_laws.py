"""What weights of boxes and ignore regions do to losses and gradients, in every family.

Gradients are taken at the outputs of the heads, prior by prior: the classification loss sums
positives and negatives, and only there the two can be told apart.
"""

import copy

import pytest
import torch

from ssdet.teacher_student.weights import honor_weights

from ..families.detectors import FAMILIES, build, sample

BOXES = [(2, 2, 34, 34), (30, 28, 62, 62)]
TWO_STAGE = ("faster_rcnn", "cascade_rcnn", "mask_rcnn")
ONE_STAGE = tuple(family for family in FAMILIES if family not in TWO_STAGE)
CLS_OUTPUT = {"fcos": [0], "yolox": [0, 2]}  # which outputs of the head are classification
TOLERANCE = dict(rtol=1e-4, atol=1e-7)

_built = {}


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


def detector(family):
    """A detector that carries weights; the same one for all tests, they only read it."""
    if family not in _built:
        torch.manual_seed(0)
        plain = build(family)
        _sample_everything(plain)
        carrying = copy.deepcopy(plain)
        assert honor_weights(carrying) == []
        _built[family] = plain, carrying
    return _built[family]


def _sample_everything(model):
    """No chance in the samplers of a two-stage detector."""
    for module in model.modules():
        samplers = getattr(module, "bbox_sampler", getattr(module, "sampler", None))
        for sampler in samplers if isinstance(samplers, list) else [samplers]:
            if hasattr(sampler, "num"):
                sampler.num = 4000


def image(count=1):
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def run(model, *samples):
    """All losses, summed over levels."""
    torch.manual_seed(2)
    found = model.loss(image(len(samples)), list(copy.deepcopy(samples)))
    return {k: sum(v) if isinstance(v, list) else v for k, v in found.items() if "loss" in k}


def boxes(family, where=BOXES, **fields):
    return sample(where, masks=family == "mask_rcnn", **fields)


def gradients(family, *samples, keys=None):
    """Gradients of the losses by head: {name of the head: [gradient of each output]}."""
    model = detector(family)[1]
    outputs, handles = {}, []

    def keep(name):
        def hook(module, inputs, output):
            if name not in outputs:  # the heads are called a second time to predict proposals
                outputs[name] = list(_tensors(output))

        return hook

    for name, module in model.named_modules():
        if type(module).__name__.endswith("Head") and name != "roi_head":
            handles.append(module.register_forward_hook(keep(name)))
    losses = run(model, *samples)
    for handle in handles:
        handle.remove()
    total = sum(v.sum() for k, v in losses.items() if keys is None or keys(k))
    flat = [o for group in outputs.values() for o in group]
    found = iter(torch.autograd.grad(total, flat, allow_unused=True))
    return {
        name: [torch.zeros_like(o) if g is None else g for o, g in zip(group, found, strict=False)]
        for name, group in outputs.items()
    }


def _tensors(output):
    if isinstance(output, torch.Tensor):
        if output.requires_grad:
            yield output
    elif output is not None:
        for part in output:
            yield from _tensors(part)


def by_prior(family, gradient):
    """Classification gradient of a one-stage head: (images, priors, classes); levels in order."""
    head = detector(family)[1].bbox_head
    if family in ("deformable_detr", "dino"):
        return gradient["bbox_head"][0][-1]
    levels = len(head.prior_generator.strides)
    return torch.cat([_flat(g, head) for g in gradient["bbox_head"][:levels]], 1)


def _flat(level, head):
    return level.permute(0, 2, 3, 1).reshape(len(level), -1, head.cls_out_channels)


def same(left, right):
    for name in left:
        for a, b in zip(left[name], right[name], strict=True):
            torch.testing.assert_close(a, b, **TOLERANCE)


# ---------------------------------------------------------------------------------- all families


def test_nothing_said_is_the_plain_detector_bit_for_bit(family):
    plain, carrying = detector(family)
    data = [boxes(family), boxes(family, BOXES[1:])]
    left, right = run(plain, *data), run(carrying, *data)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[k], right[k]) for k in left)
    run(carrying, boxes(family, weight_cls=[0.5, 0.5]))
    again = run(carrying, *data)
    assert all(torch.equal(left[k], again[k]) for k in left), "weights of an earlier call remain"


def test_weights_of_one_change_nothing(family):
    plain, carrying = detector(family)
    ones = boxes(family, weight_cls=[1.0, 1.0], weight_box=[1.0, 1.0], background_weight=1.0)
    left, right = run(plain, boxes(family)), run(carrying, ones)
    for key in left:
        torch.testing.assert_close(left[key], right[key], rtol=1e-6, atol=1e-9)


def test_the_normalizer_is_a_count(family):
    """All weights c: c times each loss, not the same loss."""
    carrying = detector(family)[1]
    c = 0.3
    weighted = dict(weight_cls=[c, c], weight_box=[c, c], background_weight=c)
    left, right = run(carrying, boxes(family)), run(carrying, boxes(family, **weighted))
    for key in left:
        assert left[key] != 0
        torch.testing.assert_close(right[key], left[key] * c, **TOLERANCE)


def test_box_weights_scale_box_losses_alone(family):
    plain, carrying = detector(family)
    left = run(plain, boxes(family))
    right = run(carrying, boxes(family, weight_box=[0.3, 0.3]))
    zero = run(carrying, boxes(family, weight_box=[0.0, 0.0]))
    for key in left:
        cls = "cls" in key or "obj" in key
        torch.testing.assert_close(right[key], left[key] * (1.0 if cls else 0.3), **TOLERANCE)
        torch.testing.assert_close(zero[key], left[key] * (1.0 if cls else 0.0), **TOLERANCE)


def test_background_weight_zero_leaves_the_positives_alone(family):
    def classification(**fields):
        return gradients(family, boxes(family, **fields), keys=lambda k: "cls" in k or "obj" in k)

    everything = classification()
    positives = classification(background_weight=0.0)
    negatives = classification(weight_cls=[0.0, 0.0])
    nothing = classification(weight_cls=[0.0, 0.0], background_weight=0.0)
    for name, outputs in everything.items():
        for i, both in enumerate(outputs):
            assert not nothing[name][i].any()
            torch.testing.assert_close(positives[name][i] + negatives[name][i], both, **TOLERANCE)


def test_each_box_has_its_own_weight(family):
    def positives(first, second):
        weights = dict(weight_cls=[first, second], weight_box=[first, second])
        return gradients(family, boxes(family, background_weight=0.0, **weights))

    both, one, other, little = (
        positives(1.0, 1.0), positives(1.0, 0.0), positives(0.0, 1.0), positives(0.3, 1.0)
    )  # fmt: skip
    used = [False, False]
    for name, outputs in both.items():
        for i, gradient in enumerate(outputs):
            torch.testing.assert_close(one[name][i] + other[name][i], gradient, **TOLERANCE)
            expected = one[name][i] * 0.3 + other[name][i]
            torch.testing.assert_close(little[name][i], expected, **TOLERANCE)
            used[0] |= bool(one[name][i].any())
            used[1] |= bool(other[name][i].any())
    assert all(used)


@pytest.mark.parametrize("family", ONE_STAGE)
def test_weights_stay_with_their_image(family):
    """A second image without any weight is not touched by those of the first.

    RoIs of all images lie in one tensor; see test_weights_parts.
    """
    first = boxes(family)
    weighed = boxes(family, weight_cls=[0.0, 0.0], weight_box=[0.0, 0.0], background_weight=0.0)
    second = boxes(family, BOXES[1:])
    left, right = gradients(family, first, second), gradients(family, weighed, second)
    images = 1 if family in ("deformable_detr", "dino") else 0
    for a, b in zip(left["bbox_head"], right["bbox_head"], strict=True):
        assert not b.select(images, 0).any()
        torch.testing.assert_close(a.select(images, 1), b.select(images, 1), **TOLERANCE)


def test_no_box_and_everything_ignored(family):
    model = detector(family)[1]
    for fields in ({}, dict(background_weight=0.5), dict(ignored=[(-400, -400, 500, 500)])):
        empty = boxes(family, [], **fields)
        found = run(model, empty)
        total = sum(v.sum() for v in found.values())
        assert total.isfinite()
        total.backward()
        if "ignored" in fields:
            assert float(total) == 0.0
        else:
            assert float(total) > 0.0
        touched = gradients(family, empty)
        if "ignored" in fields:
            assert not any(g.any() for group in touched.values() for g in group)
    model.zero_grad()


# ------------------------------------------------------------------------------------ one stage


def expected_ignored(family, region):
    """Which priors lie in the region, worked out here from their published geometry.

    The region is such that no prior is a tie: rounding cannot decide which side it is on.
    """
    head = detector(family)[1].bbox_head
    sizes = [(64 // s[0], 64 // s[1]) for s in head.prior_generator.strides]
    sizes = [(max(h, 1), max(w, 1)) for h, w in sizes]
    priors = torch.cat(head.prior_generator.grid_priors(sizes, device="cpu"))
    x1, y1, x2, y2 = region
    if family == "fam3d":  # its anchors are assigned by their centers
        priors = (priors[:, :2] + priors[:, 2:]) / 2
    if priors.shape[1] == 2:
        x, y = priors.unbind(1)
        if family == "yolox":  # its points are corners of the cells, which are assigned by centers
            strides = [torch.full((h * w,), s[0]) for (h, w), s in
                       zip(sizes, head.prior_generator.strides, strict=True)]  # fmt: skip
            x, y = x + torch.cat(strides) / 2, y + torch.cat(strides) / 2
        edges = torch.stack([x - x1, x2 - x, y - y1, y2 - y])
        assert edges.abs().min() > 1e-3
        return (edges > 0).all(0)
    left, top = priors[:, 0].clamp(min=x1), priors[:, 1].clamp(min=y1)
    right, bottom = priors[:, 2].clamp(max=x2), priors[:, 3].clamp(max=y2)
    area = (priors[:, 2] - priors[:, 0]) * (priors[:, 3] - priors[:, 1])
    share = (right - left).clamp(min=0) * (bottom - top).clamp(min=0) / area
    assert (share - 0.5).abs().min() > 1e-3
    return share > 0.5


@pytest.mark.parametrize("family", [f for f in ONE_STAGE if "de" not in f and f != "dino"])
def test_negatives_in_a_region_get_no_gradient_and_others_the_same(family):
    region = (26, 2, 62, 42)  # off the grid of priors, which is one of 8 pixels
    left = gradients(family, boxes(family))
    right = gradients(family, boxes(family, ignored=[region]))
    positive = by_prior(family, gradients(family, boxes(family, background_weight=0.0)))[0].any(-1)
    if family == "yolox":  # its class scores are of positives; the objectness is of all
        positive = _objectness(gradients(family, boxes(family, background_weight=0.0))) != 0
        before, after = _objectness(left)[:, None], _objectness(right)[:, None]
    else:
        before, after = by_prior(family, left)[0], by_prior(family, right)[0]
    ignored = expected_ignored(family, region) & ~positive
    assert 0 < ignored.sum() < len(ignored)
    # RetinaNet leaves some priors out by itself: those that overlap a box by 0.4 to 0.5.
    assert before[ignored].any(-1).float().mean() > 0.8
    assert not after[ignored].any()
    torch.testing.assert_close(after[~ignored], before[~ignored], **TOLERANCE)


def _objectness(gradient):
    return torch.cat([g[0].flatten() for g in gradient["bbox_head"][6:9]])


@pytest.mark.parametrize("family", ["deformable_detr", "dino"])
def test_unmatched_queries_in_a_region_get_no_gradient(family):
    region = (0, 0, 42, 64)  # 40 would cut a query of DINO in two equal halves
    model = detector(family)[1]
    seen = []
    handle = model.bbox_head.register_forward_hook(lambda m, i, o: seen.append(o))
    left = gradients(family, boxes(family))
    handle.remove()
    matching = slice(-model.num_queries, None)
    right = by_prior(family, gradients(family, boxes(family, ignored=[region])))[0, matching]
    positive = by_prior(family, gradients(family, boxes(family, background_weight=0.0)))
    positive = positive[0, matching].any(-1)
    x, y, w, h = (seen[0][1][-1][0, matching].detach() * 64).unbind(-1)
    right_edge, left_edge = (x + w / 2).clamp(max=42), (x - w / 2).clamp(min=0)
    bottom, top = (y + h / 2).clamp(max=64), (y - h / 2).clamp(min=0)
    share = (right_edge - left_edge).clamp(min=0) * (bottom - top).clamp(min=0) / (w * h)
    assert (share - 0.5).abs().min() > 1e-3, "a tie: rounding would decide"
    ignored = (share > 0.5) & ~positive
    assert 0 < ignored.sum() < len(ignored)
    assert not right[ignored].any()
    before = by_prior(family, left)[0, matching]
    torch.testing.assert_close(right[~ignored], before[~ignored], **TOLERANCE)
