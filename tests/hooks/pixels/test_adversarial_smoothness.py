"""SS-Net's smoothness as a hook of the step."""

import pytest
import torch
from torch import nn

from ssdet.hooks import AdversarialSmoothnessHook, StepHook
from ssdet.hooks.pixels.adversarial_smoothness import scaled, still_statistics
from ssdet.losses import soft_dice
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.step import Views

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, padded_from, seg_batch, tiny_fcn


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def taken(one, batch=None, **settings):
    torch.manual_seed(0)
    model, spy = build_seg(tiny_fcn(norm=settings.pop("norm", "GN")), **settings), Spy()
    for each in (one, spy):
        model.attach(each)
    return losses(model, batch or seg_batch()), spy.step


def test_noise_has_a_length():
    """Two pixels with the gradient (3, 4): direction (.6, .8); of the length 6: 3.6, 4.8."""
    gradient = torch.tensor([3.0, 4.0]).view(1, 1, 1, 2)
    found = scaled(gradient, 6 / 2**0.5)
    torch.testing.assert_close(found, torch.tensor([3.6, 4.8]).view(1, 1, 1, 2))
    assert not scaled(torch.zeros(2, 3, 4, 4), 1.0).any()
    torch.testing.assert_close(scaled(gradient * 1e-30, 6 / 2**0.5), found)  # squares vanish


def test_the_worst_noise_is_worse_than_a_random_one():
    one = AdversarialSmoothnessHook(weight=1.0)
    found, step = taken(one)
    model, worst = step.model, found["unsup_loss_smooth"].item()
    for attempt in range(5):
        torch.manual_seed(attempt)
        distances = []
        for name in ("sup", "unsup_student"):
            views = step.branches[name]
            noise = scaled(torch.rand_like(views.inputs) - 0.5, one.strength)
            with torch.no_grad():
                changed = model.forward_outputs(Views(views.inputs + noise, views.samples))
            target = step.outputs[name].softmax(1)
            valid = torch.ones_like(target[:, 0], dtype=torch.bool)
            distances.append(soft_dice(changed.softmax(1), target, valid).item())
        assert worst > sum(distances) / 2


def test_the_noise_that_probes_and_the_noise_that_is_borne_have_their_own_lengths():
    torch.manual_seed(0)
    model, spy = build_seg(), Spy()
    for each in (AdversarialSmoothnessHook(probe=0.2, strength=0.05), spy):
        model.attach(each)
    forward, seen = model.forward_outputs, []

    def watched(views, *network):
        seen.append(views.inputs.detach())
        return forward(views, *network)

    model.forward_outputs = watched
    losses(model, padded_from(seg_batch(0, 2), 24))
    noise = torch.stack(seen[-2:]) - spy.step.branches["unsup_student"].inputs
    lengths = noise.square().mean((2, 3, 4)).sqrt()
    torch.testing.assert_close(lengths, torch.tensor([[0.2] * 2, [0.05] * 2]))
    assert not noise[..., 24:].any(), "padding gets none"


def test_statistics_are_those_of_the_student_alone():
    states = {}
    for name, hook in (("with", AdversarialSmoothnessHook()), ("without", Spy())):
        _, step = taken(hook, norm="BN", batch=seg_batch_of_one_kind())
        states[name] = {k: v for k, v in step.model.student.state_dict().items() if "running" in k}
    assert states["with"].keys() == states["without"].keys()
    for key, value in states["with"].items():
        assert torch.equal(value, states["without"][key]), key


def seg_batch_of_one_kind():
    torch.manual_seed(3)
    return seg_batch()


def test_batch_norms_use_the_batch_and_remember_none():
    norm = nn.BatchNorm2d(2)
    given = torch.randn(4, 2, 3, 3) * 5 + 2
    with still_statistics(norm):
        found = norm(given)
    assert found.mean().abs() < 1e-5 and norm.track_running_stats
    assert not norm.running_mean.any() and int(norm.num_batches_tracked) == 0


@pytest.mark.parametrize("joint", [False, True])
def test_the_gradient_reaches_the_student_and_a_batch_of_one_kind_works(joint):
    found, step = taken(AdversarialSmoothnessHook(weight=1.0), joint_pass=joint)
    for output in step.outputs.values():
        output.retain_grad()
    found["unsup_loss_smooth"].backward()
    assert all(output.grad is None for output in step.outputs.values()), "they are the target"
    assert all(p.grad is not None for p in step.model.student.parameters())
    alone, _ = taken(AdversarialSmoothnessHook(), seg_batch(2, 0), joint_pass=joint)
    assert alone["unsup_loss_smooth"] > 0


def test_padding_gets_no_noise_and_has_no_loss():
    found, _ = taken(AdversarialSmoothnessHook(), padded_from(seg_batch(0, 2), 0))
    assert found["unsup_loss_smooth"].item() == pytest.approx(0, abs=1e-6)


def test_the_ramp_begins_behind_the_burn_in():
    found, _ = taken(AdversarialSmoothnessHook(), burn_in=1)
    assert "unsup_loss_smooth" not in found
    full, _ = taken(AdversarialSmoothnessHook(weight=1.0))
    risen, _ = taken(AdversarialSmoothnessHook(weight=1.0, ramp_length=100))
    share = risen["unsup_loss_smooth"] / full["unsup_loss_smooth"]
    assert share.item() == pytest.approx(0.0067379, rel=1e-3)


def test_what_cannot_work_is_refused():
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(AdversarialSmoothnessHook())
    with pytest.raises(ValueError, match="strength=0"):
        AdversarialSmoothnessHook(strength=0)
