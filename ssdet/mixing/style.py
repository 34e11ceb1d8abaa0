"""The colors and the lighting of one image on the content of another."""

from __future__ import annotations

import torch
from torch import Tensor


def swap_statistics(content: Tensor, style: Tensor) -> Tensor:
    """An image (C, H, W) with the mean and the deviation of each channel of another one.

    BSS (Shi et al., 2023) exchanges these moments, of images here and not of features.
    """
    mean, deviation = _moments(content)
    target, spread = _moments(style)
    return (content - mean) / deviation.clamp(min=1e-5) * spread + target


def swap_amplitude(content: Tensor, style: Tensor, share: float) -> Tensor:
    """An image (C, H, W) with the low frequencies' amplitude of another one, of the same size.

    FDA (Yang & Soatto, CVPR 2020): phases are those of the content; frequencies of up to `share`
    of the shorter side, in both directions, have the amplitude of the style. The mean is taken
    with its sign, because normalized images may have negative ones.
    """
    height, width = content.shape[-2:]
    own, other = (torch.fft.fft2(image.float()) for image in (content, style))
    reach = int(min(height, width) * share)
    low = _near_zero(height, reach)[:, None] & _near_zero(width, reach)[None]
    amplitude = torch.where(low.to(own.device), other.abs(), own.abs())
    mixed = torch.polar(amplitude, own.angle())
    mixed[..., 0, 0] = other[..., 0, 0]
    return torch.fft.ifft2(mixed).real.to(content.dtype)


def _near_zero(length: int, reach: int) -> Tensor:
    """Which frequencies of a transform are at most `reach` cycles, forward or backward."""
    number = torch.arange(length)
    return torch.minimum(number, length - number) <= reach


def _moments(image: Tensor) -> tuple[Tensor, Tensor]:
    deviation, mean = torch.std_mean(image, dim=(-2, -1), keepdim=True, correction=0)
    return mean, deviation
