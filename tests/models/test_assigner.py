"""Adaptive sample assignment: hand-computed costs, and equality with the definition written out."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData
from torch.utils._python_dispatch import TorchDispatchMode

from ssdet.losses.assignment import dynamic_match, matching_cost
from ssdet.models import AdaptiveSampleAssigner
from ssdet.registry import TASK_UTILS


def predictions(scores, boxes, priors):
    return InstanceData(scores=scores, bboxes=boxes, priors=priors)


def truth(boxes, labels):
    return InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.long),
    )


def grid(size=64, strides=(8, 16, 32)):
    """Priors (x, y, stride, stride) in the middle of the cells of each level."""
    levels = []
    for s in strides:
        at = torch.arange(s / 2, size, s)
        y, x = torch.meshgrid(at, at, indexing="ij")
        level = torch.stack([x, y, torch.full_like(x, s), torch.full_like(x, s)], -1)
        levels.append(level.view(-1, 4))
    return torch.cat(levels)


def brute_force(found, gt, topk=13, iou_weight=3.0):
    """The definition, with loops, one-hot targets and double precision."""
    numbers = [0] * len(found.priors)
    x, y, stride = found.priors.double()[:, :3].unbind(1)
    boxes = gt.bboxes.double()
    candidates = [
        i
        for i in range(len(numbers))
        if any(b[0] < x[i] < b[2] and b[1] < y[i] < b[3] for b in boxes)
    ]
    if not candidates:
        return numbers
    ious = bbox_overlaps(found.bboxes.double(), boxes)
    cost = torch.zeros(len(candidates), len(boxes), dtype=torch.float64)
    for row, i in enumerate(candidates):
        for j, box in enumerate(boxes):
            target = F.one_hot(gt.labels[j], found.scores.shape[1]).double()
            p = found.scores[i].double()
            weight = torch.where(target == 1, 0.25, 0.75) * (p - target).abs() ** 2
            cls = (weight * F.binary_cross_entropy(p, target, reduction="none")).sum()
            center = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            d = math.hypot(x[i] - center[0], y[i] - center[1]) / stride[i]
            iou = -math.log(ious[i, j] + 1e-7)
            cost[row, j] = cls + iou_weight * iou + 0.001 * 10 ** min(d, 20.0)
    claims = [[] for _ in candidates]
    for j in range(len(boxes)):
        best = sorted((float(ious[i, j]) for i in candidates), reverse=True)
        k = max(1, int(sum(best[: min(topk, len(candidates))])))
        for row in cost[:, j].argsort()[:k].tolist():
            claims[row].append(j)
    for row, mine in enumerate(claims):
        if mine:
            one = mine[0] if len(mine) == 1 else int(cost[row].argmin())
            numbers[candidates[row]] = one + 1
    return numbers


def random_problem(seed, count, classes=5):
    generator = torch.Generator().manual_seed(seed)
    priors = grid()
    near = (torch.rand(len(priors), 4, generator=generator) - 0.5) * 8
    half = priors[:, 2:] * (1 + torch.rand(len(priors), 2, generator=generator) * 2)
    boxes = torch.cat([priors[:, :2] - half, priors[:, :2] + half], 1) + near
    scores = torch.rand(len(priors), classes, generator=generator)
    # Many boxes on one spot: they claim the same priors.
    corner = torch.rand(count, 2, generator=generator) * 24
    size = 6 + torch.rand(count, 2, generator=generator) * 40
    labels = torch.randint(classes, (count,), generator=generator)
    gt = InstanceData(bboxes=torch.cat([corner, corner + size], 1), labels=labels)
    return predictions(scores, boxes, priors), gt


@pytest.mark.parametrize("count", [1, 2, 7, 20])
@pytest.mark.parametrize("iou_weight", [2.0, 3.0])
def test_equals_the_definition(count, iou_weight):
    contested = 0
    for seed in range(5):
        found, gt = random_problem(seed, count)
        assigned = AdaptiveSampleAssigner(iou_weight=iou_weight).assign(found, gt)
        expected = torch.tensor(brute_force(found, gt, iou_weight=iou_weight))
        assert torch.equal(assigned.gt_inds, expected)
        positive = expected > 0
        box = expected[positive] - 1
        ious = bbox_overlaps(found.bboxes, gt.bboxes)
        torch.testing.assert_close(assigned.max_overlaps[positive], ious[positive, box])
        assert not assigned.max_overlaps[~positive].any()
        assert torch.equal(assigned.labels[positive], gt.labels[box])
        assert (assigned.labels[~positive] == -1).all()
        contested += count - len(box.unique())
    # Where there are many boxes on one spot, some lose every prior that they claimed.
    assert contested > 0 or count < 20


def test_cost_by_hand():
    scores = torch.tensor([[0.8, 0.1]])
    cost = matching_cost(
        scores, torch.tensor([[0.5, 1.0]]), torch.tensor([[2.0, 0.0]]), torch.tensor([0, 1]),
        iou_weight=3.0,
    )  # fmt: skip
    # Class 0: 0.25 * 0.2^2 * -ln 0.8 + 0.75 * 0.1^2 * -ln 0.9 = 0.002231 + 0.000790
    # 3 * -ln 0.5 = 2.079441; 0.001 * 10^2 = 0.1
    # Class 1: 0.25 * 0.9^2 * -ln 0.1 + 0.75 * 0.8^2 * -ln 0.2 = 0.466273 + 0.772530; 0.001
    assert cost[0].tolist() == pytest.approx([2.182463, 1.239803], abs=1e-5)


def test_certain_scores_and_far_boxes_stay_finite():
    scores = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float16)
    far = torch.tensor([[50.0], [500.0]], dtype=torch.float16)
    cost = matching_cost(scores, torch.zeros(2, 1, dtype=torch.float16), far, torch.tensor([0]))
    assert cost.dtype == torch.float32
    assert cost.isfinite().all()
    assert cost[0, 0] == cost[1, 0] == pytest.approx(1e17)  # as bad as it gets


def test_match_by_hand():
    ious = torch.tensor([[0.9, 0.0], [0.8, 0.2], [0.7, 0.9], [0.0, 0.8]])
    cost = torch.tensor([[0.1, 9.0], [0.2, 8.0], [0.5, 0.3], [7.0, 0.4]])
    # Sums of IoUs: 2.4 and 1.9, so two priors and one: {0, 1} and {2}.
    assert dynamic_match(cost, ious).tolist() == [0, 0, 1, -1]
    # The best two alone: 1.7 and 1.7, so one each.
    assert dynamic_match(cost, ious, topk=2).tolist() == [0, -1, 1, -1]


def test_a_contested_prior_goes_to_its_cheapest_box_even_to_one_that_did_not_claim_it():
    ious = torch.full((2, 3), 0.1)
    cost = torch.tensor([[3.0, 2.0, 1.0], [9.0, 9.0, 0.5]])
    # Boxes 0 and 1 claim prior 0, box 2 claims prior 1; for prior 0 box 2 is the cheapest of all.
    assert dynamic_match(cost, ious).tolist() == [2, 2]


def test_no_box_no_candidate_and_one_box():
    priors = grid()
    found = predictions(torch.rand(len(priors), 3), priors.repeat(1, 1), priors)
    assigner = AdaptiveSampleAssigner()
    assert not assigner.assign(found, truth([], [])).gt_inds.any()
    # No center of a cell lies in this box: left out when alone, matched when another is there.
    speck = (9.0, 9.0, 11.0, 11.0)
    assert not assigner.assign(found, truth([speck], [0])).gt_inds.any()
    both = assigner.assign(found, truth([speck, (32, 32, 60, 60)], [0, 1]))
    assert (both.gt_inds == 1).sum() == 1
    # A center on the border is not inside: the box ends at the centers 4 and 12.
    assert not assigner.assign(found, truth([(4.0, 4.0, 12.0, 12.0)], [0])).gt_inds[:2].any()


def test_nothing_to_assign_to():
    none = predictions(torch.rand(0, 3), torch.rand(0, 4), torch.rand(0, 4))
    assert len(AdaptiveSampleAssigner().assign(none, truth([(0, 0, 9, 9)], [0])).gt_inds) == 0


def test_negatives_in_a_region_are_ignored_and_positives_are_not():
    found, gt = random_problem(3, 4)
    regions = InstanceData(bboxes=torch.tensor([(0.0, 0.0, 64.0, 33.0)]))
    plain = AdaptiveSampleAssigner().assign(found, gt).gt_inds
    assigned = AdaptiveSampleAssigner().assign(found, gt, regions).gt_inds
    inside = found.priors[:, 1] < 33
    assert torch.equal(assigned[plain > 0], plain[plain > 0])
    assert torch.equal(assigned == -1, inside & (plain == 0))
    assert torch.equal(assigned == 0, ~inside & (plain == 0))


class Largest(TorchDispatchMode):
    """The number of elements of the largest tensor that was made."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for value in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(value, torch.Tensor):
                self.elements = max(self.elements, value.numel())
        return result


def test_memory_grows_with_the_sum_of_classes_and_boxes():
    priors = grid(strides=(4,))  # 256 priors, all of them candidates
    count, classes = 30, 400
    found = predictions(torch.rand(len(priors), classes), torch.rand(len(priors), 4), priors)
    gt = truth([(0, 0, 64, 64)] * count, list(range(count)))
    with Largest() as largest:
        AdaptiveSampleAssigner().assign(found, gt)
    assert largest.elements <= len(priors) * (classes + 2 * count)


def test_is_found_by_the_name_and_refuses_nonsense():
    assert TASK_UTILS.build(dict(type="AdaptiveSampleAssigner", topk=9)).topk == 9
    with pytest.raises(ValueError, match=r"AdaptiveSampleAssigner: topk=0 is not in"):
        AdaptiveSampleAssigner(topk=0)
    with pytest.raises(ValueError, match=r"AdaptiveSampleAssigner: iou_weight=-1"):
        AdaptiveSampleAssigner(iou_weight=-1)
