"""The mean teacher, in closed form and by hand."""

import copy
from types import SimpleNamespace

import pytest
import torch
from mmdet.engine.hooks import MeanTeacherHook
from mmengine.optim import OptimWrapper
from torch import nn

from ssdet.hooks import TeacherEMAHook
from ssdet.hooks.networks import teacher_ema
from ssdet.teacher_student.average import move
from ssdet.teacher_student.schedules import momentum_at, ramp

from ...helpers import build_pair, losses, multi_branch, tiny_retinanet, total


def attached(model=None, **settings):
    model = model or build_pair()
    hook = TeacherEMAHook(**settings)
    model.attach(hook)
    return model, hook


def fill(module, value):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(value)


def weight(module):
    return module.bbox_head.retina_cls.weight.flatten()[0].item()


def test_closed_form_for_a_constant_student():
    model, hook = attached(build_pair().double(), momentum=0.9)
    fill(model.teacher, 1.0)
    fill(model.student, 3.0)
    for _ in range(7):
        hook.update()
    assert weight(model.teacher) == pytest.approx(0.9**7 * 1 + (1 - 0.9**7) * 3, abs=1e-12)


def test_running_mean_at_the_start():
    model, hook = attached(momentum=0.999, schedule="mean")
    for value in (2.0, 4.0, 9.0):
        fill(model.student, value)
        hook.update()
    assert weight(model.teacher) == pytest.approx(5.0, rel=1e-6)


def test_first_update_of_the_mean_copies_the_student_exactly():
    model, hook = attached(schedule="mean")
    with torch.no_grad():
        for parameter in model.student.parameters():
            parameter.normal_()
    hook.update()
    for key, value in model.student.named_parameters():
        assert torch.equal(value, dict(model.teacher.named_parameters())[key])


@pytest.mark.parametrize(
    ("settings", "t", "kept"),
    [
        (dict(), 0, 0.99),
        (dict(schedule="mean"), 0, 0.0),
        (dict(schedule="mean"), 1, 0.5),
        (dict(schedule="mean"), 99, 0.99),
        (dict(schedule="mean"), 500, 0.99),
        (dict(schedule="mean", gamma=4), 12, 0.75),
        (dict(schedule="mean", gamma=4), 500, 0.99),
        (dict(schedule="linear", length=10, start=0.89), 5, 0.94),
        (dict(schedule="linear", length=10, start=0.89), 20, 0.99),
        (dict(schedule="cosine", length=10, start=0.89), 5, 0.94),
        (dict(schedule="cosine", length=10, start=0.89), 0, 0.89),
    ],
)
def test_momentum_by_hand(settings, t, kept):
    assert momentum_at(t, 0.99, **settings) == pytest.approx(kept)


@pytest.mark.parametrize(
    ("update", "kept"),
    [(0, 0.5), (1, 0.5002498), (1000, 0.7498), (2000, 0.9996), (5000, 0.9996)],
)
@pytest.mark.parametrize("begin", [0, 30])
def test_the_ramp_of_hssda_from_the_end_of_the_burn_in(update, kept, begin):
    ramped = dict(momentum=0.9996, schedule="linear", start=0.5, length=2000, begin=begin)
    model, hook = attached(**ramped)
    fill(model.teacher, 1.0)
    fill(model.student, 0.0)
    hook.updates = begin + update
    hook.update()
    assert weight(model.teacher) == pytest.approx(kept, abs=1e-6)
    if begin:
        fill(model.teacher, 1.0)
        hook.updates = 3
        hook.update()
        assert weight(model.teacher) == 0.5


def test_ramps_by_hand():
    assert ramp(5, 10, "linear") == 0.5
    assert ramp(0, 10) == pytest.approx(0.006737947)  # exp(-5)
    assert ramp(5, 10) == pytest.approx(0.2865048)  # exp(-1.25)
    assert ramp(10, 10) == ramp(3, 0) == 1.0
    assert [ramp(t, 2, "step") for t in range(4)] == [0, 0, 1, 1]


