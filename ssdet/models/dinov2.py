"""DINOv2's vision transformer as a backbone, for checkpoints of its authors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from typing_extensions import Self

from ..registry import MODELS

# width, depth, heads, and the four layers that UniMatch V2 gives to its decoder
SIZES: dict[str, tuple[int, int, int, tuple[int, ...]]] = {
    "small": (384, 12, 6, (2, 5, 8, 11)),
    "base": (768, 12, 12, (2, 5, 8, 11)),
    "large": (1024, 24, 16, (4, 11, 17, 23)),
}
PATCH = 14


@MODELS.register_module()
class DINOv2(BaseModule):
    """The encoder of Oquab et al. 2023, with the parameter names of the published checkpoints.

    An image whose sides are no multiples of the patch is resized to the nearest ones (as UniMatch
    V2 evaluates). Position embeddings are interpolated to the grid of the image. Every level is
    normalized with the last layer norm and comes as [feature map, class token], which is what
    `ExactDPTHead` takes.

    Args:
        size: "small", "base" or "large", with patches of 14 pixels.
        checkpoint: File with the weights (`dinov2_vitb14_pretrain.pth`, ...), loaded when the model
            is initialized. None: random weights, with a warning.
        out_indices: Layers whose outputs are returned; None: those of UniMatch V2.
        frozen: The encoder does not learn.
        registers: Number of register tokens: 4 for the checkpoints called `_reg4`, else 0.
        offset: Added to the grid when positions are interpolated, as the authors do: 0.1, and 0.0
            with registers.
        image_size: Side of the images of the pretraining (its grid of positions).
        with_cp: Save memory: activations are computed again in the backward pass.
    """

    def __init__(
        self,
        size: Literal["small", "base", "large"] = "base",
        checkpoint: str | None = None,
        *,
        out_indices: Sequence[int] | None = None,
        frozen: bool = False,
        registers: int = 0,
        offset: float = 0.1,
        image_size: int = 518,
        with_cp: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if size not in SIZES:
            raise ValueError(f"DINOv2: size={size!r} is not one of {list(SIZES)}")
        width, depth, heads, usual = SIZES[size]
        self.out_indices = tuple(usual if out_indices is None else out_indices)
        if not all(0 <= index < depth for index in self.out_indices):
            raise ValueError(f"DINOv2: out_indices={self.out_indices} are not in 0 ... {depth - 1}")
        self.checkpoint, self.frozen, self.offset = checkpoint, frozen, offset
        self.with_cp, self.registers = with_cp, registers
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, PATCH, PATCH)})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (image_size // PATCH) ** 2, width))
        if registers:
            self.register_tokens = nn.Parameter(torch.zeros(1, registers, width))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.requires_grad_(not frozen)

    def forward(self, images: Tensor) -> tuple[list[Tensor], ...]:
        """[feature map (B, D, h, w), class token (B, D)] of each layer in `out_indices`."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self._levels(images)

    def _levels(self, images: Tensor) -> tuple[list[Tensor], ...]:
        tokens, grid = self._tokens(images)
        found = []
        for index, block in enumerate(self.blocks):
            if self.with_cp and tokens.requires_grad:
                tokens = checkpoint(block, tokens, use_reentrant=False)
            else:
                tokens = block(tokens)
            if index in self.out_indices:
                normed = self.norm(tokens)
                patches = normed[:, 1 + self.registers :].transpose(1, 2)
                found.append([patches.unflatten(2, grid).contiguous(), normed[:, 0]])
        return tuple(found)

    def _tokens(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        sides = [max(round(side / PATCH), 1) for side in images.shape[-2:]]
        size = tuple(side * PATCH for side in sides)
        if size != tuple(images.shape[-2:]):
            images = F.interpolate(images, size, mode="bilinear", align_corners=True)
        patches = self.patch_embed["proj"](images).flatten(2).transpose(1, 2)
        own = self.cls_token.expand(len(images), -1, -1)
        tokens = torch.cat([own, patches], 1) + self.positions((sides[0], sides[1]))
        if self.registers:
            registers = self.register_tokens.expand(len(images), -1, -1)
            tokens = torch.cat([tokens[:, :1], registers, tokens[:, 1:]], 1)
        return tokens, (sides[0], sides[1])

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """Position embeddings (1, 1 + h w, D) for a grid of patches."""
        side = round((self.pos_embed.shape[1] - 1) ** 0.5)
        if grid == (side, side):
            return self.pos_embed
        maps = self.pos_embed[:, 1:].float().transpose(1, 2).unflatten(2, (side, side))
        if self.offset:
            scale = [(length + self.offset) / side for length in grid]
            maps = F.interpolate(maps, scale_factor=scale, mode="bicubic")
        else:
            maps = F.interpolate(maps, grid, mode="bicubic")
        patches = maps.flatten(2).transpose(1, 2).to(self.pos_embed.dtype)
        return torch.cat([self.pos_embed[:, :1], patches], 1)

    def init_weights(self) -> None:
        """Load the checkpoint, or draw random weights."""
        if self.checkpoint is None:
            self._draw()
            print_log("DINOv2: no checkpoint given, starting from random weights", "current", 30)
            return
        if not Path(self.checkpoint).is_file():
            raise FileNotFoundError(
                f"DINOv2: checkpoint={self.checkpoint!r}: no such file. Download the weights from "
                "the page of DINOv2 (github.com/facebookresearch/dinov2) and set "
                "--cfg-options checkpoint=FILE; checkpoint=None starts from random weights."
            )
        from ..engine.checkpoint_file import read_checkpoint

        weights = read_checkpoint(self.checkpoint)
        weights.pop("mask_token", None)  # of the pretraining
        try:
            self.load_state_dict(weights)
        except RuntimeError as error:
            raise RuntimeError(
                f"DINOv2: {self.checkpoint} does not fit this model. Check the size and the "
                f"number of registers in the config. {error}"
            ) from error

    def _draw(self) -> None:
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.trunc_normal_(part.weight, std=0.02)
                nn.init.zeros_(part.bias)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.normal_(self.cls_token, std=1e-6)

    def train(self, mode: bool = True) -> Self:
        """A frozen encoder stays in eval mode."""
        super().train(mode and not self.frozen)
        return self


class _Block(nn.Module):
    """Attention and perceptron, each after a layer norm and scaled channel by channel."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.ModuleDict(
            {"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)}
        )
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)}
        )
        self.ls1, self.ls2 = _Scale(width), _Scale(width)

    def forward(self, tokens: Tensor) -> Tensor:
        qkv = self.attn["qkv"](self.norm1(tokens)).unflatten(2, (3, self.heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        tokens = tokens + self.ls1(self.attn["proj"](mixed))
        return tokens + self.ls2(self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(tokens)))))


class _Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens * self.gamma
