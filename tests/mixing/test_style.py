"""Moments and low frequencies of one image on the content of another."""

import pytest
import torch

from ssdet.mixing import swap_amplitude, swap_statistics


def test_moments_by_hand():
    content = torch.tensor([[[1.0, 3.0]], [[5.0, 5.0]]])  # means 2 and 5, deviations 1 and 0
    style = torch.tensor([[[10.0, 20.0]], [[-4.0, -2.0]]])  # means 15 and -3, deviations 5 and 1
    assert swap_statistics(content, style).tolist() == [[[10.0, 20.0]], [[-3.0, -3.0]]]


def test_without_reach_only_the_mean_is_exchanged():
    torch.manual_seed(0)
    content, style = torch.randn(3, 8, 6), torch.randn(3, 8, 6) - 2
    found = swap_amplitude(content, style, share=0.0)
    moved = content - content.mean((1, 2), keepdim=True) + style.mean((1, 2), keepdim=True)
    torch.testing.assert_close(found, moved)


def test_a_low_wave_gets_the_amplitude_and_keeps_its_phase():
    x = torch.arange(8) * 2 * torch.pi / 8

    def wave(factor, shift, times):
        return (factor * torch.cos(times * x + shift)).expand(1, 8, 8)

    content = wave(1.0, 0.5, 1) + wave(1.0, 0.2, 3)
    style = wave(4.0, 2.0, 1) + wave(7.0, 1.0, 3)
    found = swap_amplitude(content, style, share=0.13)  # one cycle is low, three are not
    torch.testing.assert_close(found, wave(4.0, 0.5, 1) + wave(1.0, 0.2, 3))


def test_an_image_in_its_own_style_is_itself():
    image = torch.randn(3, 9, 7)
    torch.testing.assert_close(swap_amplitude(image, image, 0.3), image)
    torch.testing.assert_close(swap_statistics(image, image), image)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_half_precision_stays(share):
    image = torch.randn(3, 8, 8, dtype=torch.bfloat16)
    assert swap_amplitude(image, image, share).dtype == torch.bfloat16
