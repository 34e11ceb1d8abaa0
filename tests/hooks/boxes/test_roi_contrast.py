"""Proposals in the weak and in the strong view: features, classes, prototypes."""

import pytest
import torch
import torch.nn.functional as F

from ssdet.hooks import RoIContrastHook
from ssdet.hooks.boxes.roi_contrast import Seen
from ssdet.models import FeatureProjector

from ...helpers import build_pair, losses, multi_branch, total
from .test_prototype_label import Says
from .test_self_assignment import FLIP, pair


def contrasted(hook, **batch):
    torch.manual_seed(0)
    projector = dict(type="FeatureProjector", in_channels=32, hidden=8, channels=4)
    says = Says()
    model = pair(
        "faster_rcnn", says, hook,
        auxiliary=dict(projector=projector), auxiliary_teachers=["projector"],
    )  # fmt: skip
    found = losses(model, multi_branch(**{**dict(sup=1, unsup=2, homography=FLIP), **batch}))
    return model, says.step, found


def test_the_same_proposals_are_seen_in_both_views():
    """In a mirrored view, too: the features of an image and its mirror image are alike."""
    hook = RoIContrastHook(certain=0.0, proposals=6)
    model, step, found = contrasted(hook)
    seen = hook._seen(step)
    assert 2 <= len(seen.strong) <= 12 and seen.strong.requires_grad and not seen.weak.requires_grad
    assert seen.probabilities.sum(1).tolist() == pytest.approx([1.0] * len(seen.weak), abs=1e-5)
    total(found).backward()
    for parameter in model.auxiliary.projector.parameters():
        assert parameter.grad is not None
    assert model.student.backbone.conv1.weight.grad is not None
    assert all(one.grad is None for one in model.auxiliary_teachers.projector.parameters())


def seen_of(weak, certain):
    """Features in the weak view, each of a class that the teacher is so sure of; two classes."""
    weak = torch.tensor(weak)
    probabilities = torch.full((len(weak), 3), (1 - certain) / 2)
    probabilities[torch.arange(len(weak)), torch.arange(len(weak)) % 2] = certain
    return Seen(weak.clone().requires_grad_(), weak, probabilities)


def test_prototypes_are_running_means_of_certain_proposals():
    hook = RoIContrastHook(certain=0.8, momentum=0.75)
    _, step, _ = contrasted(hook, unsup=1)
    hook.prototypes = None
    one = [[2.0, 0, 0, 0], [0, 3.0, 0, 0]]
    hook._move(step, seen_of(one, 0.7))
    assert hook.prototypes is None
    hook._move(step, seen_of(one, 0.9))
    assert hook.prototypes[:2].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]
    assert not hook.prototypes[2:].any()
    hook._move(step, seen_of([[0, 0, 5.0, 0]], 0.9))
    moved = F.normalize(torch.tensor([3.0, 0, 1, 0]), dim=0)  # 3/4 of it and 1/4 of the new one
    assert torch.allclose(hook.prototypes[0], moved)
    assert hook.prototypes[1].tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(("row", "expected"), [(1, 0.6265), (2, 0.0970)])
def test_background_of_which_the_teacher_is_unsure_repels_less(row, expected):
    """Two of the class 0 and one across: 2 ln(1 + a / e), a = 1 for an object, .135 for background.

    The teacher says (.6, .2, .2), an entropy of .950 of 1.099.
    """
    hook = RoIContrastHook(weight=2.0, map_weight=5.0, temperature=1.0)
    _, step, _ = contrasted(hook, unsup=1)
    seen = seen_of([[1.0, 0, 0, 0], [1.0, 0, 0, 0], [0, 1.0, 0, 0]], 0.6)
    hook.prototypes = torch.zeros(3, 4)
    hook.prototypes[0, 0] = hook.prototypes[row, 1] = 1.0
    assert hook._losses(step, seen).item() == pytest.approx(expected, abs=1e-4)


def test_the_nearest_prototype_gives_the_class():
    hook = RoIContrastHook()
    seen = seen_of([[0, 1.0, 0, 0], [0, 1.0, 0.1, 0], [1.0, 0, 0, 0]], 0.9)
    assert hook._labels(seen).tolist() == [0, 1, 0]  # no prototype: what the teacher says
    hook.prototypes = torch.eye(4)[:3]
    assert hook._labels(seen).tolist() == [1, 1, 0]


def test_certain_proposals_that_look_alike_cost_nothing_to_map():
    hook = RoIContrastHook(weight=0.0, map_weight=1.0, certain=0.8)
    _, step, _ = contrasted(hook, unsup=1)
    seen = seen_of([[1.0, 0, 0, 0], [0, 1.0, 0, 0]], 0.9)
    assert hook._losses(step, seen).item() == pytest.approx(0.0, abs=1e-6)
    other = Seen(seen.strong.flip(0), seen.weak, seen.probabilities)
    assert hook._losses(step, other).item() == pytest.approx(1.0)
    unsure = Seen(seen.strong.flip(0), seen.weak, seen_of([[1.0, 0, 0, 0]] * 2, 0.7).probabilities)
    assert hook._losses(step, unsure).item() == 0


def test_models_without_proposals_or_projector_are_refused():
    with pytest.raises(TypeError, match="RoIContrastHook: contrasts proposals and works with"):
        build_pair().attach(RoIContrastHook())
    with pytest.raises(ValueError, match="auxiliary of the model has no 'projector'"):
        pair("faster_rcnn", RoIContrastHook())
    with pytest.raises(ValueError, match="RoIContrastHook: temperature=0"):
        RoIContrastHook(temperature=0)


def test_the_projector_maps_rows():
    assert FeatureProjector(6, hidden=5, channels=3)(torch.zeros(2, 6)).shape == (2, 3)