@pytest.mark.parametrize(("policy", "expected"), [("ema", 1.2), ("copy", 3.0), ("skip", 1.0)])
def test_buffers_by_policy_and_integers_always_copied(policy, expected):
    model, hook = attached(build_pair(tiny_retinanet(norm="BN")), momentum=0.9, buffers=policy)
    student, teacher = model.student.backbone.bn1, model.teacher.backbone.bn1
    student.running_mean.fill_(3.0)
    teacher.running_mean.fill_(1.0)
    student.num_batches_tracked.fill_(42)
    hook.update()
    assert teacher.running_mean[0].item() == pytest.approx(expected)
    assert teacher.num_batches_tracked == 42


def test_half_precision_student_is_averaged_in_the_precision_of_the_teacher():
    teacher, student = {"w": torch.ones(3)}, {"w": torch.full((3,), 2.0).bfloat16()}
    for _ in range(100):
        move(teacher, student, 0.9998)
    assert teacher["w"][0].item() == pytest.approx(2 - 0.9998**100, rel=1e-5)


def test_wrapped_student_is_found_by_name():
    model, hook = attached()
    model.student = torch.compile(model.student, backend="eager")
    fill(model.student, 5.0)
    hook.momentum = 0.0
    hook.update()
    assert weight(model.teacher) == 5.0


def test_stop_after():
    model, hook = attached(momentum=0.5, stop_after=1)
    fill(model.teacher, 0.0)
    fill(model.student, 1.0)
    hook.update()
    hook.update()
    assert weight(model.teacher) == 0.5


def loop(hook, model, steps, accumulate=1):
    """What MMEngine's loop does, without a runner."""
    wrapper = OptimWrapper(
        torch.optim.SGD(model.student.parameters(), lr=0.1), accumulative_counts=accumulate
    )
    runner = SimpleNamespace(optim_wrapper=wrapper, iter=0, hooks=[hook], model=model)
    wrapper.initialize_count_status(model, 0, steps)
    hook.before_train(runner)
    for iteration in range(steps):
        wrapper.update_params(total(losses(model, multi_branch(unsup=0))))
        hook.after_train_iter(runner, iteration)
    return hook.updates


@pytest.mark.parametrize(
    ("settings", "accumulate", "updates"), [({}, 1, 6), ({}, 3, 2), (dict(interval=2), 1, 3)]
)
def test_once_for_each_optimizer_step(settings, accumulate, updates):
    model, hook = attached(**settings)
    assert loop(hook, model, 6, accumulate) == updates


def test_a_skipped_step_moves_nothing():
    model, hook = attached(momentum=0.0)
    fill(model.teacher, 7.0)
    runner = SimpleNamespace(
        optim_wrapper=OptimWrapper(torch.optim.SGD(model.student.parameters(), lr=0.1)), iter=0
    )
    hook.before_train(runner)
    hook.after_train_iter(runner, 0)
    assert weight(model.teacher) == 7.0 and hook.updates == 0


def test_loaded_teacher_is_not_overwritten():
    model, hook = attached()
    fill(model.teacher, 7.0)
    state = copy.deepcopy(model.state_dict())
    model.init_weights()
    assert weight(model.teacher) != 7.0
    model.load_state_dict(state)  # as the runner does, after init_weights
    runner = SimpleNamespace(
        optim_wrapper=OptimWrapper(torch.optim.SGD(model.student.parameters(), lr=0.1)),
        iter=0,
        hooks=[hook],
        model=model,
    )
    hook.before_run(runner)
    hook.before_train(runner)
    assert weight(model.teacher) == 7.0


def begun(model, hook, iteration=0):
    """A run that begins, or is resumed, with the weights that the model has now."""
    optimizer = torch.optim.SGD(model.student.parameters(), lr=0.1)
    runner = SimpleNamespace(
        optim_wrapper=OptimWrapper(optimizer), iter=iteration, hooks=[hook], model=model
    )
    hook.before_run(runner)
    hook.before_train(runner)


def saved_pair(teacher=7.0, student=1.0):
    model = build_pair()
    fill(model.teacher, teacher)
    fill(model.student, student)
    return model.state_dict()


