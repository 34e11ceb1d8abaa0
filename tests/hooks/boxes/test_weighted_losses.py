"""Noise-weighted Dice and equivariance in a step."""

import pytest
import torch
from mmengine.structures import PixelData

from ssdet.hooks import EquivarianceHook, NoisyDiceHook, StepHook
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.step import PixelLabels, Step, Views

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, seg_sample

VIEW = "unsup_student"


def step_of(model, logits, targets, inputs=None):
    size = targets.labels.shape[-2:]
    views = Views(torch.zeros(1, 3, *size) if inputs is None else inputs, [seg_sample(size)])
    return Step(
        model, 5, strong={VIEW: views}, targets={VIEW: targets}, outputs={VIEW: logits},
        shares={VIEW: 1.0},
    )  # fmt: skip


def noisy(**settings):
    model = build_seg()
    hook = NoisyDiceHook(**settings)
    model.attach(hook)
    # Four classes; the teacher gives the labels of three pixels 0.8, 0.5 and 0.25.
    soft = torch.tensor([[0.8, 0.5, 0.25], [0.2, 0.5, 0.25], [0, 0, 0.25], [0, 0, 0.25]])
    ones = torch.ones(1, 1, 3)
    weights = torch.tensor([[[1.0, 1.0, 0.0]]])
    targets = PixelLabels(
        torch.tensor([[[0, 1, 2]]]), ones, weights, ones.bool(), soft[None, :, None]
    )
    step = step_of(model, torch.zeros(1, 4, 1, 3), targets)
    hook.after_loss(step)
    return step


def test_the_teacher_judges_the_labels():
    step = noisy(weight=2.0)
    # The student says 0.25 for each class; the last pixel was not to be trained on.
    expected = 1 - (2 * 0.25 * 1.3 + 0.001) / (2 * 1.3 + 0.001)
    assert step.losses["unsup_loss_noisy_dice"].item() == pytest.approx(2 * expected)
    assert step.log["noisy_dice/weight"].item() == pytest.approx(0.65)


def test_a_power_of_zero_trusts_all_labels_alike():
    step = noisy(power=0.0)
    expected = 1 - (2 * 0.25 * 2 + 0.001) / (2 * 2 + 0.001)
    assert step.losses["unsup_loss_noisy_dice"].item() == pytest.approx(expected)


def test_dice_of_each_class():
    step = noisy(per_class=True)
    # Of the labels 0 and 1, which weigh 0.8 and 0.5, and of two classes that are not there.
    dice = [2 * 0.25 * 0.8 / (0.25 * 1.3 + 0.8), 2 * 0.25 * 0.5 / (0.25 * 1.3 + 0.5), 0, 0]
    expected = 1 - sum(dice) / 4
    assert step.losses["unsup_loss_noisy_dice"].item() == pytest.approx(expected, abs=1e-4)


class Pointwise(torch.nn.Module):
    """A student that looks at single pixels is equivariant by itself."""

    def forward(self, inputs, mode):
        return torch.cat([inputs, inputs[:, :1] * 0], dim=1)


class Positional(torch.nn.Module):
    """One that says the left is another class than the right is not."""

    def forward(self, inputs, mode):
        across = torch.linspace(-4, 4, inputs.shape[-1]).expand_as(inputs[:, :1])
        return torch.cat([inputs * 0, across], dim=1)


def equivariance(student, **settings):
    torch.manual_seed(0)
    model = build_seg()
    hook = EquivarianceHook(**settings)
    model.attach(hook)
    # Smooth, so that resampling loses nothing; never 0, as what lies outside is.
    wave = torch.linspace(0, 3, 64).sin()
    inputs = torch.stack([wave[:, None] * wave, wave.expand(64, 64), wave[:, None].expand(64, 64)])
    inputs = inputs[None] + 1
    ones = torch.ones(1, 64, 64)
    valid = ones.bool()
    valid[:, :, 50:] = False
    targets = PixelLabels(ones.long(), ones, ones, valid)
    student.decode_head = model.student.decode_head
    model.student = student
    logits = student(inputs, mode="tensor").requires_grad_()
    step = step_of(model, logits, targets, inputs)
    loss = hook.compare(step, VIEW)
    return loss, logits, step


def test_a_student_without_a_sense_of_place_has_no_loss():
    loss, _, step = equivariance(Pointwise(), rotation=30.0, elastic=0.05, flip=1.0)
    assert loss.item() < 1e-5
    # 14 of 64 columns are not valid, and turning loses some more.
    assert 0.4 < step.log["equivariance/seen"].item() < 50 / 64


def test_a_student_with_one_has():
    loss, logits, _ = equivariance(Positional(), flip=1.0)
    assert loss.item() > 0.02
    loss.backward()
    # What is not seen gets no gradient; the rest does.
    assert logits.grad[..., 52:].abs().max() == 0 and logits.grad[..., 20:40].abs().max() > 0


def test_a_detached_target_gets_no_gradient():
    loss, _, _ = equivariance(Positional(), flip=1.0, detach=True)
    assert not loss.requires_grad


@pytest.mark.parametrize(
    "hook", [NoisyDiceHook(), EquivarianceHook(), EquivarianceHook(labeled=True, elastic=0.0)]
)
def test_a_whole_step_with_two_views_reaches_the_student_alone(hook):
    model = build_seg(unsup_weight=0.0, sup_weight=0.0)
    model.attach(hook)
    batch = seg_batch(views=2)
    unknown = PixelData(data=torch.full((1, 32, 32), 255))
    batch["data_samples"]["sup"][0].gt_sem_seg = unknown
    found = losses(model, batch)
    names = {k for k in found if hook.loss_name in k and "loss" in k}
    expected = {f"unsup_loss_{hook.loss_name}", f"unsup_2_loss_{hook.loss_name}"}
    labeled = {"sup_loss_equivariance"} if getattr(hook, "labeled", False) else set()
    assert names == expected | labeled
    sum(found[name] for name in names).backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.student.parameters())
    assert all(p.grad is None for p in model.teacher.parameters())


@pytest.mark.parametrize("kind", [NoisyDiceHook, EquivarianceHook])
def test_nothing_was_labeled(kind):
    class Doubt(StepHook):
        phase = Phase.LABEL

        def after_teacher(self, step):
            step.pseudo.weights *= 0

    model = build_seg()
    for hook in (Doubt(), kind()):
        model.attach(hook)
    found = losses(model, seg_batch())
    assert all(torch.isfinite(v).all() for v in found.values() if isinstance(v, torch.Tensor))
    assert found["pseudo/empty_batch"] == 1
    # Equivariance needs no label, and so is learned in such a step too.
    loss = found.get(f"unsup_loss_{kind.loss_name}", torch.zeros(()))
    assert (loss > 0) == (kind is EquivarianceHook)


@pytest.mark.parametrize("kind", [NoisyDiceHook, EquivarianceHook])
def test_detectors_are_refused_by_name(kind):
    with pytest.raises(TypeError, match=f"{kind.__name__}: .*not with a TeacherStudentDetector"):
        build_pair().attach(kind())


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (NoisyDiceHook, dict(power=-1)),
        (EquivarianceHook, dict(rotation=200)),
        (EquivarianceHook, dict(scale=(0, 1))),
        (EquivarianceHook, dict(points=1)),
        (EquivarianceHook, dict(elastic=-0.1)),
    ],
)
def test_settings_are_checked(kind, settings):
    with pytest.raises(ValueError, match=f"{kind.__name__}: {next(iter(settings))}="):
        kind(**settings)
