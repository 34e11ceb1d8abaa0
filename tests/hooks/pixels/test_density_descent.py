"""DDFP as a hook of the step."""

import pytest
import torch

from ssdet.hooks import DensityDescentHook, FixedThresholdHook, StepHook, TeacherEMAHook
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, padded_from, seg_batch, tiny_fcn, with_other_labeled

FLOW = dict(type="FeatureFlow", dim=8, num_classes=4, hidden=8)
NORMS = dict(type="SecondNorms", channels=[8], norm_cfg=dict(type="BN"))
LAYER = "decode_head.convs"


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def pair(norm="BN", **settings):
    torch.manual_seed(1)
    cfg = tiny_fcn(norm="GN")
    cfg["decode_head"]["norm_cfg"] = dict(type=norm)
    return build_seg(cfg, auxiliary=dict(flow=FLOW, norms=NORMS), **settings)


def hook(**settings):
    return DensityDescentHook(**{"layer": LAYER, **settings})


def taken(*hooks, model=None, batch=None):
    model, spy = model or pair(), Spy()
    for one in (TeacherEMAHook(0.9), *hooks, spy):
        model.attach(one)
    return losses(model, batch or seg_batch()), spy.step


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_a_move_of_length_0_is_the_strong_view_itself(share):
    """But for the statistics: the second normalizations start as the first ones did."""
    found, step = taken(hook(length=0.0, share=share))
    expected = found["unsup_decode.loss_ce"] * share / (1 - share)
    torch.testing.assert_close(found["unsup_loss_density"], expected)
    assert step.shares["unsup_student"] == 1 - share


def test_moved_features_lie_less_densely():
    model = pair()
    one = hook(length=0.5)
    _, step = taken(one, model=model)
    seen = {}
    flow = model.auxiliary["flow"]
    layer, norms = model.student.get_submodule(LAYER), model.auxiliary["norms"]
    given = step.layers["unsup_student"]["layer_input:" + LAYER].detach()
    state = norms.state_for(layer)
    move = one._move(step, (layer, state), given, step.targets["unsup_student"])
    torch.testing.assert_close(move.norm(dim=1), torch.full_like(move[:, 0], 0.5))
    for name, place in (("before", given), ("after", given + 0.02 * move)):
        features = torch.func.functional_call(layer, dict(state), (place,)).movedim(1, -1)
        with torch.no_grad():
            seen[name] = flow(features.flatten(0, 2)).logsumexp(-1).mean().item()
    assert seen["after"] < seen["before"]


def test_pixels_without_a_kept_label_do_not_move():
    _, step = taken(FixedThresholdHook(1.0), hook())
    assert step.losses["unsup_loss_density"] == 0
    model = pair()
    one = hook()
    _, step = taken(one, model=model)
    targets = step.targets["unsup_student"]
    targets.weights[0] = 0
    layer = model.student.get_submodule(LAYER)
    given = step.layers["unsup_student"]["layer_input:" + LAYER].detach()
    move = one._move(step, (layer, {}), given, targets)
    assert move[1].abs().sum() > 0


def test_the_direction_is_sought_without_a_kept_label_too():
    """In SyncBN another process, which has labels, waits for the gradient of this one."""
    model, one, gradients = pair(), hook(), []
    _, step = taken(one, model=model)
    targets, layer = step.targets["unsup_student"], model.student.get_submodule(LAYER)
    targets.weights[:] = 0
    given = step.layers["unsup_student"]["layer_input:" + LAYER].detach()

    def watch(_, __, output):
        output.register_hook(gradients.append)

    layer.register_forward_hook(watch)
    move = one._move(step, (layer, {}), given, targets)
    assert not move.any() and len(gradients) == 1 and not gradients[0].any()


def test_the_flow_learns_by_its_own_loss_and_nothing_else_by_it():
    model = pair()
    found, _ = taken(hook(), model=model)
    found["flow_loss"].backward()
    flow = model.auxiliary["flow"]
    assert 8 * found["flow_loss"].item() == pytest.approx(-found["density/mean"].item(), rel=1e-5)
    assert all(p.grad is not None for p in flow.parameters())
    assert all(p.grad is None or not p.grad.any() for p in model.student.parameters())
    model.zero_grad()
    found, _ = taken(model=model)
    found["unsup_loss_density"].backward()
    assert all(p.grad is None or not p.grad.any() for p in flow.parameters())
    learned = (model.student.backbone, model.student.decode_head, model.auxiliary["norms"])
    assert all(any(p.grad is not None and p.grad.any() for p in m.parameters()) for m in learned)


def test_moving_begins_behind_the_start():
    model = pair(burn_in=1)
    one = hook(start=1)
    found, _ = taken(one, model=model)
    assert found["flow_loss"] == 0 and found["unsup_loss_density"] == 0
    found, step = taken(model=model)
    assert found["flow_loss"] > 0 and found["unsup_loss_density"] == 0
    assert step.shares["unsup_student"] == 1
    found, step = taken(model=model)
    assert found["unsup_loss_density"] > 0 and step.shares["unsup_student"] == 0.5


def test_the_statistics_of_the_layer_see_the_strong_view_once():
    model = pair()
    taken(hook(), model=model)
    counts = [int(m.num_batches_tracked) for m in model.student.decode_head.modules()
              if isinstance(m, torch.nn.BatchNorm2d)]  # fmt: skip
    assert counts == [2]  # labeled and strong
    assert int(model.auxiliary["norms"].norms[0].num_batches_tracked) == 1


def test_annotated_pixels_of_255_and_padding_teach_the_flow_nothing():
    batch = seg_batch(1, 1)
    for sample in batch["data_samples"]["sup"]:
        if sample is not None:
            sample.gt_sem_seg.data[:] = 255
    found, _ = taken(hook(), batch=padded_from(batch, 0))
    assert found["flow_loss"] == 0


def test_the_teacher_sees_views_that_a_joint_pass_has_padded():
    """Else its features would be of another frame than the labels of their pixels."""
    batch = with_other_labeled(seg_batch(size=(64, 32)), (32, 32))
    _, step = taken(hook(), model=pair(joint_pass=True), batch=batch)
    labels = step.sup.samples[0].gt_sem_seg.data
    assert labels.shape == (1, 64, 32) and step.sup.inputs.shape[-2:] == (64, 32)
    assert step.teacher_pixels["sup"].shape == step.pixel_features["sup"].shape


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="must be a FeatureFlow of its 4 classes"):
        build_seg().attach(hook())
    with pytest.raises(ValueError, match="must be a SecondNorms"):
        build_seg(auxiliary=dict(flow=FLOW)).attach(hook())
    with pytest.raises(ValueError, match="SecondNorms: does not fit"):
        pair("SyncBN").attach(hook(layer="backbone.layer1"))
    with pytest.raises(ValueError, match="share=1"):
        hook(share=1)
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(hook())
