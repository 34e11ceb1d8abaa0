"""Hard pixels beside the loss of CPS and UniMatch, written by hand."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.losses import CrossEntropyLoss

from ssdet.engine.configs import load_config
from ssdet.models import HardPixelSampler

from ..helpers import losses
from ..seg_helpers import CROSS_ENTROPY, build_seg, seg_batch, seg_sample, tiny_fcn
from ..test_configs import NAMES

SAMPLER = dict(type="HardPixelSampler", thresh=0.7, min_kept=10)


def published(logits, labels, thresh, min_kept):
    """Easy pixels become ignored ones, and the mean is over what is left; one pixel at a time."""
    chances = logits.softmax(1)
    rows = [
        (float(chances[image, label, y, x]), image, y, x)
        for image in range(len(labels))
        for y in range(labels.shape[1])
        for x in range(labels.shape[2])
        if (label := int(labels[image, y, x])) != 255
    ]
    if min_kept > len(rows):
        return F.cross_entropy(logits, labels, ignore_index=255), len(rows)
    limit = max(thresh, sorted(rows)[min_kept - 1][0])
    kept = [place for chance, *place in rows if chance <= limit]
    costs = [-logits.log_softmax(1)[i, labels[i, y, x], y, x] for i, y, x in kept]
    return torch.stack(costs).mean(), len(kept)


def head_of(sampler=SAMPLER, **loss):
    cfg = tiny_fcn(sampler=sampler, loss_decode={**CROSS_ENTROPY, **loss})
    return build_seg(cfg).student.decode_head


def loss_of(head, logits, labels):
    samples = [seg_sample(tuple(one.shape), gt=one) for one in labels]
    return head.loss_by_feat(logits, samples)["loss_ce"]


@pytest.mark.parametrize("confidence", [0.0, 3.0, 8.0])
@pytest.mark.parametrize("min_kept", [1, 10, 60])
def test_the_loss_and_its_gradient_are_the_published_ones(confidence, min_kept):
    torch.manual_seed(0)
    labels = torch.randint(4, (2, 8, 8))
    logits = torch.randn(2, 4, 8, 8) + confidence * F.one_hot(labels, 4).movedim(-1, 1)
    labels[:, 0] = 255
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    found = loss_of(head_of(dict(SAMPLER, min_kept=min_kept)), ours, labels)
    expected, _ = published(theirs, labels, 0.7, 2 * min_kept)
    torch.testing.assert_close(found, expected)
    found.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize(("confidence", "share"), [(0, 0.99), (2, 0.57), (3.3, 0.16)])
def test_the_sampler_of_mmsegmentation_divides_by_the_easy_pixels_too(confidence, share):
    """So its loss is smaller, the more so the fewer pixels are hard: up to six times and more."""
    torch.manual_seed(0)
    labels = torch.randint(4, (2, 8, 8))
    logits = torch.randn(2, 4, 8, 8) + confidence * F.one_hot(labels, 4).movedim(-1, 1)
    _, kept = published(logits, labels, 0.7, 4)
    assert kept / 128 == pytest.approx(share, abs=0.04)
    ours = loss_of(head_of(dict(SAMPLER, min_kept=2)), logits, labels)
    theirs = loss_of(head_of(dict(SAMPLER, type="OHEMPixelSampler", min_kept=2)), logits, labels)
    torch.testing.assert_close(ours / theirs, torch.tensor(128 / kept))


@pytest.mark.parametrize(("min_kept", "expected"), [(1, 1.0601), (3, 0.7811), (5, 0.6122)])
def test_four_pixels_by_hand(min_kept, expected):
    """Chances of the true class .2 .6 .8 .9: two are hard; three; with too few pixels all are."""
    chances = torch.tensor([0.2, 0.6, 0.8, 0.9])
    logits = torch.stack([chances, 1 - chances]).log()[None, :, None]
    head = head_of(dict(SAMPLER, min_kept=min_kept))
    loss = loss_of(head, logits, torch.zeros(1, 1, 4, dtype=torch.long))
    assert float(loss) == pytest.approx(expected, abs=1e-4)


def test_an_image_without_labels_costs_nothing():
    logits = torch.randn(1, 4, 8, 8, requires_grad=True)
    loss = loss_of(head_of(), logits, torch.full((1, 8, 8), 255))
    loss.backward()
    assert float(loss) == 0 and not logits.grad.any()


def test_pseudo_labels_are_not_sampled():
    torch.manual_seed(0)
    model = build_seg(tiny_fcn(sampler=dict(SAMPLER, thresh=0.2)))
    plain = build_seg(tiny_fcn())
    plain.load_state_dict(model.state_dict())
    batch = seg_batch()
    found, expected = (losses(one, copy.deepcopy(batch)) for one in (model, plain))
    assert found["unsup_decode.loss_ce"] == expected["unsup_decode.loss_ce"]
    assert found["sup_decode.loss_ce"] != expected["sup_decode.loss_ce"]


@pytest.mark.parametrize("setting", [dict(avg_non_ignore=False), dict(class_weight=[1.0] * 4)])
def test_a_loss_with_another_divisor_is_refused(setting):
    with pytest.raises(ValueError, match=r"HardPixelSampler: CrossEntropyLoss does not divide"):
        head_of(**setting)


def samplers(node):
    if isinstance(node, dict):
        yield from (s for s in [node.get("sampler")] if s and "thresh" in s)
        for value in node.values():
            yield from samplers(value)


SEGMENTORS = [n for n in NAMES if "cityscapes" in n and "rcnn" not in n]


# Published for the images of a process: 100,000 of four, of two (CPS and MGD: one) 50,000 each.
KEPT = dict(augseg=25000, imas=25000, **dict.fromkeys(
    ("corrmatch", "cps", "fst", "mgd", "prevmatch", "u2pl"), 50000
))  # fmt: skip


@pytest.mark.parametrize("name", SEGMENTORS)
def test_cityscapes_keeps_as_many_hard_pixels_as_published(name):
    """For each image; the others keep 200,000 of two."""
    found = list(samplers(load_config(name).model))
    least = KEPT.get(name.partition("/")[0], 100000)
    assert all(s == dict(type="HardPixelSampler", thresh=0.7, min_kept=least) for s in found)
    assert bool(found) != name.startswith("cw_bass")  # plain cross entropy


def test_it_works_as_a_part_of_a_plain_model():
    """Outside of our wrapper the registry finds it, too."""
    head = head_of()
    assert isinstance(head.sampler, HardPixelSampler)
    assert isinstance(head.loss_decode, CrossEntropyLoss)
