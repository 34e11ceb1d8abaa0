"""The passes that hooks ask for, and that nothing is computed which nobody asked for."""

import pytest
import torch
from torch import nn

from ssdet.hooks import FixedThresholdHook, StepHook
from ssdet.teacher_student.outputs import DenseOutputs
from ssdet.teacher_student.phase import Phase

from ..families.detectors import small_config
from ..helpers import build_pair, losses, multi_branch, tiny_retinanet, total
from ..seg_helpers import build_seg, seg_batch, tiny_fcn


class Spy(StepHook):
    """Asks for something and keeps the step."""

    phase = Phase.OBSERVE

    def __init__(self, *needs):
        self.needs = set(needs)
        self.step = None

    def after_loss(self, step):
        self.step = step


def seen(model, batch, *needs):
    spy = Spy(*needs)
    model.attach(spy)
    found = losses(model, batch)
    return spy.step, found


def counted(module):
    """How often a module is called."""
    calls = []
    module.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_nothing_is_recorded_and_no_pass_is_taken_that_nobody_asked_for():
    model = build_seg()
    student, teacher = counted(model.student.backbone), counted(model.teacher.backbone)
    step, _ = seen(model, seg_batch())
    assert (len(student), len(teacher)) == (2, 1)  # sup and strong; weak
    assert not (step.outputs or step.teacher_outputs or step.features or step.pixel_features)
    assert step.weak_outputs is None and step.pseudo.soft is None and not step.rows
    assert step.teacher_pixel_features is None


def test_the_weak_pass_has_a_graph_and_no_loss():
    torch.manual_seed(0)
    model, batch = build_seg(), seg_batch()
    plain = losses(model, batch)
    step, found = seen(model, batch, "weak_pass")
    assert {k for k in found if "loss" in k} == {k for k in plain if "loss" in k}
    logits = step.outputs["unsup_teacher"]
    assert logits.requires_grad and "sup" not in step.outputs
    with torch.no_grad():
        assert torch.allclose(logits, model.student(step.weak.inputs, mode="tensor"), atol=1e-6)


def test_weak_outputs_are_of_eval_mode_and_leave_statistics_alone():
    model = build_seg(tiny_fcn(norm="BN"))
    norm = next(m for m in model.student.modules() if isinstance(m, nn.BatchNorm2d))
    before = norm.num_batches_tracked.item()
    step, _ = seen(model, seg_batch(sup=0), "weak_outputs")
    assert norm.num_batches_tracked.item() == before + 1  # the strong view alone
    assert not step.weak_outputs.requires_grad and model.student.training
    assert step.outputs == {}


@pytest.mark.parametrize("build", [build_seg, build_pair])
def test_the_teacher_looks_at_any_branch(build):
    batch = seg_batch(views=2) if build is build_seg else multi_branch(views=2)
    model = build()
    step, _ = seen(model, batch, "teacher_on:sup", "teacher_on:unsup_student_2", "teacher_on:gone")
    assert set(step.teacher_outputs) == {"sup", "unsup_student_2"}
    for branch, outputs in step.teacher_outputs.items():
        with torch.no_grad():
            again = model.forward_outputs(step.branches[branch], model.teacher)
        first, second = (o.cls[0] if build is build_pair else o for o in (outputs, again))
        assert torch.equal(first, second) and not first.requires_grad


def test_the_teacher_sees_a_branch_as_hooks_have_made_it():
    class Paints(StepHook):
        phase = Phase.MIX

        def before_student(self, step):
            step.strong["unsup_student"].inputs = step.strong["unsup_student"].inputs * 0

    model = build_seg()
    model.attach(Paints())
    step, _ = seen(model, seg_batch(), "teacher_on:unsup_student")
    with torch.no_grad():
        expected = model.teacher(torch.zeros(2, 3, 32, 32), mode="tensor")
    assert torch.equal(step.teacher_outputs["unsup_student"], expected)


def test_outputs_of_teacher_and_student_of_a_detector():
    model = build_pair(small_config("fcos"))
    batch = multi_branch()
    model.attach(FixedThresholdHook(0.0))
    step, _ = seen(model, batch, "teacher_outputs", "student_outputs")
    assert set(step.teacher_outputs) == {"unsup_teacher"}
    assert set(step.outputs) == {"sup", "unsup_student"}
    for outputs in (*step.outputs.values(), step.teacher_outputs["unsup_teacher"]):
        assert isinstance(outputs, DenseOutputs)
    assert step.outputs["sup"].cls[0].requires_grad
    assert not step.teacher_outputs["unsup_teacher"].cls[0].requires_grad


