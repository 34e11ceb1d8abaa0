"""Issues on demand: `SSDET_FAULT=point:n:action`, honored by the configs of these tests only.

Where torchrun starts a run again, each start has its own one, behind a comma.
Points: `after_train_iter` (n = iterations done), `after_val_iter` (n = batch), `save` (n = bytes
written of a checkpoint; `save:n:action:k` is the k-th one), `rename` (n = which rename of a
checkpoint), `loss` (from iteration n on), `worker` (n = which batch of the first worker), `teacher`
and `student` (n = which pass). Actions: a signal's number, `raise`, `sleep` (until a signal
comes), `hang` (whatever signal comes), `full` (no space left on the device), `fill` (no file may
grow any more), `image` (an image that cannot be used), `memory` (none left), `nan` (of a loss).
"""

import contextlib
import errno
import os
import resource
import signal
import time

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS

from ssdet.datasets import BadImageError
from ssdet.engine import checkpoint_file
from ssdet.hooks import ComplementaryDropoutHook, StepHook
from ssdet.registry import HOOKS
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.step import PixelLabels


def act(action):
    if action == "raise":
        raise RuntimeError("fault on demand")
    if action == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if action == "fill":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))
        return
    if action == "image":
        raise BadImageError("shapes/7.png: does not decode as an image\nRepair it")
    if action == "memory":
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    if action == "sleep":
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        before = signal.set_wakeup_fd(writer)
        print("fault: sleeping", flush=True)
        os.read(reader, 1)  # signal.pause() would miss a signal that comes just before it
        signal.set_wakeup_fd(before)
        return
    if action == "hang":
        print("fault: hanging", flush=True)
        while True:
            time.sleep(60)
    os.kill(os.getpid(), int(action))


def wanted():
    """The issue of this start; `torchrun --max-restarts` counts the starts."""
    each = os.environ.get("SSDET_FAULT", "").split(",")
    number = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))
    return ((each[number] if number < len(each) else "") or "none:0:").split(":")


@FUNCTIONS.register_module()
def collate_or_fail(samples):
    """In the first worker process; in the main process there is nobody to die alone."""
    worker = torch.utils.data.get_worker_info()
    point, number, action = wanted()[:3]
    if point == "worker" and worker is not None and worker.id == 0:
        _batches.append(None)
        if len(_batches) == int(number):
            act(action)
    return pseudo_collate(samples)


_batches = []


@HOOKS.register_module()
class FaultHook(Hook):
    priority = "NORMAL"

    def __init__(self):
        fault = wanted()
        self.point, self.number, self.action = fault[0], int(fault[1]), fault[2]
        self.save = int(fault[3]) if len(fault) > 3 else 1
        self.rank = int(os.environ.get("SSDET_FAULT_RANK", 0))

    def before_train(self, runner):
        if self.point == "save":
            self._break_writing()
        if self.point == "rename":
            self._break_renaming()
        if self.point == "loss":
            self._break_loss(runner)
        if self.point in ("teacher", "student"):
            self._break_pass(getattr(runner.model, "module", runner.model))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._at("after_train_iter", runner.iter + 1)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._at("after_val_iter", batch_idx + 1)

    def _at(self, point, number):
        if (point, number, get_rank()) == (self.point, self.number, self.rank):
            act(self.action)

    def _break_writing(self):
        write, files = checkpoint_file._HashingFile.write, []

        def failing(file, data):
            if file not in files:
                files.append(file)
            if len(files) == self.save and file.size + len(data) > self.number:
                file.file.write(bytes(data)[: self.number - file.size])
                file.file.flush()
                try:
                    act(self.action)
                except OSError as error:
                    file.error = error
                    raise
            return write(file, data)

        checkpoint_file._HashingFile.write = failing

    def _break_renaming(self):
        replace, seen = os.replace, []

        def failing(source, target):
            if str(target).endswith(".pth"):
                seen.append(target)
                if len(seen) == self.number:
                    act(self.action)
            replace(source, target)

        checkpoint_file.os.replace = failing

    def _break_pass(self, model):
        passes = []

        def count(module, args):
            if model.training:
                passes.append(module)
                if len(passes) == self.number:
                    act(self.action)

        getattr(model, self.point).backbone.register_forward_pre_hook(count)

    def _break_loss(self, runner):
        model = getattr(runner.model, "module", runner.model)
        loss = model.loss

        def broken(*args, **kwargs):
            losses = loss(*args, **kwargs)
            if runner.iter + 1 >= self.number:
                name = next(name for name in losses if "loss" in name)
                value = losses[name]
                value = value[0] if isinstance(value, list) else value
                losses[name] = value * torch.tensor(float("nan"))
            return losses

        model.loss = broken


@HOOKS.register_module()
class DumpRankHook(Hook):
    """Writes the model of every rank, for comparison."""

    def after_train(self, runner):
        model = getattr(runner.model, "module", runner.model)
        torch.save(model.state_dict(), f"{runner.work_dir}/rank_{get_rank()}.pth")


@HOOKS.register_module()
class DrawsHook(StepHook):
    """Writes what each rank drew: the masks of the mix and of the dropouts, in the order of use."""

    phase = Phase.OBSERVE

    def before_train(self, runner):
        super().before_train(runner)
        self.draws = {"mix": [], "channels": [], "dropout": []}
        for hook in self.model.hooks:
            if hasattr(hook, "mask"):
                hook.mask = self._kept("mix", hook.mask)
        dropout = self.model.student.decode_head.dropout

        def keep(module, args, result):
            if module.training:
                self._keep("dropout", (result == 0).all(-1).all(-1))

        dropout.register_forward_hook(keep)

    @contextlib.contextmanager
    def student_pass(self, step, branch):
        yield
        (hook,) = (h for h in self.model.hooks if isinstance(h, ComplementaryDropoutHook))
        if branch in hook.views:
            for masks in hook._masks.values():
                self._keep("channels", masks[hook.views.index(branch)])

    def after_train(self, runner):
        torch.save(self.draws, f"{runner.work_dir}/draws_{get_rank()}.pth")

    def _keep(self, name, value):
        self.draws[name].append(value.clone())

    def _kept(self, name, function):
        def call(*args):
            result = function(*args)
            self._keep(name, result)
            return result

        return call


@HOOKS.register_module()
class EmptyRankHook(StepHook):
    """With `SSDET_EMPTY_RANK=1`, rank 1 has no pseudo labels from iteration 3 on."""

    phase = Phase.LABEL

    def after_teacher(self, step):
        if step.iteration >= 3 and os.environ.get("SSDET_EMPTY_RANK") == str(get_rank()):
            if isinstance(step.pseudo, PixelLabels):
                step.pseudo.weights.zero_()
                return
            for number, found in enumerate(step.pseudo):
                step.drop(number, torch.ones(len(found), dtype=torch.bool), "rank")
