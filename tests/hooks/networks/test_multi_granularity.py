"""Distillation from a wide and a deep network, in the step."""

import copy
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from ssdet.hooks import MultiGranularityHook, StepHook, TeacherEMAHook
from ssdet.losses import gap_logit_l1, region_similarity
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.recording import recorded_layers

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, tiny_fcn

LAYERS = dict(region_layer="decode_head.convs", logit_layer="decode_head.conv_seg")


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_teacher(self, step):
        self.pseudo = step.pseudo.map(torch.clone)

    def after_loss(self, step):
        self.step = step


def build(norm="GN", **settings):
    torch.manual_seed(0)
    hook = MultiGranularityHook(**LAYERS, **settings)
    auxiliary = dict(wide=tiny_fcn(norm=norm, channels=16), deep=tiny_fcn(norm=norm))
    model = build_seg(auxiliary=auxiliary)
    spy = Spy()
    for one in (TeacherEMAHook(0.0), hook, spy):
        model.attach(one)
    return model, spy, hook


def outputs(network, inputs):
    network = copy.deepcopy(network).eval()
    with torch.no_grad(), recorded_layers(network, LAYERS.values()) as found:
        network(inputs, mode="tensor")
    return found


def test_losses_of_three_levels_by_their_definition():
    model, spy, hook = build()
    found = losses(model, seg_batch(sup=0))
    views = spy.step.strong["unsup_student"]
    student, wide, deep = (
        outputs(one, views.inputs)
        for one in (model.student, model.auxiliary["wide"], model.auxiliary["deep"])
    )
    region = region_similarity(student[hook.region_layer], wide[hook.region_layer])
    image = gap_logit_l1(student[hook.logit_layer], deep[hook.logit_layer])
    assert found["unsup_mgd_loss_region"].item() == pytest.approx(100 * region.item(), rel=1e-4)
    assert found["unsup_mgd_loss_image"].item() == pytest.approx(0.002 * image.item(), rel=1e-4)
    wide_says = model.label(spy.step.weak, model.auxiliary["wide"]).labels
    deep_says = model.label(spy.step.weak, model.auxiliary["deep"]).labels
    assert torch.equal(spy.pseudo.labels, wide_says)
    logits = F.interpolate(student[hook.logit_layer], (32, 32), mode="bilinear")
    for key, labels in (("decode.loss_ce", wide_says), ("mgd_loss_deep", deep_says)):
        expected = F.cross_entropy(logits, labels).item()
        assert found[f"unsup_{key}"].item() == pytest.approx(expected, rel=1e-4)


def test_labeled_images_distil_too():
    model, spy, hook = build()
    found = losses(model, seg_batch())
    inputs = spy.step.sup.inputs
    student, wide = (
        F.interpolate(outputs(one, inputs)[hook.logit_layer], (32, 32), mode="bilinear")
        for one in (model.student, model.auxiliary["wide"])
    )
    expected = F.cross_entropy(student, wide.argmax(1)).item()
    assert found["sup_mgd_student_loss_wide"].item() == pytest.approx(expected, rel=1e-4)
    assert "sup_mgd_wide_loss_student" not in found


def test_logits_are_enlarged_as_the_heads_do():
    """With align_corners=True of all heads, as the full-size configs have it."""
    torch.manual_seed(0)
    aligned = tiny_fcn(align_corners=True)
    model = build_seg(aligned, auxiliary=dict(wide=aligned, deep=aligned))
    hook = MultiGranularityHook(**LAYERS)
    for one in (TeacherEMAHook(0.0), hook):
        model.attach(one)
    model.auxiliary["wide"].load_state_dict(model.auxiliary["deep"].state_dict())
    found = losses(model, seg_batch())
    # Both say the same, so the student's own loss and that of the hook are one number.
    own = found["unsup_decode.loss_ce"].item()
    assert found["unsup_mgd_loss_deep"].item() == pytest.approx(own, rel=1e-5)


@pytest.mark.parametrize(
    ("learning", "learners"), [("none", set()), ("wide", {"wide"}), ("all", {"wide", "deep"})]
)
def test_who_learns(learning, learners):
    model, _, _ = build(learning=learning)
    found = losses(model, seg_batch())
    sum(v for k, v in found.items() if "loss" in k).backward()
    assert model.frozen == {"wide", "deep"} - learners
    assert all(p.grad is not None and p.grad.any() for p in model.student.parameters())
    for name in ("wide", "deep"):
        grads = [p.grad for p in model.auxiliary[name].parameters()]
        assert all(g is not None for g in grads), "another process would wait"
        assert all(g.any() for g in grads) == (name in learners)
        assert (f"unsup_{name}_decode.loss_ce" in found) == (name in learners)
        assert (f"sup_mgd_{name}_loss_student" in found) == (name in learners)


def test_region_and_image_losses_do_not_reach_the_larger_networks():
    model, _, _ = build(learning="all")
    found = losses(model, seg_batch(sup=0))
    (found["unsup_mgd_loss_region"] + found["unsup_mgd_loss_image"]).backward()
    for network in model.auxiliary.values():
        assert all(p.grad is None for p in network.parameters())


def test_frozen_networks_keep_weights_and_statistics():
    model, _, hook = build(norm="BN")
    before = copy.deepcopy(model.auxiliary.state_dict())
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=0.1, weight_decay=0.1)
    hook.watch(optimizer)
    sum(v for k, v in losses(model, seg_batch()).items() if "loss" in k).backward()
    optimizer.step()
    assert all(torch.equal(v, before[k]) for k, v in model.auxiliary.state_dict().items())
    assert all(m.training for m in model.auxiliary.modules())


def test_all_networks_learn_the_labels_in_the_burn_in():
    model, _, _ = build()
    model.burn_in = 5
    found = losses(model, seg_batch())
    assert model.frozen == set()
    assert found["sup_wide_decode.loss_ce"] > 0 and found["sup_deep_decode.loss_ce"] > 0
    assert not any("mgd" in key for key in found)


def test_refusals():
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(MultiGranularityHook())
    networks = dict(wide=tiny_fcn(), deep=tiny_fcn())
    with pytest.raises(ValueError, match=r"region_layer='decode_head.bottleneck' is no part"):
        build_seg(auxiliary=networks).attach(MultiGranularityHook())
    with pytest.raises(ValueError, match="give two networks"):
        MultiGranularityHook(wide="deep")
    loss = dict(type="CrossEntropyLoss", use_sigmoid=True)
    binary = tiny_fcn(num_classes=2, out_channels=1, loss_decode=loss)
    with pytest.raises(ValueError, match="one map for two classes"):
        build_seg(binary, auxiliary=dict(wide=binary, deep=binary)).attach(
            MultiGranularityHook(**LAYERS)
        )
    model = build_seg(auxiliary=networks)
    hook = MultiGranularityHook(**LAYERS)
    model.attach(hook)
    with pytest.raises(ValueError, match="must follow"):
        hook.before_train(SimpleNamespace(iter=0))
