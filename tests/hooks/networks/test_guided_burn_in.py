"""Guided burn-in: who learns, who rests, and when the one becomes the other."""

import copy

import pytest
import torch
from mmengine.optim import OptimWrapper

from ssdet.exits import CheckpointError, UsageError
from ssdet.hooks import FixedThresholdHook, GuidedBurnInHook, TeacherEMAHook

from ...helpers import build_pair, multi_branch, tiny_retinanet


def state(network):
    return {key: value.clone() for key, value in network.state_dict().items()}


def same(one, other):
    return all(torch.equal(value, other[key]) for key, value in one.items())


class Run:
    """A pair with an average and a guided burn-in, in a plain loop."""

    def __init__(self, seed=0, momentum=0.75, **settings):
        burn_in = settings.pop("burn_in", 0)
        torch.manual_seed(seed)
        self.model = build_pair(burn_in=burn_in)
        self.average, self.guide = TeacherEMAHook(momentum), GuidedBurnInHook(**settings)
        for hook in (self.average, self.guide, FixedThresholdHook(0.0)):
            self.model.attach(hook)
        self.optimizer = torch.optim.AdamW(self.model.student.parameters(), lr=1e-2)
        self.average.watch(self.optimizer)
        self.guide.watch(self.optimizer)
        self.wrapper = OptimWrapper(self.optimizer)

    def step(self):
        torch.manual_seed(self.model.iteration)
        log = self.model.train_step(multi_branch(), self.wrapper)
        self.average.after_train_iter(None, 0)
        return log

    @property
    def states(self):
        return state(self.model.student), state(self.model.teacher)


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(7)
    network = build_pair().student
    torch.save(dict(state_dict=network.state_dict()), tmp_path / "teacher.pth")
    return str(tmp_path / "teacher.pth"), state(network)


def test_the_teacher_of_a_file_rests_until_the_student_takes_its_place(file):
    path, weights = file
    run = Run(length=2, checkpoint=path)
    first = run.states[0]
    log = run.step()
    student, teacher = run.states
    assert same(teacher, weights) and not same(student, first)
    assert log["unsup_loss_cls"] > 0 and log["guided/teacher_rests"] == 1
    run.step()
    assert same(run.states[1], weights), "the burn-in has two iterations"
    before = run.states[0]
    log = run.step()  # the teacher is that student, and then moves after it
    student, teacher = run.states
    assert log["guided/teacher_rests"] == 0 and run.average.updates == 1
    for key, value in teacher.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.75 * before[key] + 0.25 * student[key])


def test_the_teacher_is_exactly_the_student_when_it_labels_again(file):
    run = Run(length=1, checkpoint=file[0], momentum=1.0)
    run.step()
    before = run.states[0]
    run.step()
    assert same(run.states[1], before), "a momentum of 1 keeps the copy, buffers included"


def test_the_own_burn_in_makes_the_teacher_and_the_student_starts_anew():
    run = Run(length=2, burn_in=2)
    first = run.states[0]
    for _ in range(2):
        log = run.step()
        assert not any(key.startswith("unsup") for key in log)
    taught = run.states[0]
    assert not same(taught, first)
    moments = {id(value): dict(known) for value, known in run.optimizer.state.items()}
    seen = []
    run.model.student.register_forward_pre_hook(lambda m, _: seen.append(state(m)))
    run.step()
    assert same(seen[0], first), "the student of the third iteration is the first one"
    assert same(run.states[1], taught), "and the teacher is the student that learned from labels"
    steps = [known["step"] for known in run.optimizer.state.values()]
    assert moments and all(step == 1 for step in steps), "its moments are forgotten"
    run.step()
    assert same(run.states[1], taught)
    run.step()
    assert not same(run.states[1], taught)


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_run_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(done):
    """Before the student starts anew, within the guided burn-in, and at its end."""
    whole, second = Run(length=1, burn_in=2), Run(seed=3, length=1, burn_in=2)
    for _ in range(done):
        whole.step()
    second.model.load_state_dict(whole.model.state_dict())
    second.optimizer.load_state_dict(copy.deepcopy(whole.optimizer.state_dict()))
    for hook, own in ((whole.average, second.average), (whole.guide, second.guide)):
        if hook.state_dict():
            own.load_state_dict(hook.state_dict())
    assert bool(whole.guide.state_dict()) == (done <= 2)
    for _ in range(3):
        one, other = whole.step(), second.step()
        assert one.keys() == other.keys()
        assert all(torch.equal(torch.as_tensor(one[k]), torch.as_tensor(other[k])) for k in one)
    assert all(map(same, whole.states, second.states))


def test_an_average_without_it_moves_as_before():
    torch.manual_seed(0)
    model, average = build_pair(), TeacherEMAHook(0.5)
    model.attach(average)
    assert not model.teacher_rests
    average.update()
    assert average.updates == 1


def test_a_teacher_is_needed_and_only_one(file):
    def attach(**settings):
        build_pair(**settings).attach(GuidedBurnInHook(length=5, checkpoint=given))

    given = None
    with pytest.raises(UsageError, match=r"no teacher to be guided by: found burn_in=0.*Give a"):
        attach()
    with pytest.raises(UsageError, match=r"copy_after_burn_in=False and no checkpoint"):
        attach(burn_in=3, copy_after_burn_in=False)
    given = file[0]
    with pytest.raises(UsageError, match=r"labels from the first.*burn_in=3\. Set burn_in=0"):
        attach(burn_in=3)
    with pytest.raises(ValueError, match=r"GuidedBurnInHook: length=0 is not in \[1, inf\]"):
        GuidedBurnInHook(length=0)


def test_weights_of_another_model_are_refused(tmp_path):
    network = build_pair(tiny_retinanet(num_classes=5)).student
    torch.save(dict(state_dict=network.state_dict()), tmp_path / "other.pth")
    run = Run(length=1, checkpoint=str(tmp_path / "other.pth"))
    with pytest.raises(UsageError, match=r"other\.pth do not fit the model, which must be"):
        run.step()
    with pytest.raises(CheckpointError, match=r"absent\.pth: no such file"):
        Run(length=1, checkpoint=str(tmp_path / "absent.pth")).step()
