"""Query votes: by hand, in the stage that has them, and on labels and queries alike."""

import pytest
import torch

from ssdet.hooks import CostMiningHook, QueryVotesHook, StepHook
from ssdet.hooks.boxes import query_votes as module
from ssdet.losses import query_votes
from ssdet.losses.set_prediction import BoxTargets
from ssdet.teacher_student.phase import Phase

from ...families.detectors import initialized, small_config
from ...helpers import build_pair, losses, multi_branch, pseudo, total

BOX = (8, 8, 40, 40)


def shares(*boxes):
    """Corners in an image of 64 x 64 as centers and sizes."""
    found = torch.tensor(boxes, dtype=torch.float32)
    return torch.cat([(found[:, :2] + found[:, 2:]) / 2, found[:, 2:] - found[:, :2]], 1) / 64


# Overlaps of .75, .625 and .5 with the box, and one of another class.
QUERIES = shares((8, 8, 32, 40), (8, 8, 28, 40), (8, 8, 24, 40), BOX)
LOGITS = torch.tensor([[2.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0], [0.0, 3.0, 0]])


@pytest.mark.parametrize(("agreement", "votes"), [(0.6, 2), (0.5, 3), (0.7, 1), (0.8, 0)])
def test_votes_by_hand(agreement, votes):
    ones = torch.ones(1)
    target = BoxTargets(torch.tensor([0]), shares(BOX), ones, ones, torch.zeros(0, 4))
    assert query_votes(LOGITS, QUERIES, target, agreement).tolist() == [votes]


class Says(StepHook):
    phase = Phase.LABEL

    def after_teacher(self, step):
        for image in range(len(step.pseudo)):
            step.pseudo[image] = pseudo([BOX, (40, 40, 60, 60)], [0.9, 0.9], [0, 1])
        self.step = step


@pytest.fixture(scope="module")
def dino():
    torch.manual_seed(0)
    return initialized(build_pair(small_config("dino")))


def run(model, monkeypatch, *hooks, iteration=0):
    model.hooks, model.iteration, says = [], iteration, Says()
    for hook in (says, *hooks):
        model.attach(hook)
    asked = []

    def predicted(*_):
        asked.append(1)
        return LOGITS.expand(2, 4, 3), QUERIES.expand(2, 4, 4)

    monkeypatch.setattr(module, "predicted_queries", predicted)
    found = losses(model, multi_branch(sup=1, unsup=2))
    return found, says.step.targets["unsup_student"], len(asked)


@pytest.mark.parametrize(("votes", "kept"), [(2, 1), (3, 0)])
def test_labels_without_enough_votes_are_background(dino, monkeypatch, votes, kept):
    found, targets, _ = run(dino, monkeypatch, QueryVotesHook(votes=votes))
    assert [sample.gt_instances.labels.tolist() for sample in targets] == [[0] * kept] * 2
    assert found["votes/dropped"] == 2 - kept and torch.isfinite(total(found))


def test_queries_made_of_boxes_are_asked_too(dino, monkeypatch):
    _, targets, _ = run(dino, monkeypatch, CostMiningHook(), QueryVotesHook(votes=2))
    assert [len(sample.query_boxes) for sample in targets] == [1, 1]


@pytest.mark.parametrize(("iteration", "acts"), [(1, False), (2, True), (4, True), (5, False)])
def test_it_acts_in_its_stage(dino, monkeypatch, iteration, acts):
    hook = QueryVotesHook(start=2, until=5)
    _, targets, asked = run(dino, monkeypatch, hook, iteration=iteration)
    assert asked == acts and (len(targets[0].gt_instances) == 2) != acts


def test_one_pass_serves_all_who_ask(dino, monkeypatch):
    counted = []
    forward = dino.forward_outputs
    monkeypatch.setattr(dino, "forward_outputs", lambda *args: counted.append(1) or forward(*args))
    dino.hooks = []
    for hook in (CostMiningHook(), QueryVotesHook()):
        dino.attach(hook)
    losses(dino, multi_branch(sup=1, unsup=2))
    assert len(counted) == 1


def test_others_are_refused():
    with pytest.raises(TypeError, match="QueryVotesHook: matches boxes with the queries"):
        build_pair(small_config("gfl")).attach(QueryVotesHook())
    for settings, says in ((dict(votes=0), "votes=0"), (dict(start=3, until=1), "until=1")):
        with pytest.raises(ValueError, match=says):
            QueryVotesHook(**settings)
