"""Virtual steps: what they leave behind, and what they do not."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from ssdet.hooks import CutMixHook, FixedThresholdHook, FutureTeacherHook, StepHook, TeacherEMAHook
from ssdet.hooks._parts.snapshot import Snapshot
from ssdet.hooks.networks.future_teacher import split_batch
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, multi_branch, tiny_retinanet
from ...seg_helpers import build_seg, seg_batch, tiny_fcn


class Counting(StepHook):
    """State in every form that a hook may have."""

    phase = Phase.OBSERVE

    def __init__(self):
        self.calls, self.queue = 0, {"seen": [torch.zeros(1)]}

    def after_loss(self, step):
        self.calls += 1
        self.queue["seen"][0] += 1
        self.queue.setdefault("more", []).append(float(torch.rand(1)))


class Watching(StepHook):
    phase = Phase.OBSERVE
    read_only = True

    def __init__(self):
        self.seen = []

    def before_student(self, step):
        self.seen.append(step.iteration)


def wrapped(model, optimizer="AdamW", **settings):
    learned = [p for p in model.parameters() if p.requires_grad]
    more = dict(momentum=0.9) if optimizer == "SGD" else {}
    one = getattr(torch.optim, optimizer)(learned, lr=0.02, weight_decay=0.1, **more)
    return OptimWrapper(one, **settings)


class Loop:
    """MMEngine's loop in a few lines: three networks, batch norm, dropout, CutMix of one image."""

    def __init__(self, future=None, momentum=0.9, optimizer="AdamW", burn_in=0, **settings):
        torch.manual_seed(0)
        segmentor = tiny_fcn(norm="BN", dropout_ratio=0.5)
        self.model = build_seg(segmentor, burn_in=burn_in, **settings)
        self.average, self.count, self.watch = TeacherEMAHook(momentum), Counting(), Watching()
        self.hooks = [self.average, FixedThresholdHook(0.2), CutMixHook(1.0), self.count]
        self.hooks += [self.watch, *([future] if future else [])]
        for hook in self.hooks:
            self.model.attach(hook)
        wrapper = wrapped(self.model, optimizer, clip_grad=dict(max_norm=1.0))
        wrapper.initialize_count_status(self.model, 0, 10)
        self.average.watch(wrapper.optimizer)
        self.runner = SimpleNamespace(iter=0, model=self.model, optim_wrapper=wrapper)

    def run(self, steps=3, parts=1):
        generator = torch.Generator().manual_seed(1)
        for _ in range(steps):
            with torch.random.fork_rng():
                torch.manual_seed(int(torch.randint(10**6, (1,), generator=generator)))
                batches = [seg_batch(sup=2, unsup=1) for _ in range(parts)]
            batch = merged(batches)
            for hook in self.hooks:
                hook.before_train_iter(self.runner, self.runner.iter, batch)
            self.model.train_step(batch, self.runner.optim_wrapper)
            self.runner.iter += 1
            for hook in self.hooks:
                hook.after_train_iter(self.runner, 0)
        return self

    def state(self):
        wrapper = self.runner.optim_wrapper
        optimizer = wrapper.optimizer.state_dict()["state"]
        return {
            **self.model.state_dict(),
            **{f"{p}.{k}": torch.as_tensor(v) for p, s in optimizer.items() for k, v in s.items()},
            "rng": torch.get_rng_state(),
            "numpy": torch.from_numpy(np.random.get_state()[1].astype(np.int64)),
            "inner": torch.tensor(wrapper._inner_count),
            "iteration": torch.tensor(self.model.iteration),
            "updates": torch.tensor(self.average.updates),
            "calls": torch.tensor(self.count.calls),
            "queue": torch.tensor([*self.count.queue["seen"], *self.count.queue["more"]]),
        }


def merged(batches):
    return {
        key: {b: [one for batch in batches for one in batch[key][b]] for b in batches[0][key]}
        for key in batches[0]
    }


def assert_equal(first, second):
    assert first.keys() == second.keys()
    different = [key for key in first if not torch.equal(first[key], second[key])]
    assert not different


