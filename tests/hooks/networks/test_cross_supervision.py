"""Two networks that teach each other."""

import copy
from types import SimpleNamespace

import pytest
import torch

from ssdet.hooks import (
    CrossSupervisionHook,
    CutMixHook,
    FixedThresholdHook,
    StepHook,
    TeacherEMAHook,
)
from ssdet.hooks._parts.network_hook import targets_of
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.step import PixelLabels

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, tiny_fcn

_ANY = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def build(mix=False, **settings):
    torch.manual_seed(0)
    model = build_seg(tiny_fcn(), auxiliary=dict(second=tiny_fcn()), **settings)
    spy = Spy()
    hooks = [TeacherEMAHook(0.0), CrossSupervisionHook(), *([CutMixHook(1.0)] if mix else []), spy]
    for hook in hooks:
        model.attach(hook)
    return model, spy


def unsup(found, name=""):
    return {k: v for k, v in found.items() if k.startswith(f"unsup_{name}decode") and "loss" in k}


def test_each_learns_the_labels_of_the_other():
    model, spy = build()
    batch = seg_batch(sup=0)
    found = losses(model, batch)
    step = spy.step
    own = model.label(step.weak, model.student)
    other = model.label(step.weak, model.auxiliary["second"])
    assert not torch.equal(own.labels, other.labels)
    student = model.student_losses(step.strong["unsup_student"], other)["decode.loss_ce"]
    second = model.student_losses(
        step.strong["unsup_student"], own, network=model.auxiliary["second"]
    )["decode.loss_ce"]
    assert found["unsup_decode.loss_ce"].item() == pytest.approx(student.item())
    assert found["unsup_second_decode.loss_ce"].item() == pytest.approx(second.item())


def test_swapping_the_networks_swaps_the_losses():
    model, _ = build()
    batch = seg_batch()
    first = losses(model, batch)
    student, second = (copy.deepcopy(m) for m in (model.student, model.auxiliary["second"]))
    model.student.load_state_dict(second.state_dict())
    model.teacher.load_state_dict(second.state_dict())
    model.auxiliary["second"].load_state_dict(student.state_dict())
    swapped = losses(model, batch)
    for part in ("sup_{}decode.loss_ce", "unsup_{}decode.loss_ce"):
        one, two = part.format(""), part.format("second_")
        assert first[one].item() == pytest.approx(swapped[two].item(), rel=1e-5)
        assert first[two].item() == pytest.approx(swapped[one].item(), rel=1e-5)


def test_both_learn_in_the_same_mixed_pictures():
    model, spy = build(mix=True)
    losses(model, seg_batch(sup=0, same=True))
    step = spy.step
    targets = step.targets["unsup_student"]
    inputs = step.strong["unsup_student"].inputs
    pasted = (inputs != step.weak.inputs).any(1)
    assert pasted.any()
    for network, labels in (("second", targets.labels), ("student", targets.extra_labels[:, 0])):
        module = model.auxiliary["second"] if network == "second" else model.student
        plain = model.label(step.weak, module).labels
        assert torch.equal(labels[~pasted], plain[~pasted])
        assert torch.equal(labels[pasted], plain.roll(1, 0)[pasted])


def test_annotations_that_are_pasted_are_for_both():
    model, spy = build()
    model.attach(CutMixHook(1.0, source="labeled"))
    model.hooks.append(model.hooks.pop(2))  # the spy looks at the end
    losses(model, seg_batch(same=True))
    targets, sup = spy.step.targets["unsup_student"], spy.step.sup
    pasted = (spy.step.strong["unsup_student"].inputs != spy.step.weak.inputs).any(1)
    truth = torch.stack([sample.gt_sem_seg.data[0] for sample in sup.samples])
    assert pasted.any()
    assert torch.equal(targets.extra_labels[:, 0][pasted], truth[pasted])
    assert torch.equal(targets.labels[pasted], truth[pasted])