def test_a_mean_goes_on_from_a_teacher_that_was_loaded(monkeypatch):
    told = []
    monkeypatch.setattr(teacher_ema, "print_log", lambda text, **_: told.append(text))
    model, hook = attached(momentum=0.9, schedule="mean")
    model.load_state_dict(saved_pair())
    begun(model, hook)
    assert hook.loaded == ["student"]
    assert "a teacher of its own for student" in told[0] and "momentum 0.9" in told[0]
    hook.update()
    assert weight(model.teacher) == pytest.approx(0.9 * 7 + 0.1 * 1)
    hook.update()
    assert weight(model.teacher) == pytest.approx(0.81 * 7 + 0.19 * 1)
    assert hook.updates == 2  # what `stop_after` counts


@pytest.mark.parametrize("plain", [False, True])
def test_a_mean_begins_anew_where_the_teacher_is_a_copy(plain):
    model, hook = attached(schedule="mean")
    if plain:  # a checkpoint of MMDetection fills both
        state = {k[8:]: v for k, v in saved_pair().items() if k.startswith("student.")}
        model.load_state_dict(state)
    begun(model, hook)
    assert hook.loaded == []
    for value in (2.0, 4.0, 9.0):
        fill(model.student, value)
        hook.update()
    assert weight(model.teacher) == pytest.approx(5.0, rel=1e-6)


@pytest.mark.parametrize(("copies", "loaded"), [(True, []), (False, ["student"])])
def test_a_burn_in_that_ends_with_a_copy_begins_the_mean_anew(copies, loaded):
    model = build_pair(burn_in=2, copy_after_burn_in=copies)
    hook = TeacherEMAHook(schedule="mean", begin=2)
    model.load_state_dict(saved_pair())
    begun(model, hook)
    assert hook.loaded == loaded


def test_a_resumed_mean_goes_on_counting_or_keeping():
    model, hook = attached(momentum=0.9, schedule="mean")
    model.load_state_dict(saved_pair())
    hook._restored = {"updates": 1, "steps": 0}
    begun(model, hook, iteration=1)
    assert hook.loaded == []
    hook.update()
    assert weight(model.teacher) == 4.0  # the mean of two
    hook.loaded = ["student"]
    again_model, again = attached(momentum=0.9, schedule="mean")
    again_model.load_state_dict(saved_pair())
    again._restored = hook.state_dict()
    begun(again_model, again, iteration=2)
    again.update()
    assert weight(again_model.teacher) == pytest.approx(6.4)


def test_two_averages_are_refused_by_name():
    model = build_pair()
    hook = TeacherEMAHook()
    with pytest.raises(ValueError, match="TeacherEMAHook and MeanTeacherHook would both"):
        hook.before_run(SimpleNamespace(hooks=[MeanTeacherHook(), hook], model=model))


def test_different_models_are_refused_by_name():
    model = build_pair()
    model.teacher.extra = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"differ in 2 tensors, first 'extra\.bias'"):
        model.attach(TeacherEMAHook())


def test_plain_model_is_refused_by_name():
    with pytest.raises(TypeError, match=r"the model is a Linear\. Wrap"):
        TeacherEMAHook().before_run(SimpleNamespace(hooks=[], model=nn.Linear(2, 2)))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(momentum=1.2), r"TeacherEMAHook: momentum=1.2 is not in \[0, 1\]"),
        (dict(schedule="slow"), "schedule='slow' is not one of"),
        (dict(schedule="cosine"), "needs length > 0"),
        (dict(buffers="own"), "buffers='own' is not one of"),
        (dict(interval=0), "interval=0"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=says):
        TeacherEMAHook(**settings)


def test_state_goes_through_the_checkpoint_when_resumed_only():
    _, hook = attached(schedule="mean")
    hook.updates = 41
    checkpoint = {}
    hook.before_save_checkpoint(None, checkpoint)
    assert checkpoint == {"step_hooks": {"TeacherEMAHook": {"updates": 41, "steps": 0}}}
    for iteration, expected in ((10, 41), (0, 0)):
        other_model, other = attached(schedule="mean")
        wrapper = OptimWrapper(torch.optim.SGD(other_model.student.parameters(), lr=0.1))
        other.after_load_checkpoint(None, checkpoint)
        other.before_train(SimpleNamespace(iter=iteration, optim_wrapper=wrapper))
        assert other.updates == expected