def test_no_virtual_steps_are_the_mean_teacher_bit_for_bit():
    assert_equal(Loop().run().state(), Loop(FutureTeacherHook(0)).run().state())


@pytest.mark.parametrize("optimizer", ["AdamW", "SGD"])
@pytest.mark.parametrize("kind", ["deep", "wide"])
def test_only_the_teacher_keeps_something_of_the_future(kind, optimizer):
    """With a teacher that never moves, nothing at all is left."""
    plain = Loop(momentum=1.0, optimizer=optimizer).run()
    future = FutureTeacherHook(2, kind)
    other = Loop(future, momentum=1.0, optimizer=optimizer).run(parts=3 if kind == "wide" else 1)
    assert other.watch.seen == plain.watch.seen == [0, 1, 2]
    assert_equal(plain.state(), other.state())


def test_the_future_teaches():
    plain, other = Loop().run(), Loop(FutureTeacherHook(2)).run()
    first, second = plain.state(), other.state()
    assert not torch.equal(first["student.decode_head.conv_seg.weight"],
                           second["student.decode_head.conv_seg.weight"])  # fmt: skip
    assert first["updates"] == second["updates"] == 3


def by_hand(model, wrapper, batch):
    """One plain step on a copy; returns the weights after it."""
    model.train_step(copy.deepcopy(batch), wrapper)
    return {k: v.detach().clone() for k, v in model.student.named_parameters()}


def stepped(loop, batch):
    """The student's weights after a plain step from the state of a loop, which stays."""
    snapshot = Snapshot(loop.model, loop.runner.optim_wrapper)
    after = by_hand(loop.model, loop.runner.optim_wrapper, batch)
    snapshot.restore()
    return after


def test_deep_with_one_step_by_hand():
    hook = FutureTeacherHook(1)
    loop = Loop(hook, momentum=0.75, optimizer="SGD").run(2)
    model, batch = loop.model, seg_batch(sup=2, unsup=1)
    theta = {k: v.detach().clone() for k, v in model.student.named_parameters()}
    teacher = copy.deepcopy(model.teacher.state_dict())
    # The virtual step is taken with the teacher after its first average.
    loop.average.update()
    loop.average.updates -= 1
    virtual = stepped(loop, batch)
    model.teacher.load_state_dict(teacher)
    step = lambda data: model.train_step(data, loop.runner.optim_wrapper)  # noqa: E731
    hook.look_ahead(step, loop.runner.optim_wrapper, [batch])
    for key, value in model.teacher.named_parameters():
        first = 0.75 * teacher[key] + 0.25 * theta[key]
        expected = 0.75 * first + 0.25 * virtual[key]
        assert torch.allclose(value, expected, atol=1e-6), key
        assert torch.equal(model.student.get_parameter(key), theta[key])


def test_wide_averages_the_weights_of_all_branches():
    hook = FutureTeacherHook(2, "wide")
    loop = Loop(hook, momentum=0.5, optimizer="SGD").run(1, parts=3)
    model, batches = loop.model, [seg_batch(sup=2, unsup=0) for _ in range(2)]
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout2d):
            module.p = 0.0
    phi = {k: v.detach().clone() for k, v in model.teacher.named_parameters()}
    one, two = (stepped(loop, batch) for batch in batches)
    step = lambda data: model.train_step(data, loop.runner.optim_wrapper)  # noqa: E731
    hook.look_ahead(step, loop.runner.optim_wrapper, batches)
    for key, value in model.teacher.named_parameters():
        expected = 0.5 * phi[key] + 0.5 * (one[key] + two[key]) / 2
        assert torch.allclose(value, expected, atol=1e-6), key


def test_the_published_way_keeps_the_momentum_of_virtual_steps():
    plain = Loop(momentum=1.0, optimizer="SGD").run(1).state()
    found = Loop(FutureTeacherHook(2, restore="parameters"), momentum=1.0, optimizer="SGD").run(1)
    found = found.state()
    assert not torch.equal(plain["0.momentum_buffer"], found["0.momentum_buffer"])
    assert found["student.backbone.bn1.num_batches_tracked"] > 2
    assert found["inner"] == plain["inner"] and torch.equal(found["rng"], plain["rng"])


