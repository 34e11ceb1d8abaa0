"""What the core offers to hooks beside the hook points: features, logits, probabilities, shares."""

from contextlib import contextmanager

import pytest
import torch

from ssdet.hooks import StepHook
from ssdet.teacher_student.phase import Phase

from ..helpers import build_pair, losses, multi_branch
from ..seg_helpers import build_seg, seg_batch


class Passenger(StepHook):
    """Keeps the step, and writes down the passes of the student."""

    phase = Phase.OBSERVE

    def __init__(self):
        self.passes, self.inside = [], None

    @contextmanager
    def student_pass(self, step, branch):
        self.inside = branch
        yield
        self.inside = None
        self.passes.append(branch)

    def after_loss(self, step):
        self.step = step


def ridden(model, batch, needs=()):
    hook = Passenger()
    hook.needs = set(needs)
    model.attach(hook)
    return hook, losses(model, batch)


def test_every_pass_of_the_student_is_entered_and_left():
    hook, _ = ridden(build_seg(), seg_batch(views=2))
    assert hook.passes == ["sup", "unsup_student", "unsup_student_2"] and hook.inside is None


def test_the_labeling_pass_of_the_teacher_is_entered_and_left():
    model, seen = build_seg(), []

    class Listener(StepHook):
        phase = Phase.OBSERVE

        @contextmanager
        def teacher_pass(self, step):
            seen.append(("in", step.pseudo is None))
            yield
            seen.append(("out", len(step.pseudo)))

        def after_teacher(self, step):
            seen.append("after_teacher")

    model.attach(Listener())
    losses(model, seg_batch())
    assert seen == [("in", True), ("out", 2), "after_teacher"]


def test_a_joint_pass_refuses_a_hook_that_changes_single_passes():
    model = build_seg(joint_pass=True)
    with pytest.raises(ValueError, match="Passenger: changes single passes of the student"):
        model.attach(Passenger())
    model.attach(StepHook())


@pytest.mark.parametrize("build, batch", [(build_pair, multi_branch), (build_seg, seg_batch)])
def test_features_of_the_labeling_pass_are_kept(build, batch):
    model = build()
    hook, _ = ridden(model, batch())
    again = model.teacher.extract_feat(hook.step.weak.inputs)
    assert len(again) == len(hook.step.teacher_features)
    for one, other in zip(again, hook.step.teacher_features, strict=True):
        assert torch.equal(one, other) and not other.requires_grad
    assert "extract_feat" not in vars(model.teacher)


def test_features_are_not_kept_where_the_teacher_slides_windows():
    model = build_seg()
    sliding = dict(mode="slide", crop_size=(16, 16), stride=(16, 16))
    model.teacher.test_cfg = type(model.teacher.test_cfg)(sliding)
    hook, _ = ridden(model, seg_batch())
    assert hook.step.teacher_features is None


def test_equal_shares_and_the_name_of_the_view_in_its_losses():
    hook, found = ridden(build_seg(unsup_weight=3.0), seg_batch(views=2))
    assert hook.step.shares == {"unsup_student": 0.5, "unsup_student_2": 0.5}
    assert {"unsup_decode.loss_ce", "unsup_2_decode.loss_ce"} <= set(found)


def test_a_hook_sets_the_share_of_a_view():
    class Share(StepHook):
        def before_student(self, step):
            step.shares["unsup_student_2"] = 0.125

    torch.manual_seed(0)
    model, batch = build_seg(), seg_batch(views=2)
    plain = losses(model, batch)
    model.attach(Share())
    shared = losses(model, batch)
    assert shared["unsup_2_decode.loss_ce"] == plain["unsup_2_decode.loss_ce"] / 4
    assert shared["unsup_decode.loss_ce"] == plain["unsup_decode.loss_ce"]


def test_logits_of_the_student_are_recorded_with_their_gradient():
    model = build_seg()
    hook, found = ridden(model, seg_batch(), needs={"student_outputs"})
    assert set(hook.step.outputs) == {"sup", "unsup_student"}
    logits = hook.step.outputs["sup"]
    assert logits.shape[:2] == (2, 4) and logits.requires_grad
    labels = torch.stack([s.gt_sem_seg.data[0] for s in hook.step.sup.samples])
    large = torch.nn.functional.interpolate(logits, labels.shape[-2:], mode="bilinear")
    expected = torch.nn.functional.cross_entropy(large, labels, ignore_index=255)
    assert torch.allclose(found["sup_decode.loss_ce"], expected)
    assert "forward" not in vars(model.student.decode_head)


def test_probabilities_travel_with_the_labels():
    model = build_seg()
    # Mirrored: x' = 31 - x in views of 32 pixels.
    mirrored = [[-1, 0, 32], [0, 1, 0], [0, 0, 1]]
    hook, _ = ridden(model, seg_batch(homography=mirrored), needs={"soft_targets"})
    pseudo, target = hook.step.pseudo, hook.step.targets["unsup_student"]
    assert torch.allclose(pseudo.soft.sum(1), torch.ones(2, 32, 32))
    assert torch.equal(pseudo.soft.argmax(1), pseudo.labels)
    assert torch.allclose(pseudo.soft.amax(1), pseudo.scores)
    valid = target.valid
    assert valid.any() and torch.equal(target.soft.argmax(1)[valid], target.labels[valid])
    assert not target.soft.permute(0, 2, 3, 1)[~valid].any()


def test_one_channel_of_logits_becomes_two_probabilities():
    model = build_seg()
    soft = model.probabilities(torch.tensor([0.0, 2.0]).view(1, 1, 1, 2))
    assert torch.allclose(soft[0, :, 0, 1], torch.tensor([0.1192, 0.8808]), atol=1e-4)


def test_another_network_labels_and_learns():
    from ..seg_helpers import tiny_fcn

    model = build_seg(auxiliary=dict(second=tiny_fcn()))
    hook, _ = ridden(model, seg_batch())
    second = model.auxiliary["second"]
    found = model.label(hook.step.weak, second)
    assert not torch.equal(found.scores, hook.step.pseudo.scores)
    name = "unsup_student"
    learned = model.student_losses(hook.step.strong[name], hook.step.targets[name], second)
    learned["decode.loss_ce"].backward()
    assert all(p.grad is not None for p in second.parameters())
    assert all(p.grad is None for p in model.student.parameters())


def test_number_of_classes():
    assert build_pair().num_classes == 3 and build_seg().num_classes == 4


def test_the_batches_can_be_changed_before_anything_else_in_the_burn_in_too():
    class First(StepHook):
        def before_teacher(self, step):
            assert step.pseudo is None and not step.losses and not step.targets
            step.sup = None

    model = build_seg(burn_in=1)
    model.attach(First())
    batch = seg_batch()
    assert set(losses(model, batch)) == {"sup_loss"}
    found = losses(model, batch)
    assert "unsup_decode.loss_ce" in found and not any(key.startswith("sup_") for key in found)
