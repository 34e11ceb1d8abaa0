"""The core's promises, on a tiny detector."""

import copy
from collections import OrderedDict

import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from ssdet.hooks import FixedThresholdHook, NestedDropoutHook, StepHook
from ssdet.registry import MODELS
from ssdet.teacher_student.checkpoints import spread_to_both
from ssdet.teacher_student.compiled import compile_parts, is_compiled
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.recording import recorded_layers, recorded_parts

from ..helpers import build_pair, losses, multi_branch, tiny_retinanet, total


class Recorder(StepHook):
    """Writes down the hook points it came by."""

    phase = Phase.OBSERVE

    def __init__(self):
        self.seen = []

    def after_teacher(self, step):
        self.seen.append(("after_teacher", len(step.pseudo), step.targets == {}))

    def before_student(self, step):
        self.seen.append(("before_student", sorted(step.targets), "sup_loss_cls" in step.losses))

    def after_loss(self, step):
        self.seen.append(("after_loss", any(k.startswith("unsup_") for k in step.losses)))


def gradients(model, batch):
    model.zero_grad()
    total(losses(model, batch)).backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def test_teacher_starts_as_the_student_and_gets_no_gradient():
    model = build_pair()
    for key, value in model.student.state_dict().items():
        assert torch.equal(value, model.teacher.state_dict()[key])
    grads = gradients(model, multi_branch())
    assert all(name.startswith("student.") for name in grads)
    assert {n for n, _ in model.named_parameters() if n.startswith("student.")} == set(grads)


def test_teacher_stays_in_eval_mode_whatever_the_loop_calls():
    model = build_pair()
    model.train()
    assert model.student.training and not any(m.training for m in model.teacher.modules())
    model.eval().train()
    assert not any(m.training for m in model.teacher.modules())


def test_batch_norm_of_the_teacher_does_not_move_while_it_labels():
    model = build_pair(tiny_retinanet(norm="BN"))
    before = copy.deepcopy(model.teacher.state_dict())
    losses(model, multi_branch())
    for key, value in model.teacher.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_stations_come_in_order():
    model, hook = build_pair(), Recorder()
    model.attach(hook)
    losses(model, multi_branch())
    assert hook.seen == [
        ("after_teacher", 2, True),
        ("before_student", ["unsup_student"], False),
        ("after_loss", True),
    ]


@pytest.mark.parametrize(
    ("batch", "has"),
    [
        (dict(sup=2, unsup=0), (True, False)),
        (dict(sup=0, unsup=2), (False, True)),
        (dict(sup=1, unsup=3, views=2), (True, True)),
        (dict(sup=3, unsup=1), (True, True)),
    ],
)
def test_any_set_of_branches_is_legal(batch, has):
    model = build_pair()
    found = losses(model, multi_branch(**batch))
    assert any(k.startswith("sup_") for k in found) == has[0]
    assert any(k.startswith("unsup_") for k in found) == has[1]
    assert any(k.startswith("unsup_2_") for k in found) == (batch.get("views") == 2)
    assert torch.isfinite(total(found))


def test_plain_batch_is_the_labeled_branch():
    model, batch = build_pair(), multi_branch(unsup=0)
    plain = {key: batch[key]["sup"] for key in batch}
    assert set(losses(model, plain)) == set(losses(model, batch))


def test_weak_without_strong_is_refused_by_name():
    batch = multi_branch()
    for key in batch:
        del batch[key]["unsup_student"]
    with pytest.raises(ValueError, match=r"\['sup', 'unsup_teacher'\].*must both be there"):
        losses(build_pair(), batch)


def test_burn_in_ignores_the_teacher_then_copies_the_student():
    model = build_pair(burn_in=2)
    with torch.no_grad():
        for parameter in model.student.parameters():
            parameter.add_(0.01)
    for iteration in range(2):
        found = losses(model, multi_branch())
        assert model.iteration == iteration + 1
        assert not any("unsup" in k for k in found)
    key = "bbox_head.retina_cls.weight"
    assert not torch.equal(model.student.state_dict()[key], model.teacher.state_dict()[key])
    assert any("unsup" in k for k in losses(model, multi_branch()))
    assert torch.equal(model.student.state_dict()[key], model.teacher.state_dict()[key])


def test_burn_in_can_leave_the_teacher_as_it_is():
    model = build_pair(burn_in=1, copy_after_burn_in=False)
    with torch.no_grad():
        model.student.bbox_head.retina_cls.weight.add_(1.0)
    before = model.teacher.bbox_head.retina_cls.weight.clone()
    losses(model, multi_branch())
    losses(model, multi_branch())
    assert torch.equal(before, model.teacher.bbox_head.retina_cls.weight)


def test_unsup_weight_ramps_after_the_burn_in_and_scales_the_losses():
    batch = multi_branch(sup=0)
    full = build_pair()
    half = build_pair(unsup_weight=2.0, unsup_ramp=dict(length=4, kind="linear"), burn_in=3)
    half.load_state_dict(full.state_dict())
    half.iteration = 4  # one of four iterations after the burn-in: 2.0 * 1/4
    assert torch.allclose(total(losses(half, batch)), total(losses(full, batch)) * 0.5)


