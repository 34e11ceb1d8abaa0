"""The objectness that YOLOX learns from a pseudo box, by hand."""

import math

import pytest
import torch

from ssdet.hooks import SoftObjectnessHook

from ...helpers import losses, multi_branch, pseudo
from ...seg_helpers import build_seg
from .test_box_hooks import Says, pair

BOX = [8, 8, 40, 40]


def rated(boxes, scores, objectness):
    found = pseudo(boxes, scores)
    found.objectness = torch.tensor(objectness)
    return found


@pytest.mark.parametrize(("hook", "cost"), [(False, 0.28768), (True, 0.72713)])
def test_points_of_a_box_learn_how_sure_the_teacher_is(hook, cost):
    """All say 3/4: -ln .75 = .28768; -.6 ln .75 - .4 ln .25 = .72713; background -ln .25."""
    says = Says(rated([BOX], [0.5], [0.6]))
    model = pair("yolox", says, *([SoftObjectnessHook(certain=0.8)] if hook else []))
    head = model.student.bbox_head
    with torch.no_grad():
        for layer in head.multi_level_conv_obj:
            layer.weight.zero_()
            layer.bias.fill_(math.log(3))
    seen = []
    head.loss_obj.register_forward_hook(lambda _, given, loss: seen.append(given[1]))
    found = losses(model, multi_branch(sup=0, unsup=1))
    (targets,) = seen
    positives = int((targets > 0).sum())
    assert positives > 0 and len(targets) == 64 + 16 + 4
    expected = positives * cost + (len(targets) - positives) * 1.38629
    assert found["unsup_loss_obj"].item() == pytest.approx(expected / positives, rel=1e-4)


def test_a_box_of_which_the_teacher_is_certain_is_an_object():
    says = Says(rated([BOX, [30, 30, 60, 60]], [0.9, 0.5], [0.7, 0.6]))
    model = pair("yolox", says, SoftObjectnessHook(certain=0.9))
    losses(model, multi_branch(sup=0, unsup=1))
    target = says.step.targets["unsup_student"][0].gt_instances
    assert target.soft_objectness.tolist() == pytest.approx([1.0, 0.6])


def test_models_without_an_objectness_are_refused():
    with pytest.raises(TypeError, match="SoftObjectnessHook: a GFL has no objectness as YOLOX has"):
        pair("gfl", SoftObjectnessHook())
    with pytest.raises(TypeError, match="SoftObjectnessHook: changes what an objectness learns"):
        build_seg().attach(SoftObjectnessHook())
    with pytest.raises(ValueError, match=r"certain=1\.5"):
        SoftObjectnessHook(certain=1.5)
