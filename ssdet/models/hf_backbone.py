"""Backbones of Hugging Face `transformers` for MMDetection and MMSegmentation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor
from typing_extensions import Self

from ..registry import MODELS
from ..validation import check_choice, check_range
from .hf_loading import model_config, named_errors, transformers
from .lora import add_lora, merge_lora
from .unused import freeze_unused

Learning = Literal["all", "lora", "frozen"]
SIDE = 2  # patches of the image with which unused parameters are found


@MODELS.register_module()
class HFBackbone(BaseModule):
    """DINOv2, DINOv3 (ViT and ConvNeXt), Swin and what else is an `AutoBackbone`.

    The image is padded at the bottom and the right to a multiple of the patch, since the library
    would cut the rest off; a `size_divisor` of the patch in the data preprocessor makes that
    needless. What no output depends on (layers above the last one that is used, the mask token) is
    left out or frozen. Needs the extra `hf`: `pip install 'ssdet[hf]'`, and no torchvision.

    What was run: DINOv2, DINOv3 ViT and ConvNeXt and Swin with small random weights on a CPU,
    transformers 5.24, in a RetinaNet with `SimpleFeaturePyramid` and in segmentors; which on two
    processes and in bfloat16: docs/families.md. Not run: published weights.

    Args:
        pretrained: Folder that `from_pretrained` reads, or a name on the hub, such as
            "facebook/dinov3-vits16-pretrain-lvd1689m" (whose license has to be accepted there).
        config: `dict(model_type="dinov3_vit", hidden_size=384, ...)`. With `pretrained`, that of
            its architecture, so that no network is needed to build it; without, of random weights.
        out_indices: Layers or stages whose maps are returned, counted from 1 (0 is the stem).
        learning: "all", "lora" (low-rank updates of the attention alone) or "frozen".
        lora_rank, lora_alpha: Of the updates: W x + (alpha / rank) B A x.
        lora_layers: Names of the linear layers that get them.
        stride: Resize the maps to this stride (16 for patches of 14); None: as they are.
        class_token: Every level is [map, class token], as `ExactDPTHead` takes it.
    """

    def __init__(
        self,
        pretrained: str | None = None,
        *,
        config: Mapping[str, Any] | None = None,
        out_indices: Sequence[int] = (3, 6, 9, 12),
        learning: Learning = "all",
        lora_rank: int = 8,
        lora_alpha: float = 16.0,
        lora_layers: Sequence[str] = ("q_proj", "v_proj"),
        stride: int | None = None,
        class_token: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        name = type(self).__name__
        check_choice(name, "learning", learning, Learning)
        check_range(name, "lora_rank", lora_rank, 1, float("inf"))
        indices = [int(index) for index in out_indices]
        if not indices or indices != sorted(set(indices)) or indices[0] < 0:
            raise ValueError(f"{name}: out_indices={indices} are not ascending, from 0 on")
        self.pretrained, self.learning, self.stride = pretrained, learning, stride
        self.class_token = class_token
        found = model_config(name, pretrained, config, out_indices=indices)
        if (
            "stage" in found.stage_names[-1]
            and hasattr(found, "num_hidden_layers")
            and not hasattr(found, "depths")
        ):
            # The layers above would run for nothing.
            found.num_hidden_layers = max(indices)
            found.stage_names = found.stage_names[: max(indices) + 1]
        self.network: Any = transformers().AutoBackbone.from_config(found)
        self.tokens = 1 + getattr(found, "num_register_tokens", 0)
        self.patch = int(getattr(found, "patch_size", 1))
        self.out_channels = tuple(self.network.channels)
        channels, side = getattr(found, "num_channels", 3), SIDE * max(self.patch, 32)
        image = torch.zeros(1, channels, side, side)
        freeze_unused(self.network, lambda: self.network(image).feature_maps)
        if learning == "frozen":
            self.requires_grad_(False)
        elif learning == "lora":
            self.requires_grad_(False)
            add_lora(self.network, lora_layers, rank=lora_rank, alpha=lora_alpha)

    def init_weights(self) -> None:
        """Read the published weights, if there are any."""
        if self.pretrained is None:
            return
        with named_errors(type(self).__name__, self.pretrained):
            # (AutoBackbone itself would ask the hub about a folder, too.)
            kind: Any = type(self.network)
            found = kind.from_pretrained(self.pretrained, config=self.network.config)
        own = dict(self.network.named_modules())
        state = {}
        for key, value in found.state_dict().items():
            owner, _, name = key.rpartition(".")
            state[f"{owner}.base.{name}" if hasattr(own.get(owner), "base") else key] = value
        self.network.load_state_dict(state, strict=self.learning != "lora")

    def merge(self) -> None:
        """Put the low-rank updates into the weights: what remains is a plain backbone."""
        merge_lora(self.network)

    def train(self, mode: bool = True) -> Self:
        """What does not learn stays in eval mode."""
        return super().train(mode and self.learning != "frozen")

    def forward(self, images: Tensor) -> tuple[Any, ...]:
        """The maps (B, C, h, w) of `out_indices`, or [map, class token]."""
        size = images.shape[-2:]
        height, width = (math.ceil(side / self.patch) * self.patch for side in size)
        padded = F.pad(images, (0, width - size[1], 0, height - size[0]))
        with torch.no_grad() if self.learning == "frozen" else nullcontext():
            if self.class_token:
                return tuple(self._with_tokens(padded))
            maps = self.network(padded).feature_maps
        if self.stride is None:
            return tuple(maps)
        target = [math.ceil(side / self.stride) for side in (height, width)]
        return tuple(
            F.interpolate(one, target, mode="bilinear", align_corners=False) for one in maps
        )

    def layer_of(self, name: str) -> int:
        """The layer (from 1) that a parameter of `network` belongs to, for `LayerDecay`.

        0 are the embeddings, and the number of layers + 1 is the last norm. A backbone of stages
        counts its blocks through; a downsampling layer belongs to the first block of its stage.
        """
        depths = getattr(self.network.config, "depths", None)
        numbers = [int(part) for part in name.split(".") if part.isdigit()]
        inside = any(f"{word}." in name for word in ("layer", "layers", "blocks", "stages"))
        if not inside or not numbers or name.startswith("hidden_states_norms"):
            last = name.rpartition(".")[0].split(".")[-1] in ("norm", "layernorm")
            return self.layers + 1 if last or "hidden_states_norms" in name else 0
        if depths is None:
            return numbers[0] + 1
        block = numbers[1] if len(numbers) > 1 and "downsample" not in name else 0
        return int(sum(depths[: numbers[0]])) + block + 1

    @property
    def layers(self) -> int:
        """Number of layers, or of the blocks of all stages."""
        depths = getattr(self.network.config, "depths", None)
        return int(sum(depths) if depths else self.network.config.num_hidden_layers)

    def _with_tokens(self, images: Tensor) -> list[list[Tensor]]:
        """[map, class token] of each level, both after the last norm."""
        grid = [side // self.patch for side in images.shape[-2:]]
        config, levels = self.network.config, []
        before = config.reshape_hidden_states
        config.reshape_hidden_states = False
        try:
            found = self.network(images).feature_maps
        finally:
            config.reshape_hidden_states = before
        for rows in found:
            count = grid[0] * grid[1]
            maps = rows[:, -count:].transpose(1, 2).unflatten(2, grid).contiguous()
            levels.append([maps, rows[:, 0]])
        return levels