def test_several_strong_views_share_the_weight():
    batch = multi_branch(sup=0, views=2)
    for key in batch:
        batch[key]["unsup_student_2"] = batch[key]["unsup_student"]
    model = build_pair()
    two = total(losses(model, batch))
    for key in batch:
        del batch[key]["unsup_student_2"]
    assert torch.allclose(two, total(losses(model, batch)))


def test_nothing_kept_gives_zero_with_a_graph():
    model = build_pair()
    model.attach(FixedThresholdHook(1.0))
    found = losses(model, multi_branch(sup=0))
    assert total(found) == 0 and found["pseudo/empty_batch"] == 1
    total(found).backward()
    grads = [p.grad for p in model.student.parameters()]
    assert all(g is not None and not g.any() for g in grads)


def test_a_joint_pass_gives_the_same_losses_without_batch_statistics():
    batch = multi_branch(sup=2, unsup=2)
    apart, joint = build_pair(), build_pair(joint_pass=True)
    joint.load_state_dict(apart.state_dict())
    first, second = losses(apart, batch), losses(joint, batch)
    assert first.keys() == second.keys()
    assert torch.allclose(total(first), total(second), rtol=1e-5)
    assert "extract_feat" not in vars(joint.student)


def test_a_joint_pass_pads_views_of_different_size():
    batch = multi_branch()
    batch["inputs"]["sup"] = [torch.zeros(3, 96, 64, dtype=torch.uint8)] * 2 + [None] * 2
    assert torch.isfinite(total(losses(build_pair(joint_pass=True), batch)))


def test_who_answers_predict():
    model, batch = build_pair(), multi_branch(unsup=0)
    with torch.no_grad():
        model.teacher.bbox_head.retina_cls.bias.fill_(-20.0)
        model.student.bbox_head.retina_cls.bias.fill_(3.0)
    plain = {key: batch[key]["sup"] for key in batch}
    model.eval()
    teacher = model.val_step(copy.deepcopy(plain))[0].pred_instances.scores.max()
    model.predict_with = "student"
    student = model.val_step(copy.deepcopy(plain))[0].pred_instances.scores.max()
    assert teacher < 0.01 and student > 0.5


def test_plain_checkpoint_fills_both_models():
    plain = MODELS.build(dict(tiny_retinanet(), _scope_="mmdet"))
    model = build_pair()
    model.load_state_dict(plain.state_dict())
    for role in (model.student, model.teacher):
        for key, value in plain.state_dict().items():
            assert torch.equal(role.state_dict()[key], value)


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_checkpoint_of_one_role_fills_both(role):
    source, model = build_pair(), build_pair()
    state = {k: v for k, v in source.state_dict().items() if k.startswith(role)}
    model.load_state_dict(state)
    for key, value in getattr(source, role).state_dict().items():
        assert torch.equal(model.teacher.state_dict()[key], value)
        assert torch.equal(model.student.state_dict()[key], value)


def test_checkpoint_of_other_classes_says_what_is_left():
    plain = MODELS.build(dict(tiny_retinanet(num_classes=7), _scope_="mmdet"))
    state = {k: v for k, v in plain.state_dict().items() if "retina_cls" not in k}
    model = build_pair()
    said = spread_to_both(dict(state), "", model.student.state_dict())
    assert said.startswith("2 of ") and "bbox_head.retina_cls.weight" in said
    model.load_state_dict(state, strict=False)
    key = "bbox_head.retina_cls.weight"
    assert torch.equal(model.student.state_dict()[key], model.teacher.state_dict()[key])


def test_iteration_travels_with_the_weights():
    model = build_pair(burn_in=5)
    for _ in range(3):
        losses(model, multi_branch(unsup=0))
    other = build_pair(burn_in=5)
    other.load_state_dict(model.state_dict())
    assert other.iteration == 3


def test_mmdet_preprocessor_wrapper_is_understood():
    cfg = tiny_retinanet()
    wrapped = dict(
        type="mmdet.MultiBranchDataPreprocessor", data_preprocessor=cfg["data_preprocessor"]
    )
    model = build_pair(cfg, data_preprocessor=wrapped)
    assert torch.isfinite(total(losses(model, multi_branch())))


def test_batch_augmentations_leave_the_unlabeled_views_alone():
    cfg = tiny_retinanet()
    resize = dict(
        type="BatchSyncRandomResize", random_size_range=(96, 96), size_divisor=32, interval=1
    )
    cfg["data_preprocessor"] = dict(cfg["data_preprocessor"], batch_augments=[resize])
    model = build_pair(cfg)
    MessageHub.get_current_instance().update_info("iter", 0)  # what the augmentation asks for
    model.data_preprocessor(multi_branch(), True)
    data = model.data_preprocessor(multi_branch(), True)
    assert data["inputs"]["sup"].shape[-2:] == (96, 96)
    assert data["inputs"]["unsup_teacher"].shape[-2:] == (64, 64)


