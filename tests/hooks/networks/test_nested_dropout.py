"""Prefixes of channels before the classifier."""

import pytest
import torch

from ssdet.hooks import NestedDropoutHook
from ssdet.hooks.networks import nested_dropout

from ...helpers import losses
from ...seg_helpers import build_seg, seg_batch

LAYER = "decode_head.conv_seg"


def test_the_student_sees_prefixes_and_nobody_else_does(monkeypatch):
    first = (torch.arange(8) < 3).float()
    monkeypatch.setattr(nested_dropout, "nested_mask", lambda rows, *_: first.repeat(rows, 1))
    torch.manual_seed(0)
    model, seen = build_seg(), {"student": [], "teacher": []}
    model.attach(NestedDropoutHook(LAYER))
    for role, inputs in seen.items():
        layer = getattr(model, role).get_submodule(LAYER)
        layer.register_forward_hook(lambda _, given, __, inputs=inputs: inputs.append(given[0]))
    found = losses(model, seg_batch())
    assert len(seen["student"]) == 2 and found["nested_dropout/kept"].item() == 3 / 8
    assert all(one[:, :3].any() and not one[:, 3:].any() for one in seen["student"])
    model.student(torch.rand(1, 3, 32, 32), mode="tensor")  # an evaluation
    assert all(one[:, 3:].any() for one in (seen["teacher"][0], seen["student"][2]))


@pytest.mark.parametrize(
    ("layer", "near"),
    [
        ("head.conv_seg", "decode_head.conv_seg"),
        ("neck", "data_preprocessor, backbone, decode_head"),
        ("decode_head.conv_seg.0", "decode_head.loss_decode, decode_head.conv_seg, .*"),
        ("backbone.layer9", ".*, backbone.layer1, .*"),
    ],
)
def test_an_unknown_layer_is_named_with_those_that_are_near(layer, near):
    with pytest.raises(ValueError, match=f"layer='{layer}': .* Near it are {near}. Give a name"):
        build_seg().attach(NestedDropoutHook(layer))
