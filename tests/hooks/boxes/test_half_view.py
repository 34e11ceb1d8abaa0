"""Half views: maps of the same sizes, the same targets, and the whole view as it was."""

import pytest
import torch

from ssdet.hooks import (
    BackgroundScoreHook,
    ConsistencyVotingHook,
    FixedThresholdHook,
    HalfViewHook,
    PredictionGuidedAssignHook,
    StepHook,
)
from ssdet.models import ShiftedFPN
from ssdet.teacher_student.phase import Phase

from ...families.detectors import initialized, small_config
from ...helpers import build_pair, losses, multi_branch, total
from .test_prediction_guided import Says


def shifted(family="faster_rcnn"):
    cfg = small_config(family)
    cfg.neck.update(type="ShiftedFPN", num_outs=6, add_extra_convs="on_input")
    cfg.rpn_head.anchor_generator.update(scales=[4], strides=[8, 16, 32, 64, 128])
    cfg.roi_head.bbox_roi_extractor.featmap_strides = [8, 16, 32, 64]
    return cfg


def pair(*hooks, family="faster_rcnn"):
    torch.manual_seed(0)
    model = initialized(build_pair(shifted(family)))
    for hook in hooks:
        model.attach(hook)
    return model


def run(model, **batch):
    torch.manual_seed(5)
    return losses(model, multi_branch(**{"sup": 1, "unsup": 2, **batch}))


@pytest.mark.parametrize("size", [(64, 96), (640, 960), (32, 32)])
def test_level_by_level_the_maps_have_the_same_sizes(size):
    neck = ShiftedFPN(in_channels=[4, 4, 4, 4], out_channels=4, num_outs=6, add_extra_convs=True)

    def sizes(height, width):
        maps = [torch.zeros(1, 4, -(-height // s), -(-width // s)) for s in (4, 8, 16, 32)]
        return [tuple(level.shape[-2:]) for level in neck(tuple(maps))]

    whole = sizes(*size)
    neck.start = 0
    assert whole == sizes(size[0] // 2, size[1] // 2) and len(whole) == 5
    if size == (640, 960):
        assert whole[0] == (80, 120) and whole[-1] == (5, 8)


def test_the_whole_view_is_as_without_it():
    says = Says((4, 4, 40, 40))
    one, two = run(pair(says)), run(pair(says, HalfViewHook()))
    for name, value in one.items():
        pairs = zip(_list(value), _list(two[name]), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs), name
    names = {name for name in two if "half" in name}
    assert names == {f"unsup_half_{n}" for n in
                     ("loss_cls", "loss_bbox", "loss_rpn_cls", "loss_rpn_bbox")}  # fmt: skip
    assert torch.isfinite(total(two)) and two["unsup_half_loss_bbox"] > 0


def _list(value):
    return [torch.as_tensor(v) for v in (value if isinstance(value, list) else [value])]


class Share(StepHook):
    """Strong views have a quarter of the weight."""

    phase = Phase.LABEL

    def before_student(self, step):
        step.shares["unsup_student"] = 0.25


@pytest.mark.parametrize("before", [(), (ConsistencyVotingHook,)])
@pytest.mark.parametrize("behind", [(), (ConsistencyVotingHook,)])
def test_the_same_maps_have_the_same_losses(before, behind):
    """Where the neck gives the same for both views, all that is learned is the same.

    So the weights of a vote count once in each view, whatever the order of the list.
    """
    voting = [[kind() for kind in kinds] for kinds in (before, behind)]
    model = pair(Says((4, 4, 40, 40)), Share(), *voting[0], HalfViewHook(weight=0.5), *voting[1])
    for part in (model.student.roi_head.bbox_sampler, model.student.rpn_head.sampler):
        part.num = 100000  # nothing is drawn
    extract, whole = model.student.extract_feat, []

    def remembered(inputs):
        if inputs.shape[-1] == 32:
            assert model.student.neck.start == 0
            return whole[-1]
        whole.append(extract(inputs))
        return whole[-1]

    model.student.extract_feat = remembered
    model.unsup_weight = 3.0
    found = run(model)
    for name in ("loss_cls", "loss_bbox"):
        half = found[f"unsup_half_{name}"]
        assert half.item() == pytest.approx(0.5 * found[f"unsup_{name}"].item(), rel=1e-4)
        name = name.replace("loss_", "loss_rpn_")
        rpn, first = (sum(_list(found[f"unsup_{which}{name}"])) for which in ("half_", ""))
        assert rpn.item() == pytest.approx(0.5 * first.item(), rel=1e-3)
    assert model.student.neck.start == 1


def test_where_no_image_has_a_box_the_half_view_teaches_nothing_either():
    class Asks(StepHook):
        """The student sees the strong view all the same."""

        phase = Phase.LOSS
        learns_without_labels = True

    found = run(pair(Says(), HalfViewHook(), Asks()))
    half = {name: value for name, value in found.items() if "half_loss" in name}
    assert len(half) == 4 and total(half) == 0


def test_with_sets_of_boxes_and_the_other_parts_of_pseco():
    hooks = (FixedThresholdHook(0.0, cls=0.3, rpn=0.3), PredictionGuidedAssignHook(),
             ConsistencyVotingHook(), HalfViewHook())  # fmt: skip
    found = run(pair(*hooks))
    assert torch.isfinite(total(found)) and "unsup_half_loss_bbox" in found


def test_what_others_change_in_the_pass_counts_in_any_order():
    """Negatives are weighted by the teacher in the whole view and in the half one."""
    kinds = [HalfViewHook, BackgroundScoreHook]
    first, second, plain = (
        run(pair(Says((4, 4, 40, 40)), *(kind() for kind in order)))["unsup_half_loss_cls"].item()
        for order in (kinds, kinds[::-1], kinds[:1])
    )
    assert first == pytest.approx(second) and abs(first - plain) > 1e-3


def test_masks_learn_from_the_whole_view_alone():
    model = pair(FixedThresholdHook(0.0), HalfViewHook(), family="mask_rcnn")
    found = run(model, sup=0)
    assert torch.isfinite(total(found)) and not any("half_loss_mask" in name for name in found)


def test_others_are_refused():
    with pytest.raises(TypeError, match=r"not a FPN: set detector\.neck\.type='ShiftedFPN'"):
        build_pair(small_config("faster_rcnn")).attach(HalfViewHook())
    with pytest.raises(TypeError, match="learns the proposals of one RoI head twice"):
        build_pair(small_config("cascade_rcnn")).attach(HalfViewHook())
