"""Views of the teacher's second look, by hand, and what comes back from them."""

import pytest
import torch

from ssdet.hooks._parts.second_view import SecondView
from ssdet.mixing import ORIENTATIONS, orient
from ssdet.teacher_student.step import Views

from ...helpers import sample


def views(size=(32, 64), shape=(20, 40)):
    inputs = torch.zeros(1, 1, *size)
    inputs[0, 0, : shape[0], : shape[1]] = torch.arange(shape[1]).float()
    return Views(inputs, [sample(shape)])


def test_mirrored_within_the_image_and_not_within_the_padding():
    second = SecondView("hflip")
    seen = second.views(views())
    assert seen.inputs[0, 0, 0, :40].tolist() == list(range(39, -1, -1))
    assert not seen.inputs[0, 0, :, 40:].any() and not seen.inputs[0, 0, 20:].any()
    back = second.boxes_back(torch.tensor([[30.0, 2, 38, 9]]), (20, 40))
    assert back.tolist() == [[2, 2, 10, 9]]
    assert second.maps_back(seen.inputs, views()).equal(views().inputs)


def test_another_size_is_padded_again():
    second = SecondView("identity", scale=1.5)
    seen = second.views(views())
    assert seen.inputs.shape == (1, 1, 64, 96)
    assert seen.samples[0].img_shape == (30, 60)
    assert seen.samples[0].batch_input_shape == (64, 96)
    back = second.boxes_back(torch.tensor([[30.0, 15, 60, 30]]), (20, 40))
    assert back.tolist() == [[20, 10, 40, 20]]
    maps = second.maps_back(seen.inputs, views())
    assert maps.shape == (1, 1, 32, 64) and not maps[..., 40:].any()
    assert torch.allclose(maps[0, 0, 5, 3:37], torch.arange(3.0, 37), atol=0.05)


def test_both_at_once_and_an_odd_width():
    second = SecondView("hflip", scale=0.5)
    # A view 41 wide becomes round(20.5) = 20 wide.
    back = second.boxes_back(torch.tensor([[0.0, 0, 10, 5]]), (20, 41))
    assert torch.allclose(back, torch.tensor([[20.5, 0, 41, 10]]))


@pytest.mark.parametrize(
    ("orientation", "scale"),
    [*((o, 0.5) for o in ORIENTATIONS), *((o, 1.0) for o in ORIENTATIONS[1:])],
)
def test_a_mark_is_found_again_where_it_was(orientation, scale):
    own = Views(torch.zeros(1, 1, 32, 64), [sample((20, 40))])
    own.inputs[0, 0, 4:8, 30:40] = 1
    second = SecondView(orientation, scale=scale)
    seen = second.views(own)
    turned = orient(torch.zeros(20, 40), orientation).shape
    assert seen.samples[0].img_shape == tuple(round(side * scale) for side in turned)
    rows, columns = (seen.inputs[0, 0] > 0.5).nonzero().unbind(1)
    found = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    back = second.boxes_back(found[None].float(), (20, 40))
    assert torch.allclose(back, torch.tensor([[30.0, 4, 40, 8]]), atol=1e-4)
    maps = second.maps_back(seen.inputs, own)
    assert maps[0, 0, 5:7, 32:38].min() > 0.6 and maps[0, 0, :, :26].max() < 0.1


def test_settings_are_checked():
    with pytest.raises(ValueError, match="give the teacher the same view again"):
        SecondView.of("X", dict(flip=False))
    with pytest.raises(ValueError, match="orientation='turn'"):
        SecondView("turn")
    with pytest.raises(ValueError, match=r"X: second_view has \['rotate'\]"):
        SecondView.of("X", dict(rotate=90))
