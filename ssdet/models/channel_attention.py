"""AllSpark: features of labeled images, made again from the channels of unlabeled ones."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..registry import MODELS
from ..validation import check_range


@MODELS.register_module()
class ChannelCrossAttention(BaseModule):
    """A neck that rebuilds one level of features by attention among channels.

    AllSpark (Wang et al., CVPR 2024). Queries, keys and values are channels, vectors over the
    places of the map. Channels of unlabeled images attend to those of the same image, in `heads`
    groups; channels of labeled images to those of all unlabeled images of the batch, or to
    remembered ones of each class. Which rows are labeled a `ChannelMemoryHook` says in a training;
    otherwise every image attends to itself as if it were the unlabeled one, so a prediction never
    depends on the other images of its batch.

    Args:
        in_channels: Of the level.
        channels: In the attention.
        heads: Groups of it.
        level: Which level is rebuilt; -1 is the deepest.
        dropout: Of attention and its result, in [0, 1).
    """

    def __init__(
        self,
        in_channels: int,
        *,
        channels: int = 512,
        heads: int = 2,
        level: int = -1,
        dropout: float = 0.1,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        name = type(self).__name__
        check_range(name, "heads", heads, 1, float("inf"))
        check_range(name, "dropout", dropout)
        self.channels, self.heads, self.level = channels, int(heads), level
        self.enter = nn.Sequential(nn.Conv2d(in_channels, channels, 1), nn.GELU())
        self.leave = nn.Sequential(nn.Conv2d(channels, in_channels, 1), nn.GELU())
        self.before, self.behind = (nn.LayerNorm(channels, eps=1e-6) for _ in range(2))
        self.own = _Projections(channels, self.heads)
        self.other = _Projections(channels, self.heads)
        self.dropout = nn.Dropout(dropout)
        self.labeled: int | None = None  # how many rows of the next batch are labeled
        self.memory: Tensor | None = None  # channels of classes (K, C, N)
        self.embedded: Tensor | None = None  # of the latest batch with labeled rows (B, N, C)
        self.size: torch.Size | None = None  # height and width of its maps

    def init_weights(self) -> None:
        """Xavier for the projections."""
        super().init_weights()
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)

    def forward(self, features: Any) -> tuple[Any, ...]:
        """All levels, one of them rebuilt."""
        levels = list(features)
        given = levels[self.level]
        paired = not isinstance(given, Tensor)  # a map and a class token
        found = self._rebuilt(given[0] if paired else given)
        levels[self.level] = type(given)([found, *given[1:]]) if paired else found
        return tuple(levels)

    def _rebuilt(self, maps: Tensor) -> Tensor:
        size = maps.shape[-2:]
        entered = self.enter(maps).flatten(2).transpose(1, 2)  # (B, N, C)
        embedded = self.before(entered)
        if self.labeled is None or not self.training:
            found = self._cross(embedded, embedded[:, None])
        else:
            self.embedded, self.size = embedded.detach(), size
            labeled, unlabeled = embedded[: self.labeled], embedded[self.labeled :]
            sources = unlabeled if self.memory is None else self._remembered(embedded)
            parts = [self._cross(labeled, sources[None])] if len(sources) else [labeled * 0.0]
            found = torch.cat([*parts, self._self(unlabeled)])
        left = self.behind(found + entered).transpose(1, 2).unflatten(2, size)
        return self.leave(left)

    def _remembered(self, embedded: Tensor) -> Tensor:
        """The channels of each class as if they were an image: (K, N, C)."""
        if self.memory is None or self.memory.shape[-1] != embedded.shape[1]:
            raise ValueError(
                f"{type(self).__name__}: the remembered channels are maps of another size than "
                "those of this batch. All crops of a training must have one size."
            )
        return self.memory.transpose(1, 2).to(embedded)

    def _self(self, embedded: Tensor) -> Tensor:
        """Channels of each image attend to those of its own, head by head."""
        query, key, value = (
            one.unflatten(2, (self.heads, self.channels)).permute(0, 2, 3, 1)
            for one in self.own.of(embedded, embedded)
        )
        found = self._attend(query, key, value).permute(0, 3, 1, 2).flatten(2)
        return self.dropout(self.own.out(found))

    def _cross(self, embedded: Tensor, sources: Tensor) -> Tensor:
        """Channels of each image (B, N, C) attend to those of its sources (B or 1, K, N, C)."""
        query, key, value = self.other.of(embedded, sources)
        # The channels of all sources stand side by side.
        key, value = (one.transpose(2, 3).flatten(1, 2) for one in (key, value))
        found = self._attend(query.transpose(1, 2), key, value).transpose(1, 2)
        return self.dropout(self.other.out(found))

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Channels (..., C, N) made of those of `value`."""
        return self.dropout(channel_shares(query, key)) @ value


class _Projections(nn.Module):
    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        wide = heads * channels
        self.query, self.key, self.value = (nn.Linear(channels, wide, bias=False) for _ in range(3))
        self.out = nn.Linear(wide, channels, bias=False)

    def of(self, asking: Tensor, asked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.query(asking), self.key(asked), self.value(asked)


def channel_shares(query: Tensor, key: Tensor) -> Tensor:
    """How much each channel (..., C, N) takes of each other one (..., K, N): (..., C, K).

    All products together are normalized to mean 0 and variance 1 before the softmax.
    """
    scores = query @ key.transpose(-1, -2)
    return F.layer_norm(scores, scores.shape[-2:]).softmax(-1)


def channel_classes(features: Tensor, probabilities: Tensor) -> Tensor:
    """The class of each channel: (B, C), of features (B, N, C) and probabilities (B, K, N).

    It is the one whose map points in the direction most like that of the channel.
    """
    maps = F.normalize(probabilities.float(), dim=-1)
    return (maps @ F.normalize(features.float(), dim=1)).argmax(1)