def test_auxiliary_models_are_learned_and_saved():
    model = build_pair(auxiliary=dict(other=tiny_retinanet()))
    assert any(n.startswith("auxiliary.other.") for n, _ in model.named_parameters())
    assert all(p.requires_grad for p in model.auxiliary["other"].parameters())


def test_compiled_student_trains():
    """As one that is not compiled does; with names of its own for nothing."""
    model = build_pair(compile_student=dict(backend="eager"))
    eager = build_pair()
    eager.load_state_dict(model.state_dict())
    batch = multi_branch()
    for _ in range(2):
        ours, theirs = (total(losses(one, batch)) for one in (model, eager))
        assert torch.allclose(ours, theirs, rtol=1e-5)
        ours.backward()
    assert all(p.grad is not None for p in model.student.backbone.parameters())


def test_compiled_are_backbone_and_neck_or_an_encoder():
    model = build_pair(compile_student=dict(backend="eager"))
    assert is_compiled(model.student.backbone) and is_compiled(model.student.neck)
    assert not is_compiled(model.student.bbox_head) and not is_compiled(model.teacher.backbone)
    assert is_compiled(build_pair(compile_student=True).student.neck)
    assert not is_compiled(build_pair(compile_student=False).student.neck)
    inner = nn.Sequential(OrderedDict(encoder=nn.Linear(1, 1), decoder=nn.Linear(1, 1)))
    compile_parts(nn.Sequential(OrderedDict(network=inner)), dict(backend="eager"))
    assert is_compiled(inner.encoder) and not is_compiled(inner.decoder)
    with pytest.raises(ValueError, match=r"compile_student='dict\(\)': give True or False"):
        compile_parts(inner, "dict()")  # as a command line gives it
    with pytest.raises(ValueError, match="Sequential has no backbone, neck or encoder"):
        compile_parts(nn.Sequential(nn.Linear(1, 1)), {})


def test_hooks_cannot_name_a_layer_of_a_compiled_part():
    model = build_pair(compile_student=dict(backend="eager"))
    message = r"backbone\.layer1: lies in a part of RetinaNet that compile_student compiles"
    with pytest.raises(ValueError, match=message):
        model.attach(NestedDropoutHook(layer="backbone.layer1"))
    model.attach(NestedDropoutHook(layer="bbox_head.retina_cls"))
    for recorded, named in (
        (recorded_layers, "backbone.layer1"),
        (recorded_parts, "layer:backbone.layer1"),
    ):
        with pytest.raises(ValueError, match=message), recorded(model.student, [named]):
            pass


def short_retinanet():
    """Of one level: tracing a whole detector takes longer the more layers it has."""
    cfg = tiny_retinanet()
    cfg["backbone"].update(num_stages=2, out_indices=(1,), strides=(1, 2), dilations=(1, 1))
    cfg["neck"].update(in_channels=[16], num_outs=1)
    cfg["bbox_head"]["anchor_generator"]["strides"] = [8]
    return cfg


def test_wrapped_student_trains():
    model = build_pair(short_retinanet())
    model.student = torch.compile(model.student, backend="eager")
    assert torch.isfinite(total(losses(model, multi_branch())))


def test_bf16_autocast_trains():
    model = build_pair()
    with torch.autocast("cpu", torch.bfloat16):
        found = losses(model, multi_branch(homography=[[-1, 0, 64], [0, 1, 0], [0, 0, 1]]))
    total(found).backward()
    assert torch.isfinite(total(found))


def test_plain_pytorch_loop_learns():
    model, batch = build_pair(unsup_weight=0.5), multi_branch()
    optimizer = torch.optim.AdamW(model.student.parameters(), lr=1e-3)
    history = []
    for _ in range(8):
        loss = total({k: v for k, v in losses(model, batch).items() if k.startswith("sup")})
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(float(loss.detach()))
    assert history[-1] < 0.8 * history[0]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (dict(predict_with="pupil"), "predict_with='pupil' is not one of"),
        (dict(unsup_weight=-1), "unsup_weight=-1 is not in"),
        (dict(unsup_ramp=dict(kind="linear")), "takes 'length'"),
        (dict(unsup_ramp=dict(length=3, kind="cubic")), "kind='cubic' is not one of"),
        (dict(min_visible=2), "min_visible=2 is not in"),
    ],
)
def test_settings_are_checked_when_built(setting, says):
    with pytest.raises(ValueError, match=says):
        build_pair(**setting)


def test_zero_loss_reaches_every_parameter():
    model = build_pair()
    model.zero_loss().backward()
    assert all(p.grad is not None for p in model.student.parameters())
    assert isinstance(model.student, nn.Module)


def test_mmdetections_validation_loop_asks_teacher_and_student():
    """It turns `semi_test_cfg["predict_on"]` and puts back what was there."""
    model = build_pair(predict_with="student").eval()
    assert model.semi_test_cfg.get("predict_on", None) == "student"
    for role in ("teacher", "student"):
        model.semi_test_cfg["predict_on"] = role
        assert model.predict_with == role and model.role is getattr(model, role)
    model.predict_with = "teacher"
    assert model.semi_test_cfg == {"predict_on": "teacher"}
