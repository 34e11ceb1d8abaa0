"""Cost mining: candidates by their image, costs by hand, and what becomes of them."""

import pytest
import torch

from ssdet.hooks import CostMiningHook, StepHook
from ssdet.hooks.boxes import cost_mining
from ssdet.hooks.boxes.cost_mining import MINED, candidate_limit
from ssdet.losses.set_prediction import BoxTargets, SetLoss
from ssdet.teacher_student.phase import Phase

from ...families.detectors import initialized, small_config
from ...families.hugging_face import hf_config
from ...helpers import build_pair, losses, multi_branch, pseudo, sample, total

FLIP = [[-1, 0, 64], [0, 1, 0], [0, 0, 1]]
BOXES = [(4, 4, 20, 20), (30, 30, 50, 50), *[(40, 4 + n, 60, 24) for n in range(6)]]


def test_a_candidate_is_better_than_most_of_its_image():
    """The mean of .8, .4, .3 is .5, and their deviation .2645751."""
    scores = torch.tensor([0.8, 0.4, 0.3])
    assert candidate_limit(scores).item() == pytest.approx(0.7645751)
    assert candidate_limit(scores[:1]).item() == pytest.approx(0.8)


def test_the_cost_of_a_match_by_hand():
    """p = .5 and the exact box: 2 * .6931472 * (.25 - .75) * .25, and - 2 for the overlap."""
    box = torch.tensor([[0.5, 0.5, 0.2, 0.2]])
    ones = torch.ones(1)
    target = BoxTargets(torch.tensor([1]), box, ones, ones, torch.zeros(0, 4))
    rule = SetLoss("focal", costs=(2.0, 5.0, 2.0), weights=(2.0, 5.0, 2.0))
    logits = torch.tensor([[0.0, -5.0], [5.0, 0.0]])
    query, matched, cost = rule.assign(logits, torch.cat([box + 0.3, box]), target)
    assert (query.tolist(), matched.tolist()) == ([1], [0])
    assert cost.item() == pytest.approx(-2.1732868, rel=1e-5)


class Says(StepHook):
    """The teacher says these boxes; the step is kept."""

    phase = Phase.LABEL

    def __init__(self, scores):
        self.scores = scores

    def after_teacher(self, step):
        for image, scores in enumerate(self.scores):
            step.pseudo[image] = pseudo(BOXES[: len(scores)], list(scores))
        self.step = step


@pytest.fixture(scope="module")
def dino():
    torch.manual_seed(0)
    return initialized(build_pair(small_config("dino")))


def run(model, scores, hook, monkeypatch, queries=None, says=Says):
    """A step with these scores; the student's queries are boxes of the strong view, given."""
    says = says(scores)
    model.hooks = []
    for one in (says, hook):
        model.attach(one)
    if queries is not None:
        monkeypatch.setattr(cost_mining, "predicted_queries", lambda *_: queries)
    return losses(model, multi_branch(sup=2, unsup=len(scores), homography=FLIP)), says.step


def seen(*boxes):
    """Queries that are sure of class 0 at these boxes of the mirrored view, of one image."""
    found = torch.tensor(boxes, dtype=torch.float32)
    found = torch.stack([64 - found[:, 2], found[:, 1], 64 - found[:, 0], found[:, 3]], 1)
    shares = torch.cat([(found[:, :2] + found[:, 2:]) / 2, found[:, 2:] - found[:, :2]], 1) / 64
    logits = torch.full((1, len(boxes), 3), -4.0)
    logits[..., 0] = 3.0
    return logits, shares[None]


LOW = (0.05,) * 6
SCORES = (0.4, 0.38, *LOW)  # mean .135, deviation .1574: the first two are candidates
NEAR = [BOXES[0], BOXES[1], (0, 0, 64, 64), (0, 0, 64, 63)]


def test_what_the_student_sees_too_is_reliable(dino, monkeypatch):
    """Both candidates are found exactly; the two costs are equal, and so is their limit."""
    found, step = run(dino, [SCORES], CostMiningHook(score=0.4), monkeypatch, seen(*NEAR))
    assert (len(step.dropped[0]["score"]), len(step.dropped[0][MINED])) == (6, 1)
    (target,) = step.targets["unsup_student"]
    assert len(target.gt_instances) == 1 and len(target.query_boxes) == 2
    assert target.query_boxes.bboxes[1].tolist() == [14, 30, 34, 50]  # mirrored
    assert found["mining/added"] == 1 and found["pseudo/kept"] == 1
    assert torch.isfinite(total(found))


