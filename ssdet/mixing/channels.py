"""Dropout of whole channels: a perturbation of the features inside of a network."""

import torch
from torch import Tensor


def channel_mask(
    images: int, channels: int, prob: float = 0.5, generator: torch.Generator | None = None
) -> Tensor:
    """Factors (B, C): 0 with probability `prob`, else 1 / (1 - prob), so that the mean stays."""
    kept = torch.rand(images, channels, generator=generator) >= prob
    return kept / (1 - prob) if prob < 1 else torch.zeros(images, channels)


def complementary_masks(
    intact: Tensor, channels: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Two masks (B, C) with the factors 0 and 2 whose sum is 2 everywhere (UniMatch V2).

    A channel that one view keeps (doubled) the other one loses. Of the images where `intact`
    (B,) is true both keep everything.
    """
    first = torch.randint(2, (len(intact), channels), generator=generator) * 2.0
    first[intact] = 1.0
    return first, 2.0 - first


def nested_mask(
    rows: int, channels: int, deviation: float, generator: torch.Generator | None = None
) -> Tensor:
    """Factors (N, C): 1 for the first k channels of a row, 0 for the others (nested dropout).

    k is half-normal: |n| times `deviation` times the channels, rounded up, at most all of them.
    """
    drawn = torch.randn(rows, generator=generator).abs() * deviation * channels
    kept = drawn.ceil().clamp(1, channels)
    return (torch.arange(channels) < kept[:, None]).float()


def scale_channels(feature: Tensor, mask: Tensor) -> Tensor:
    """A feature map (B, C, ...) times factors (B, C)."""
    factors = mask.to(feature.device, feature.dtype)
    return feature * factors.reshape(*mask.shape, *[1] * (feature.ndim - 2))
