"""FedSTO's phases and its penalty."""

import copy

import pytest
import torch

from ssdet.hooks import OrthogonalityHook, SelectiveTrainingHook

from ...helpers import losses, total
from ...seg_helpers import build_seg, seg_batch, tiny_fcn


def trained(hook, iteration, norm="BN"):
    torch.manual_seed(0)
    model = build_seg(tiny_fcn(norm=norm))
    model.attach(hook)
    model.iteration = iteration
    optimizer = torch.optim.SGD(model.student.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    hook.watch(optimizer)
    before = copy.deepcopy(model.student.state_dict())
    total(losses(model, seg_batch())).backward()
    optimizer.step()
    after = model.student.state_dict()
    return model, {name for name in before if not torch.equal(before[name], after[name])}


def test_what_rests_does_not_move_by_a_bit_statistics_included():
    hook = SelectiveTrainingHook([(5, "backbone"), (8, "decode_head.conv_seg")])
    _, moved = trained(hook, 4)
    assert moved and all(name.startswith("backbone") for name in moved)
    assert any("running_mean" in name for name in moved)
    _, moved = trained(hook, 5)
    assert moved == {"decode_head.conv_seg.weight", "decode_head.conv_seg.bias"}
    model, moved = trained(hook, 8)
    assert {name for name, _ in model.student.named_parameters()} <= moved
    assert model.student.decode_head.training and model.student.backbone.bn1.training


def test_what_rests_has_no_part_in_a_norm_that_is_clipped():
    model = build_seg()
    model.attach(SelectiveTrainingHook([(5, "backbone")]))
    total(losses(model, seg_batch())).backward()
    norms = {name: p.grad.norm() for name, p in model.student.named_parameters()}
    assert {name for name, norm in norms.items() if norm > 0 and "backbone" not in name} == set()
    assert any(norm > 0 for norm in norms.values())


@pytest.mark.parametrize("phases", [[], [(5, "backbone"), (5, "neck")], [(0, "backbone")]])
def test_phases_are_checked(phases):
    with pytest.raises(ValueError, match="SelectiveTrainingHook: phases="):
        SelectiveTrainingHook(phases)


def test_names_are_those_of_the_student():
    with pytest.raises(ValueError, match=r"begins with 'neck'; the student has .*'backbone'"):
        build_seg().attach(SelectiveTrainingHook([(5, "neck")]))
    with pytest.raises(ValueError, match="layers='neck' is the start of no layer"):
        build_seg().attach(OrthogonalityHook("neck"))


def test_the_penalty_is_on_the_layers_that_are_named():
    torch.manual_seed(0)
    model = build_seg()
    hook = OrthogonalityHook("decode_head.conv_seg", weight=0.5, steps=50)
    model.attach(hook)
    with torch.no_grad():
        matrix = torch.zeros(4, 8)
        matrix[0, 0] = 2.0
        model.student.decode_head.conv_seg.weight.copy_(matrix.view(4, 8, 1, 1))
    found = losses(model, seg_batch(unsup=0))
    assert found["sup_loss_orthogonality"].item() == pytest.approx(0.5 * 3.0, rel=1e-4)
    assert set(hook.vectors) == {"decode_head.conv_seg.weight"}
    hook.begin = 100
    assert losses(model, seg_batch(unsup=0))["sup_loss_orthogonality"].item() == 0
