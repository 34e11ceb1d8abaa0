"""Two groups of two students, in the step."""

import copy

import pytest
import torch
import torch.nn.functional as F

from ssdet.hooks import RegionInstructionHook, StepHook, TeacherEMAHook
from ssdet.losses import dice_loss, disagreement_focused, sharpen, squared_error
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, tiny_fcn

NAMES = ("student", "second", "third", "fourth")


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def build(iteration=0, **settings):
    torch.manual_seed(0)
    auxiliary = {name: tiny_fcn() for name in NAMES[1:]}
    model = build_seg(auxiliary=auxiliary, auxiliary_teachers=["third"])
    model.init_weights()
    model.iteration = iteration
    spy, hook = Spy(), RegionInstructionHook(period=2, **settings)
    for one in (TeacherEMAHook(0.9), hook, spy):
        model.attach(one)
    return model, spy, hook


def network(model, name):
    return model.student if name == "student" else model.auxiliary[name]


def seen(model, name, inputs):
    module = copy.deepcopy(network(model, name)).eval()
    with torch.no_grad():
        logits = F.interpolate(module(inputs, mode="tensor"), (32, 32), mode="bilinear")
    return logits.softmax(1)


@pytest.mark.parametrize(("iteration", "active"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 0), (6, 1)])
def test_groups_take_turns(iteration, active):
    model, _, _ = build(iteration)
    found = losses(model, seg_batch())
    sum(v for k, v in found.items() if "loss" in k).backward()
    for number, name in enumerate(NAMES):
        grads = [p.grad for p in network(model, name).parameters()]
        assert all(g is not None for g in grads), "another process would wait"
        assert any(g.any() for g in grads) == (number // 2 == active), name
        assert (name in model.frozen) == (number // 2 != active)
    assert found["rail/group"] == active


def test_the_first_turn_has_no_instruction():
    model, _, _ = build(1)
    found = losses(model, seg_batch())
    assert not any("rail_loss" in key or "loss_best" in key for key in found)
    assert found["unsup_student_loss_teacher"] > 0 and found["unsup_second_loss_teacher"] > 0
    assert found["unsup_decode.loss_ce"] == 0 and found["sup_decode.loss_ce"] > 0


@pytest.mark.parametrize(("iteration", "group"), [(5, 0), (7, 1)])
def test_losses_by_their_definition(iteration, group):
    model, spy, hook = build(iteration, ramp_length=0)
    found = losses(model, seg_batch())
    step = spy.step
    truth = torch.stack([s.gt_sem_seg.data[0] for s in step.sup.samples])
    valid = torch.ones_like(truth, dtype=torch.bool)
    maps = {name: seen(model, name, step.sup.inputs) for name in NAMES}
    dice = {name: dice_loss(p.argmax(1), truth, 4, valid).item() for name, p in maps.items()}
    best = min(dice, key=dice.get)
    assert NAMES[int(found["rail/best"])] == best
    inputs = step.strong["unsup_student"].inputs
    teacher = model.teacher if group == 0 else model.auxiliary_teachers["third"]
    size = step.weak.inputs.shape[-2:]
    with torch.no_grad():
        logits = teacher.inference(step.weak.inputs, [dict(img_shape=size, ori_shape=size)] * 2)
    told = sharpen(logits.softmax(1), 0.1)
    views = {name: seen(model, name, inputs) for name in NAMES}
    for name in hook.groups[group]:
        instructor = None if name == best else maps[best].argmax(1)
        again = disagreement_focused(maps[name], truth, instructor, valid)
        assert found[f"sup_{name}_rail_loss"].item() == pytest.approx(again.item(), rel=1e-4)
        taught = 10 * squared_error(views[name], told, valid)
        assert found[f"unsup_{name}_loss_teacher"].item() == pytest.approx(taught.item(), rel=1e-3)
        if name != best:
            instructed = 20 * squared_error(views[name], sharpen(views[best], 0.1), valid)
            apart = views[name].argmax(1) != views[best].argmax(1)
            flat = -views[name].log().mean(1) - torch.tensor(4.0).log()
            instructed = instructed + 20 * 0.1 * flat[apart].sum() / apart.sum().clamp(min=1)
            value = found[f"unsup_{name}_loss_best"].item()
            assert value == pytest.approx(instructed.item(), rel=1e-3)
        else:
            assert f"unsup_{name}_loss_best" not in found


def test_outputs_are_enlarged_as_the_head_does():
    model, _, hook = build()
    logits = (
        torch.arange(4.0).reshape(1, 1, 2, 2).expand(1, 4, 2, 2) * torch.arange(4)[:, None, None]
    )
    labels = torch.zeros(1, 5, 5)
    for corners in (False, True):
        model.auxiliary["second"].decode_head.align_corners = corners
        large = F.interpolate(logits, (5, 5), mode="bilinear", align_corners=corners)
        found = hook._probabilities("second", logits, labels)
        assert torch.allclose(found, large.softmax(1))


def test_the_ramp_rises_with_the_iterations():
    early, late = (build(i, ramp_length=100)[0] for i in (4, 104))
    batch = seg_batch()
    first, second = (losses(model, batch)["unsup_student_loss_teacher"] for model in (early, late))
    assert first.item() == pytest.approx(second.item() * 2.718281828 ** (-5 * 0.96**2), rel=1e-4)


def test_only_the_active_group_moves_and_its_teacher_follows():
    model, _, hook = build(2)
    average = next(hook for hook in model.hooks if hook.averages_weights)
    before = copy.deepcopy(model.state_dict())
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=0.1, weight_decay=0.1, momentum=0.9)
    hook.watch(optimizer)
    sum(v for k, v in losses(model, seg_batch()).items() if "loss" in k).backward()
    optimizer.step()
    average.update()
    after = model.state_dict()
    moved = {".".join(k.split(".")[:2]) for k in after if not torch.equal(after[k], before[k])}
    assert moved == {
        "auxiliary.third",
        "auxiliary.fourth",
        "auxiliary_teachers.third",
        "_iteration",
    }


def test_all_learn_the_labels_in_the_burn_in():
    model, _, _ = build()
    model.burn_in = 5
    found = losses(model, seg_batch())
    assert {f"sup_{n}_decode.loss_ce" for n in NAMES[1:]} < set(found)
    assert model.frozen == set() and not any("unsup" in key for key in found)


def test_refusals():
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(RegionInstructionHook())
    networks = {name: tiny_fcn() for name in NAMES[1:]}
    with pytest.raises(ValueError, match=r"auxiliary_teachers=\['third'\]"):
        build_seg(auxiliary=networks).attach(RegionInstructionHook())
    with pytest.raises(ValueError, match="no network 'fourth'"):
        build_seg(auxiliary=dict(second=tiny_fcn(), third=tiny_fcn())).attach(
            RegionInstructionHook()
        )
    with pytest.raises(ValueError, match="not two pairs"):
        RegionInstructionHook([("student", "second")])
    with pytest.raises(ValueError, match="begin with 'student'"):
        RegionInstructionHook([("second", "student"), ("third", "fourth")])
    model, _, _ = build()
    with pytest.raises(ValueError, match="without labeled images: the best"):
        losses(model, seg_batch(sup=0))
