"""A step that a gradient scaler skips, because of an overflow, is none for the teacher either."""

import torch
from mmengine.optim import OptimWrapper

from ..contract.loop import Loop


class Scaled(OptimWrapper):
    """MMEngine's `AmpOptimWrapper` without the GPU: the scaler of PyTorch itself."""

    def __init__(self, optimizer, scale):
        super().__init__(optimizer)
        self.loss_scaler = torch.amp.GradScaler("cpu", init_scale=scale)

    def backward(self, loss, **kwargs):
        self.loss_scaler.scale(loss).backward(**kwargs)

    def step(self, **kwargs):
        self.loss_scaler.step(self.optimizer)
        self.loss_scaler.update()


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_neither_student_nor_teacher_moves_until_the_scale_fits(tmp_path):
    run = Loop(tmp_path, "retinanet", [dict(type="TeacherEMAHook", momentum=0.0)])
    wrapper = Scaled(run.runner.optim_wrapper.optimizer, scale=2.0**127)
    wrapper.initialize_count_status(run.model, 0, 10)
    run.runner.optim_wrapper = wrapper
    skipped = []
    for _ in range(12):
        student, teacher = weights(run.model.student), weights(run.model.teacher)
        scale = wrapper.loss_scaler.get_scale()
        run.train(1)
        skipped.append(wrapper.loss_scaler.get_scale() < scale)
        assert torch.equal(weights(run.model.student), student) == skipped[-1]
        assert torch.equal(weights(run.model.teacher), teacher) == skipped[-1]
        # With a momentum of 0 the teacher is the student of the last step that was taken.
        assert torch.equal(weights(run.model.teacher), weights(run.model.student))
    assert skipped[0] and not skipped[-1]
    assert skipped == sorted(skipped, reverse=True)
    assert run.hooks[0].updates == skipped.count(False)
    assert run.runner.iter == 12  # a skipped step is an iteration all the same