def test_features_of_each_branch_and_of_single_pixels():
    model = build_seg()
    step, _ = seen(model, seg_batch(), "features", "pixel_features")
    assert set(step.features) == set(step.pixel_features) == {"sup", "unsup_student"}
    head = model.student.decode_head
    with torch.no_grad():
        logits = head(step.features["sup"])
        assert torch.allclose(head.conv_seg(step.pixel_features["sup"]), logits, atol=1e-6)
        scores = model.teacher.decode_head.conv_seg(step.teacher_pixel_features).softmax(1)
    assert step.pixel_features["sup"].requires_grad
    large = torch.nn.functional.interpolate(scores, (32, 32), mode="bilinear").argmax(1)
    assert (large == step.pseudo.labels).float().mean() > 0.9


def test_pixel_features_need_a_projection():
    model = build_pair()
    with pytest.raises(TypeError, match="TeacherStudentDetector: has no pixel_features"):
        seen(model, multi_branch(), "pixel_features")


# ---------------------------------------------------------------------- one pass for all


def norms(module):
    return [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("kind", ["segmentor", "dense", "two-stage"])
def test_a_joint_pass_updates_the_statistics_of_backbone_and_head_once(kind, joint):
    norm = dict(type="BN", requires_grad=True)
    if kind == "segmentor":
        model = build_seg(tiny_fcn(norm="BN", auxiliary=True), joint_pass=joint)
        batch = seg_batch()
    elif kind == "dense":
        cfg = tiny_retinanet(norm="BN")
        cfg["bbox_head"]["norm_cfg"] = norm
        model, batch = build_pair(cfg, joint_pass=joint), multi_branch()
    else:
        cfg = small_config("faster_rcnn")
        cfg.backbone.update(norm_eval=False, norm_cfg=norm)
        model, batch = build_pair(cfg, joint_pass=joint), multi_branch()
    model.attach(FixedThresholdHook(0.0))
    before = [m.num_batches_tracked.item() for m in norms(model.student)]
    assert before
    found = losses(model, batch)
    assert torch.isfinite(total(found))
    after = [m.num_batches_tracked.item() for m in norms(model.student)]
    passes = {now - then for now, then in zip(after, before, strict=True)}
    shared = len(model.student.bbox_head.cls_convs) if kind == "dense" else 0
    levels = 3 if shared else 1  # the towers of a dense head look at each level
    expected = {1, levels} if joint else {2, 2 * levels}
    assert passes == expected


def test_a_joint_pass_has_the_statistics_of_all_rows():
    torch.manual_seed(0)
    model = build_seg(tiny_fcn(norm="BN"), joint_pass=True)
    state = {k: v.clone() for k, v in model.student.state_dict().items()}
    step, _ = seen(model, seg_batch(), "student_outputs", "pixel_features", "weak_pass")
    assert step.rows == {
        "sup": slice(0, 2),
        "unsup_teacher": slice(2, 4),
        "unsup_student": slice(4, 6),
    }
    model.student.load_state_dict(state)
    views = [step.sup, step.weak, step.strong["unsup_student"]]
    with torch.no_grad():
        logits = model.student(torch.cat([v.inputs for v in views]), mode="tensor")
    for branch, rows in step.rows.items():
        assert torch.allclose(step.outputs[branch], logits[rows], atol=1e-5), branch
        assert len(step.pixel_features[branch]) == 2


# ---------------------------------------------------------------------- a loss of one's own


class Replaces(StepHook):
    """The mean of the logits as the loss of each strong view."""

    phase = Phase.LOSS
    replaces_loss = True
    learns_without_labels = True

    def student_loss(self, step, branch, outputs):
        return {"loss_mean": outputs.mean() if torch.is_tensor(outputs) else outputs.cls[0].mean()}


@pytest.mark.parametrize("build", [build_seg, build_pair])
def test_a_hook_may_take_the_place_of_the_students_losses(build):
    model = build(unsup_weight=3.0)
    model.attach(Replaces())
    model.attach(FixedThresholdHook(1.0))  # nothing is kept, and it learns all the same
    batch = seg_batch() if build is build_seg else multi_branch()
    step, found = seen(model, batch)
    unsup = {name for name in found if name.startswith("unsup") and "loss" in name}
    assert unsup == {"unsup_loss_mean"}
    outputs = model.forward_outputs(step.strong["unsup_student"])
    mean = outputs.mean() if build is build_seg else outputs.cls[0].mean()
    assert found["unsup_loss_mean"].item() == pytest.approx(3 * mean.item(), rel=1e-4)
    assert any(name.startswith("sup_") for name in found)


def test_a_hook_that_replaces_and_has_no_loss_is_told_so():
    class Forgets(StepHook):
        replaces_loss = True
        learns_without_labels = True

    model = build_seg()
    model.attach(Forgets())
    with pytest.raises(TypeError, match="Forgets: replaces_loss=True needs a method student_loss"):
        losses(model, seg_batch())