def test_every_parameter_of_both_gets_a_gradient_and_the_teacher_none():
    model, _ = build()
    found = losses(model, seg_batch())
    sum(v for k, v in found.items() if "loss" in k).backward()
    for module in (model.student, model.auxiliary["second"]):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
    assert all(p.grad is None for p in model.teacher.parameters())


def test_labels_alone_and_burn_in_train_the_second_network():
    model, _ = build(burn_in=5)
    found = losses(model, seg_batch())
    assert found["sup_second_decode.loss_ce"] > 0
    assert not unsup(found) and not unsup(found, "second_")


def test_unlabeled_images_alone_reach_every_parameter():
    model, _ = build(burn_in=5)
    found = losses(model, seg_batch(sup=0))
    assert found["sup_second_loss"].item() == 0
    found["sup_second_loss"].backward()
    assert all(p.grad is not None for p in model.auxiliary["second"].parameters())


def test_statistics_of_the_second_network_do_not_move_while_it_labels():
    torch.manual_seed(0)
    second = tiny_fcn(norm="BN")
    model = build_seg(auxiliary=dict(second=second))
    model.attach(TeacherEMAHook(0.0))
    hook = CrossSupervisionHook()
    model.attach(hook)
    seen = []

    class Look(StepHook):
        phase = Phase.OBSERVE

        def after_teacher(self, step):
            bn = model.auxiliary["second"].backbone.bn1
            seen.append((int(bn.num_batches_tracked), bn.training))

    model.attach(Look())
    losses(model, seg_batch())
    assert seen == [(0, True)]


def test_targets_of_a_network():
    labels = torch.zeros(1, 1, 3, dtype=torch.long)
    others = torch.tensor([[[[1, 255, 2]]]])
    valid = torch.tensor([[[True, True, False]]])
    ones = torch.ones(1, 1, 3)
    found = targets_of(PixelLabels(labels, ones, ones, valid, None, others), 0)
    assert found.labels.tolist() == [[[1, 255, 2]]] and found.weights.tolist() == [[[1, 0, 0]]]
    with pytest.raises(ValueError, match="nothing for auxiliary networks"):
        targets_of(PixelLabels(labels, ones, ones, valid), 0)


def test_refusals():
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(CrossSupervisionHook())
    with pytest.raises(ValueError, match=r"no network 'second'; the model's auxiliary has \[\]"):
        build_seg().attach(CrossSupervisionHook())
    model = build_seg(auxiliary=dict(second=tiny_fcn()))
    hook = CrossSupervisionHook()
    model.attach(hook)
    with pytest.raises(ValueError, match=r"TeacherEMAHook', momentum=0\.0"):
        hook.before_train(SimpleNamespace(iter=0))


def test_networks_of_other_classes_are_refused():
    """The label 3 of the student would be out of the bounds of the other one's loss."""
    model = build_seg(auxiliary=dict(second=tiny_fcn(num_classes=3)))
    with pytest.raises(ValueError, match=r"gives 4 maps of logits, that of .*'second' .* 3 maps"):
        model.attach(CrossSupervisionHook())


def test_a_filter_that_is_listed_before_it_acts_on_its_labels():
    model = build_seg(auxiliary=dict(second=tiny_fcn()))
    average, threshold, hook = TeacherEMAHook(0.0), FixedThresholdHook(0.9), CrossSupervisionHook()
    for one in (average, threshold, hook):
        model.attach(one)
    assert model.hooks == [hook, threshold, average]


def test_a_network_at_rest_does_not_even_decay():
    model, _ = build()
    hook = next(h for h in model.hooks if isinstance(h, CrossSupervisionHook))
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=0.1, weight_decay=0.1, momentum=0.9)
    hook.watch(optimizer)
    model.frozen = {"second"}
    before = copy.deepcopy(model.state_dict())
    for _ in range(2):
        optimizer.zero_grad()
        sum(v for k, v in losses(model, seg_batch()).items() if "loss" in k).backward()
        optimizer.step()
    moved = {
        k.split(".")[0] for k, v in model.state_dict().items() if not torch.equal(v, before[k])
    }
    assert moved == {"student", "_iteration"}
