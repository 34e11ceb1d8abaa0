"""Networks that correct pseudo boxes from the features around them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..losses.polishing import CONTEXTS
from ..registry import MODELS
from .averaged import Averaged


@MODELS.register_module()
class BoxPolisher(Averaged):
    """Features of a box and of its context -> four deltas that move it onto the object.

    "Mind the Gap" (AAAI 2023): the features of 7 boxes side by side, a 1x1 convolution, and two
    hidden layers. The last layer starts at zero: an untrained polisher leaves boxes as they are.

    Args:
        in_channels: Channels of the detector's neck.
        roi_size: Height and width of the pooled features.
        channels, hidden: Width of the convolution and of the two hidden layers.
    """

    def __init__(
        self,
        in_channels: int = 256,
        *,
        roi_size: int = 7,
        channels: int = 256,
        hidden: int = 1024,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        _check_sizes("BoxPolisher", in_channels, roi_size, channels, hidden)
        last = nn.Linear(hidden, 4)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        learner = nn.Sequential(
            nn.Conv2d(CONTEXTS * in_channels, channels, 1),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(channels * roi_size**2, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            last,
        )
        super().__init__(learner, init_cfg)
        self.in_channels, self.roi_size = in_channels, roi_size


@MODELS.register_module()
class ClassPolisher(Averaged):
    """Features of a box -> logits (N, num_classes + 1) of its class; the last is the background.

    It has another structure than the box polisher and sees the box without its context, so that
    their mistakes differ ("Mind the Gap", AAAI 2023, as published in code).

    Args:
        num_classes: Classes of the detector, without the background.
        in_channels: Channels of the detector's neck.
        roi_size: Height and width of the pooled features.
        hidden: Width of the two hidden layers.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 256,
        *,
        roi_size: int = 7,
        hidden: int = 1024,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        _check_sizes("ClassPolisher", num_classes, in_channels, roi_size, hidden)
        learner = nn.Sequential(
            nn.Flatten(),
            nn.Linear(in_channels * roi_size**2, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, num_classes + 1),
        )
        super().__init__(learner, init_cfg)
        self.num_classes, self.in_channels, self.roi_size = num_classes, in_channels, roi_size


def side_by_side(features: Tensor, boxes: int) -> Tensor:
    """Pooled features (N * 7, C, s, s) of N boxes and their context as (N, 7 * C, s, s)."""
    channels = CONTEXTS * features.shape[1]
    return features.reshape(boxes, channels, *features.shape[2:])


def _check_sizes(owner: str, *sizes: int) -> None:
    wrong = [size for size in sizes if not (isinstance(size, int) and size > 0)]
    if wrong:
        raise ValueError(f"{owner}: {wrong[0]!r} is not a size; all sizes are integers above 0")
