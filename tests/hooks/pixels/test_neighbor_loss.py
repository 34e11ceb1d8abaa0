"""The loss of neighboring pixels in a step."""

import pytest
import torch

from ssdet.hooks import NeighborLossHook
from ssdet.losses.neighbors import neighbor_energy
from ssdet.teacher_student.step import Step, Views

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, seg_sample

KEY = "sup_loss_neighbors"


def taken(hook, iteration=0, logits=None, inputs=None, shape=(4, 4)):
    """The loss for one labeled view without annotations."""
    model = build_seg()
    model.attach(hook)
    inputs = torch.zeros(1, 3, 4, 4) if inputs is None else inputs
    sample = seg_sample(shape, gt=torch.full((4, 4), 255))
    logits = torch.randn(1, 4, 4, 4) if logits is None else logits
    step = Step(model, iteration, sup=Views(inputs, [sample]), outputs={"sup": logits})
    hook.after_loss(step)
    return step.losses.get(KEY)


def test_colors_are_those_of_the_picture():
    """The preprocessor divides by 64: a step of 20 levels is 0.3125 there."""
    logits, inputs = torch.randn(1, 4, 4, 4), torch.zeros(1, 3, 4, 4)
    inputs[..., 2:] = 20 / 64
    hook = NeighborLossHook(weight=0.5, radius=2, distance=3.0, color=10.0, stride=1)
    valid = torch.ones(1, 4, 4, dtype=torch.bool)
    expected = neighbor_energy(
        logits.softmax(1), inputs * 64, valid, radius=2, distance=3.0, color=10.0
    )
    assert taken(hook, logits=logits, inputs=inputs).item() == pytest.approx(0.5 * expected.item())


def test_unlabeled_pixels_count_and_padding_does_not():
    """The right half, of another class, is padding."""
    logits = torch.zeros(1, 4, 4, 4)
    logits[:, 0, :, :2] = logits[:, 1, :, 2:] = 50.0
    assert taken(NeighborLossHook(stride=1), logits=logits) > 0.1
    assert taken(NeighborLossHook(stride=1), logits=logits, shape=(4, 2)) < 1e-6


def test_the_map_is_compared_at_its_stride():
    logits, inputs = torch.randn(1, 4, 2, 2), torch.randn(1, 3, 4, 4)
    small = torch.nn.functional.avg_pool2d(inputs, 2) * 64
    valid = torch.ones(1, 2, 2, dtype=torch.bool)
    expected = neighbor_energy(logits.softmax(1), small, valid, radius=5, distance=6.0, color=20.0)
    found = taken(NeighborLossHook(stride=2), logits=logits, inputs=inputs)
    assert found.item() == pytest.approx(expected.item())


def test_it_starts_when_it_is_told():
    hook = NeighborLossHook(start=3, stride=1)
    assert taken(hook, iteration=2) is None and taken(hook, iteration=3) > 0


@pytest.mark.parametrize("joint", [False, True])
def test_a_step_teaches_the_student(joint):
    torch.manual_seed(0)
    model = build_seg(joint_pass=joint)
    model.attach(NeighborLossHook(stride=1))
    found = losses(model, seg_batch())
    found[KEY].backward()
    assert all(p.grad is not None for p in model.student.decode_head.conv_seg.parameters())
    assert KEY not in losses(model, seg_batch(sup=0))


def test_what_it_refuses():
    with pytest.raises(TypeError, match=r"NeighborLossHook: .*not with a TeacherStudentDetector"):
        build_pair().attach(NeighborLossHook())
    for settings in (dict(radius=0), dict(stride=1.5), dict(color=0.0), dict(weight=-1.0)):
        with pytest.raises(ValueError, match=f"NeighborLossHook: {next(iter(settings))}="):
            NeighborLossHook(**settings)
