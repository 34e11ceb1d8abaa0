"""Fusion of views and of networks, in the step."""

import pytest
import torch

from ssdet.hooks import StepHook, TeacherEMAHook, UncertaintyFusionHook
from ssdet.mixing import orient, orient_back
from ssdet.teacher_student.phase import Phase
from ssdet.thresholds import fuse, uncertainty_of

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, tiny_fcn


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_teacher(self, step):
        self.pseudo = step.pseudo.map(torch.clone)

    def after_loss(self, step):
        self.step = step


def build(hook, networks=(), **settings):
    torch.manual_seed(0)
    model = build_seg(auxiliary={name: tiny_fcn() for name in networks}, **settings)
    spy = Spy()
    for one in (TeacherEMAHook(0.9), hook, spy):
        model.attach(one)
    return model, spy


def predicted(model, network, inputs, view="identity"):
    """Probabilities of a network that sees the inputs in an orientation."""
    turned = orient(inputs, view)
    size = turned.shape[-2:]
    with torch.no_grad():
        logits = network.inference(turned, [dict(img_shape=size, ori_shape=size)] * len(turned))
    return orient_back(logits.softmax(1), view)


@pytest.mark.parametrize("size", [(32, 32), (32, 48)])
def test_views_are_turned_back_and_fused(size):
    views = ("identity", "hflip", "rot90")
    model, spy = build(UncertaintyFusionHook(views, eps=0.1))
    losses(model, seg_batch(size=size))
    found = [predicted(model, model.teacher, spy.step.weak.inputs, view) for view in views]
    weights = [1 / (uncertainty_of(one) + 0.1) for one in found]
    expected = sum(w[:, None] * p for w, p in zip(weights, found, strict=True))
    expected = expected / sum(weights)[:, None]
    assert torch.allclose(spy.pseudo.soft, expected, atol=1e-5)
    assert torch.equal(spy.pseudo.labels, spy.pseudo.soft.argmax(1))
    assert torch.allclose(spy.pseudo.scores, expected.amax(1), atol=1e-5)


def test_one_view_is_the_teacher_as_it_is():
    model, spy = build(UncertaintyFusionHook(("identity",)))
    losses(model, seg_batch())
    plain = model.label(spy.step.weak)
    assert torch.equal(spy.pseudo.labels, plain.labels)
    assert torch.allclose(spy.pseudo.soft, plain.soft, atol=1e-6)
    assert spy.step.log["fusion/changed"] == 0


def test_a_network_does_not_hear_itself():
    hook = UncertaintyFusionHook(
        ("identity", "hflip", "rot180"), networks=("second", "third"), exclude_self=True
    )
    model, spy = build(hook, ("second", "third"), auxiliary_teachers=["third"])
    found = losses(model, seg_batch())
    inputs = spy.step.weak.inputs
    with torch.no_grad():
        for name in ("second", "third"):
            model.auxiliary[name].eval()
    sources = (model.teacher, model.auxiliary["second"], model.auxiliary_teachers["third"])
    each = torch.stack(
        [predicted(model, n, inputs, v) for n, v in zip(sources, hook.views, strict=True)]
    )
    unsure = uncertainty_of(each)
    assert torch.allclose(spy.pseudo.soft, fuse(each, unsure, without=0), atol=1e-5)
    for number in (0, 1):
        expected = fuse(each, unsure, without=number + 1).argmax(1)
        assert torch.equal(spy.pseudo.extra_labels[:, number], expected)
        assert found[f"unsup_{hook.names[number]}_decode.loss_ce"] > 0


def test_a_network_learns_in_its_own_orientation():
    """A network that sees everything turned learns like one that sees nothing turned."""
    turned = UncertaintyFusionHook(("identity", "rot90"), networks=("second",))
    model, spy = build(turned, ("second",))
    batch = seg_batch()
    found = losses(model, batch)
    step = spy.step
    gt = torch.stack([s.gt_sem_seg.data[0] for s in step.sup.samples])
    logits = model.auxiliary["second"](torch.rot90(step.sup.inputs, 1, (-2, -1)), mode="tensor")
    logits = torch.nn.functional.interpolate(logits, (32, 32), mode="bilinear")
    expected = torch.nn.functional.cross_entropy(logits, torch.rot90(gt, 1, (-2, -1)))
    assert found["sup_second_decode.loss_ce"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_uncertainty_of_an_image_is_one_number():
    model, spy = build(UncertaintyFusionHook(extent="image", eps=0.1))
    losses(model, seg_batch())
    found = [
        predicted(model, model.teacher, spy.step.weak.inputs, v) for v in ("identity", "hflip")
    ]
    means = [uncertainty_of(one).mean((1, 2)) for one in found]
    weights = [1 / (mean + 0.1)[:, None, None, None] for mean in means]
    expected = sum(w * p for w, p in zip(weights, found, strict=True)) / sum(weights)
    assert torch.allclose(spy.pseudo.soft, expected, atol=1e-5)


def test_passes_with_dropout_vary_and_leave_no_trace():
    torch.manual_seed(0)
    model = build_seg(tiny_fcn(dropout_ratio=0.5))
    spy = Spy()
    for one in (UncertaintyFusionHook(("identity", "hflip"), passes=3), spy):
        model.attach(one)
    losses(model, seg_batch())
    assert spy.step.log["fusion/uncertainty"] > 0
    assert not any(m.training for m in model.teacher.modules())


def test_passes_need_a_network_that_varies():
    """Without dropout the variance is 0 everywhere, and everything would be fused alike."""
    with pytest.raises(ValueError, match="'student' has no dropout"):
        build_seg().attach(UncertaintyFusionHook(passes=2))
    varying = tiny_fcn(dropout_ratio=0.5)
    hook = UncertaintyFusionHook(networks=("second",), passes=2)
    with pytest.raises(ValueError, match="passes=2, but the network 'second' has no dropout"):
        build_seg(varying, auxiliary=dict(second=tiny_fcn())).attach(hook)
    build_seg(varying, auxiliary=dict(second=varying)).attach(hook)


def test_every_network_gets_a_gradient():
    model, _ = build(UncertaintyFusionHook(networks=("second",)), ("second",))
    found = losses(model, seg_batch())
    sum(v for k, v in found.items() if "loss" in k).backward()
    for network in (model.student, model.auxiliary["second"]):
        assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(views=("identity", "shear")), "views='shear'"),
        (dict(views=("identity",), exclude_self=True), "leave nothing to fuse"),
        (dict(views=("identity",), networks=("second",)), "give one view for the"),
        (dict(views=("hflip", "identity"), networks=("second",)), "give one view for the"),
        (dict(eps=0), "eps=0"),
        (dict(passes=1), "one pass has no variance"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=says):
        UncertaintyFusionHook(**settings)


def test_a_detector_is_refused():
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(UncertaintyFusionHook())