def test_nothing_happens_in_the_burn_in():
    """And not in the step that makes the teacher anew: it would undo what it has seen."""
    plain = Loop(burn_in=2).run(3).state()
    assert_equal(plain, Loop(FutureTeacherHook(2), burn_in=2).run(3).state())


def test_detectors_too():
    def trained(*hooks):
        torch.manual_seed(0)
        model = build_pair(tiny_retinanet(norm="BN"))
        wrapper = wrapped(model)
        for hook in (TeacherEMAHook(1.0), FixedThresholdHook(0.0), *hooks):
            model.attach(hook)
        torch.manual_seed(1)
        batch = multi_branch()
        runner = SimpleNamespace(iter=0, model=model, optim_wrapper=wrapper)
        for hook in model.hooks:
            hook.before_train_iter(runner, 0, batch)
        found = model.train_step(batch, wrapper)
        assert float(found["pseudo/kept"]) > 0
        return {**model.student.state_dict(), "rng": torch.get_rng_state()}

    assert_equal(trained(), trained(FutureTeacherHook(2)))


def test_generators_of_hooks_are_put_back():
    model, hook = build_seg(), Counting()
    hook.torch, hook.numpy = torch.Generator().manual_seed(3), np.random.default_rng(3)
    model.attach(hook)
    snapshot = Snapshot(model, wrapped(model))

    def draw():
        return torch.rand(1, generator=hook.torch).item(), hook.numpy.random()

    first = draw()
    snapshot.restore()
    assert draw() == first


def test_what_hooks_share_they_still_share():
    model, shared = build_seg(), [torch.ones(2)]
    one, two = Counting(), Counting()
    one.bank = two.bank = shared
    one.weight = model._iteration
    for hook in (one, two):
        model.attach(hook)
    snapshot = Snapshot(model, wrapped(model))
    shared[0].fill_(5)
    snapshot.restore()
    assert one.bank is two.bank and one.bank[0].tolist() == [1, 1]
    assert one.weight is model._iteration


def test_loss_scaler_is_put_back():
    model = build_seg()
    wrapper = wrapped(model)
    wrapper.loss_scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    wrapper.loss_scaler.scale(torch.ones(1))
    snapshot = Snapshot(model, wrapper)
    wrapper.loss_scaler.update(2.0)
    assert wrapper.loss_scaler.get_scale() == 2.0
    snapshot.restore()
    assert wrapper.loss_scaler.get_scale() == 8.0
    assert AmpOptimWrapper  # whose scaler has this name


def test_batch_is_split_by_branch():
    batch = {"inputs": {"a": [1, None, 2, 3, 4], "b": [None, 5, 6]}, "data_samples": [7, 8]}
    first, second = split_batch(batch, 2)
    assert first == {"inputs": {"a": [1, 2], "b": [5]}, "data_samples": [7]}
    assert second == {"inputs": {"a": [3, 4], "b": [6]}, "data_samples": [8]}
    with pytest.raises(ValueError, match="4 samples of the branch 'a' cannot be shared by 3 steps"):
        split_batch(batch, 3)


def test_refusals():
    loop = Loop(FutureTeacherHook(1))
    hook = loop.hooks[-1]
    loop.runner.optim_wrapper = wrapped(loop.model, accumulative_counts=2)
    loop.runner.iter = 0
    with pytest.raises(ValueError, match="accumulative_counts=2: a virtual step would use"):
        hook.before_train(loop.runner)
    loop.runner.optim_wrapper = wrapped(loop.model)
    loop.watch.reversible = False
    with pytest.raises(ValueError, match="changes of Watching in a virtual step cannot be undone"):
        hook.before_train(loop.runner)
    alone = FutureTeacherHook(1)
    model = build_seg()
    model.attach(alone)
    runner = SimpleNamespace(iter=0, model=model, optim_wrapper=wrapped(model))
    with pytest.raises(ValueError, match="needs exactly one TeacherEMAHook"):
        alone.before_train(runner)
    for settings, says in ((dict(steps=-1), "steps=-1"), (dict(kind="both"), "kind='both'")):
        with pytest.raises(ValueError, match=says):
            FutureTeacherHook(**settings)