def test_a_dear_one_is_not_mined_and_a_cheap_one_may_be_learned(dino, monkeypatch):
    """The second candidate is predicted with no overlap: its cost is far above the first's."""
    scores = (0.39, 0.38, *LOW)
    off = [BOXES[0], (0, 58, 6, 64), (0, 0, 64, 64), (0, 0, 64, 63)]
    hook = CostMiningHook(score=0.395, learn=True)
    found, step = run(dino, [scores], hook, monkeypatch, seen(*off))
    (target,) = step.targets["unsup_student"]
    assert target.query_boxes.bboxes.tolist() == [[44, 4, 60, 20]]
    assert target.gt_instances.bboxes.tolist() == [[44, 4, 60, 20]]
    assert found["mining/added"] == 1 and found["unsup_loss_cls"] > 0


def test_mixed_views_have_the_labels_of_the_threshold_alone(dino, monkeypatch):
    class Mixed(Says):
        def before_student(self, step):
            for view in step.strong["unsup_student"].samples:
                view.set_metainfo(dict(pieces=2))

    found, step = run(dino, [SCORES], CostMiningHook(0.4), monkeypatch, seen(*NEAR), Mixed)
    (target,) = step.targets["unsup_student"]
    assert len(target.gt_instances) == 1 and "query_boxes" not in target
    assert found["mining/limit"] == 0


def test_labels_are_reliable_at_any_cost(dino, monkeypatch):
    scores = (0.9, 0.8, *LOW)
    off = [(0, 58, 6, 64), BOXES[1], (0, 0, 64, 64), (0, 0, 64, 63)]
    _, step = run(dino, [scores], CostMiningHook(score=0.4), monkeypatch, seen(*off))
    (target,) = step.targets["unsup_student"]
    assert len(target.query_boxes) == len(target.gt_instances) == 2


@pytest.mark.parametrize("scores", [[(), ()], [(0.3,), ()], [(0.9, 0.2), (0.1,)]])
def test_few_boxes_or_none(dino, monkeypatch, scores):
    found, step = run(dino, scores, CostMiningHook(), monkeypatch)
    assert torch.isfinite(total(found)) and torch.isfinite(found["mining/limit"])
    # A single candidate of all images is its own limit.
    boxes = [len(sample.query_boxes) for sample in step.targets["unsup_student"]]
    assert boxes == {0: [0, 0], 1: [1, 0], 2: [1, 1]}[len(scores[0])]
    monkeypatch.undo()


def test_the_pass_of_the_student_leaves_no_trace(monkeypatch):
    """It is in eval mode, without a gradient, and finds as many queries as the detector has."""
    cfg = small_config("dino")
    cfg.backbone.norm_eval = False
    model = initialized(build_pair(cfg))
    kept = []
    real = cost_mining.predicted_queries
    monkeypatch.setattr(
        cost_mining, "predicted_queries", lambda *args: kept.append(real(*args)) or kept[-1]
    )
    run(model, [SCORES, SCORES], CostMiningHook(), monkeypatch)
    ((logits, boxes),) = kept
    assert logits.shape == (2, 12, 3) and boxes.shape == (2, 12, 4)
    assert not logits.requires_grad and model.student.training
    counted = model.student.backbone.bn1.num_batches_tracked
    assert counted == 2 and model.student.backbone.bn1.training  # labeled and strong views


@pytest.mark.parametrize("family", ["rt_detr_v2", "deformable_detr"])
def test_hugging_face(family, monkeypatch):
    model = build_pair(hf_config(family))
    found, step = run(model, [SCORES, SCORES], CostMiningHook(), monkeypatch)
    assert torch.isfinite(total(found))
    assert all("query_boxes" in sample for sample in step.targets["unsup_student"])


@pytest.mark.parametrize(
    ("family", "scale"), [("rt_detr_v2", [2.0, 1.6, 2.0, 1.6]), ("deformable_detr", [1.0] * 4)]
)
def test_shares_are_those_of_the_image_where_the_batch_is_padded(family, scale):
    """Deformable DETR is told where the padding is, and says shares of the image by itself."""
    model = build_pair(hf_config(family)).eval()
    inputs, samples = torch.randn(2, 3, 64, 64), [sample((40, 32))] * 2
    with torch.no_grad():
        _, shares = model.student.queries(inputs, samples)
        _, padded = model.student(inputs, samples, mode="tensor")
    assert torch.allclose(shares, padded * torch.tensor(scale))


def test_others_are_refused():
    for cfg in (small_config("faster_rcnn"), hf_config("detr")):
        with pytest.raises(TypeError, match="CostMiningHook: matches boxes with the queries"):
            build_pair(cfg).attach(CostMiningHook())
    with pytest.raises(ValueError, match="score=2"):
        CostMiningHook(2)
