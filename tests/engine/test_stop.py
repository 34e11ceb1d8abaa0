"""Signals inside of one process; what the outside sees is in tests/reliability."""

import json
import os
import signal
import time

import pytest
import torch
from mmengine.hooks import Hook

from ssdet.engine import GracefulStopHook, Stopped
from ssdet.registry import HOOKS
from tests.reliability.harness import checkpoint, difference

from .toy import toy

HANDLERS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


@HOOKS.register_module()
class SignalAt(Hook):
    """Sends a signal to this process in an iteration."""

    def __init__(self, at=2, number=15, times=1):
        self.at, self.number, self.times = at, number, times

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter + 1 == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)


def send(tmp_path, requeue=False, **options):
    before = [signal.getsignal(number) for number in HANDLERS]
    stop = dict(type="GracefulStopHook", requeue=requeue)
    hooks = [dict(type="SignalAt", **options)]
    runner = toy(tmp_path, custom_hooks=hooks, default_hooks__stop=stop)
    try:
        runner.train()
    finally:
        assert [signal.getsignal(number) for number in HANDLERS] == before


@pytest.mark.parametrize(
    ("number", "requeue", "code"),
    [(15, False, 143), (2, False, 130), (10, False, 75), (15, True, 75)],
)
def test_the_step_is_finished_and_saved(tmp_path, number, requeue, code):
    with pytest.raises(Stopped) as end:
        send(tmp_path, at=3, number=number, requeue=requeue)
    assert end.value.code == code
    assert json.loads((tmp_path / "run.json").read_text())["exit_code"] == code
    assert checkpoint(tmp_path, 3)["meta"]["iter"] == 3


def test_what_was_just_saved_is_not_saved_twice(tmp_path):
    with pytest.raises(Stopped):
        send(tmp_path, at=2)
    log = (tmp_path / "train.log").read_text()
    assert log.count("Saving checkpoint at 2") == 1 and "after iteration 2" in log


def test_a_second_signal_ends_at_once(tmp_path):
    child = os.fork()
    if child == 0:
        try:
            send(tmp_path, at=2, times=2)
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 143
    assert not (tmp_path / "checkpoints/iter_2.pth").exists()


def test_epochs_are_saved_and_resumed_too(tmp_path):
    settings = dict(
        train_cfg=dict(type="EpochBasedTrainLoop", max_epochs=3, val_interval=1),
        train_dataloader__sampler=dict(type="DefaultSampler", shuffle=True),
        default_hooks__checkpoint__by_epoch=True,
        default_hooks__checkpoint__interval=1,
    )
    toy(tmp_path / "whole", **settings).train()
    cut = toy(tmp_path / "cut", **settings)
    cut.train_loop._max_epochs = 2
    cut.train()
    toy(tmp_path / "cut", resume=True, **settings).train()
    one, other = (
        torch.load(tmp_path / name / "checkpoints/epoch_3.pth", weights_only=True)
        for name in ("whole", "cut")
    )
    assert one["meta"]["iter"] == 12
    for part in ("state_dict", "optimizer", "rng"):
        assert difference(one[part], other[part]) is None


def test_a_child_that_still_has_the_handler_can_be_ended():
    """A signal may come between the fork and what restores the handlers in the child."""
    hook = GracefulStopHook()
    before = signal.signal(signal.SIGTERM, hook._on_signal)
    ready, started = os.pipe()
    try:
        child = os.fork()
        if child == 0:
            os.write(started, b"1")  # Python drops a signal that comes before the fork is over
            time.sleep(120)
            os._exit(0)
        os.read(ready, 1)
        os.kill(child, signal.SIGTERM)
        _, status = os.waitpid(child, 0)
    finally:
        signal.signal(signal.SIGTERM, before)
        os.close(ready)
        os.close(started)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGTERM
    assert hook.received == 0


@pytest.mark.parametrize("late", [False, True])
def test_a_child_survives_what_is_for_the_main_process(late):
    """Ctrl-C goes to all processes of a terminal, and a worker may be just a fork old."""
    hook = GracefulStopHook()
    before = {number: signal.getsignal(number) for number in HANDLERS}
    child = os.fork()
    if child == 0:
        try:
            for number in HANDLERS:
                hook._previous[number] = signal.signal(number, hook._on_signal)
            hook._process = os.getppid()
            if late:
                hook._forget_in_child()
            for number in (signal.SIGINT, signal.SIGUSR1):
                os.kill(os.getpid(), number)
            os._exit(7 if hook.received == 0 else 8)
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert {number: signal.getsignal(number) for number in HANDLERS} == before
