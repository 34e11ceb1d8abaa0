"""CLIP for pixels: its image encoder, and the names of classes as directions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..registry import MODELS
from ..teacher_student.by_reference import ByReference
from ..validation import check_range
from .hf_loading import model_config, named_errors, published_sha256, read_pretrained, transformers

MEAN, STD = (122.7709, 116.7460, 104.0937), (68.5005, 66.6322, 70.3232)  # RGB, of CLIP itself


@MODELS.register_module()
class CLIPBackbone(BaseModule):
    """CLIP's image encoder with a direction for each patch, beside maps of earlier blocks.

    SemiVL (Hoyer et al., ECCV 2024), with the dense reading of MaskCLIP (Zhou et al. 2022). The
    last map is the projection into the space of texts, of length 1, of the last block's *value
    path*: its attention is left out, so that each patch speaks for itself. `skips` are value paths
    of earlier blocks. Only attention and position embedding learn; all else stays as CLIP has it.
    Needs the extra `hf`: `pip install 'ssdet[hf]'`.

    Args:
        pretrained: Folder that `from_pretrained` reads, or a name on the hub, such as
            "openai/clip-vit-base-patch16".
        config: `dict(model_type="clip_vision_model", hidden_size=768, ...)`. With `pretrained`,
            that of its architecture, so that no network is needed to build it; without, of random
            weights.
        skips: Blocks, from 0, whose value path is returned, too.
        learning: Parts of names of the parameters that learn; empty: none.
    """

    def __init__(
        self,
        pretrained: str | None = None,
        *,
        config: Mapping[str, Any] | None = None,
        skips: Sequence[int] = (0, 4),
        learning: Sequence[str] = ("self_attn", "position_embedding"),
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        found = model_config(type(self).__name__, pretrained, config)
        found = getattr(found, "vision_config", found)
        for block in skips:
            check_range(type(self).__name__, "skips", block, 0, found.num_hidden_layers - 1)
        self.pretrained, self.skips = pretrained, frozenset(skips)
        self.network: Any = transformers().CLIPVisionModelWithProjection(found)
        self.patch, self.size = int(found.patch_size), int(found.image_size)
        self.out_channels = (*[found.hidden_size] * len(self.skips), found.projection_dim)
        last = f"layers.{found.num_hidden_layers - 1}.self_attn"
        idle = tuple(f"{last}.{name}_proj." for name in ("q", "k"))  # not on the value path
        for name, parameter in self.network.named_parameters():
            learns = any(part in name for part in learning) and not any(i in name for i in idle)
            parameter.requires_grad_(learns)

    def init_weights(self) -> None:
        """Read the published weights, if there are any."""
        if self.pretrained is not None:
            read_pretrained(type(self).__name__, self.network, self.pretrained)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The maps of `skips`, and the directions (B, D, h, w) of the patches."""
        size = images.shape[-2:]
        height, width = (math.ceil(side / self.patch) * self.patch for side in size)
        padded = F.pad(images, (0, width - size[1], 0, height - size[0]))
        grid = height // self.patch, width // self.patch
        vision = self.network.vision_model
        tokens = vision.embeddings(padded, interpolate_pos_encoding=(height, width) != self._square)
        tokens = vision.pre_layrnorm(tokens)
        *earlier, last = vision.encoder.layers
        maps = []
        for number, block in enumerate(earlier):
            if number in self.skips:
                maps.append(_as_map(_value_path(block, tokens), grid))
            tokens = block(tokens, None)
        found = _value_path(last, tokens)
        if len(earlier) in self.skips:
            maps.append(_as_map(found, grid))
        directions = self.network.visual_projection(vision.post_layernorm(found))
        return (*maps, _as_map(F.normalize(directions, dim=-1), grid))

    @property
    def _square(self) -> tuple[int, int]:
        return self.size, self.size


def _value_path(block: Any, tokens: Tensor) -> Tensor:
    """A block of a transformer without its attention: every token takes its own value."""
    attention = block.self_attn
    own = attention.out_proj(attention.v_proj(block.layer_norm1(tokens))) + tokens
    return own + block.mlp(block.layer_norm2(own))


def _as_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Tokens of the patches (B, 1 + N, D), without the class token, as (B, D, h, w)."""
    return tokens[:, 1:].transpose(1, 2).unflatten(2, grid)


class ClassTexts(nn.Module):
    """Directions of the names of classes, in CLIP's space of texts.

    Args:
        owner: Whose it is, for errors.
        concepts: For each class its names; what is under "background" are things that are none.
        dim: Of the space.
        pretrained: The CLIP whose text encoder reads them, once, when a training starts. None:
            random directions, for a try without weights.
        template: Around each name.
        average: One direction for each class, the mean of its names; else the best name counts.
    """

    features: Tensor
    owners: Tensor

    def __init__(
        self,
        owner: str,
        concepts: Sequence[Sequence[str]],
        dim: int,
        *,
        pretrained: str | None = None,
        template: str = "a photo of a {}",
        average: bool = False,
    ) -> None:
        super().__init__()
        self.owner, self.pretrained, self.template = owner, pretrained, template
        self.concepts = [list(map(str, names)) for names in concepts]
        self.average = average
        empty = [number for number, names in enumerate(self.concepts) if not names]
        every = [name for names in self.concepts for name in names]
        twice = sorted({name for name in every if every.count(name) > 1})
        if empty or twice or any(isinstance(names, str) for names in concepts):
            reason = f"class {empty[0]} has no name" if empty else f"twice there: {twice[:3]}"
            reason = reason if empty or twice else "a class is not a list"
            raise ValueError(
                f"{owner}: concepts={concepts!r}: {reason}. Give each class a list of names, and "
                "no name to two classes."
            )
        owners = [number for number, names in enumerate(self.concepts) for _ in names]
        rows = range(len(self.concepts)) if average else owners
        self.register_buffer("owners", torch.tensor(list(rows)))
        generator = torch.Generator("cpu").manual_seed(0)
        drawn = torch.randn(len(self.owners), dim, generator=generator, device="cpu")
        self.register_buffer("features", F.normalize(drawn, dim=1).to(self.owners.device))

    @property
    def classes(self) -> int:
        """How many."""
        return len(self.concepts)

    @torch.no_grad()
    def read(self) -> None:
        """Encode the names."""
        if self.pretrained is None:
            return
        package = transformers()
        with named_errors(self.owner, self.pretrained):
            tokens = package.AutoTokenizer.from_pretrained(self.pretrained)
            network = package.CLIPTextModelWithProjection.from_pretrained(self.pretrained)
        parts = []
        for names in self.concepts:
            given = [self.template.format(name) for name in names]
            found = network.eval()(**tokens(given, padding=True, return_tensors="pt")).text_embeds
            parts.append(found.mean(0, keepdim=True) if self.average else found)
        directions = F.normalize(torch.cat(parts).float(), dim=1)
        if directions.shape != self.features.shape:
            raise ValueError(
                f"{self.owner}: the texts of {self.pretrained} have {directions.shape[1]} "
                f"dimensions, those of the images {self.features.shape[1]}. Take one CLIP for both."
            )
        self.features.copy_(directions)

    def similarities(self, directions: Tensor) -> Tensor:
        """Cosines (B, K, h, w) of maps of directions (B, D, h, w) with each name."""
        return torch.einsum("bdhw,kd->bkhw", directions, self.features.to(directions.dtype))

    def best(self, scores: Tensor) -> Tensor:
        """For each class the best of its names: (B, K, ...) -> (B, C, ...)."""
        if len(self.owners) == self.classes:
            return scores
        shape = (scores.shape[0], self.classes, *scores.shape[2:])
        place = self.owners.view(1, -1, *[1] * (scores.ndim - 2)).expand_as(scores)
        lowest = scores.new_full(shape, -torch.inf)
        return lowest.scatter_reduce(1, place, scores, "amax", include_self=True)


@MODELS.register_module()
class DenseTextLabeler(ByReference, BaseModule):
    """A frozen CLIP that says how much each pixel looks like the names of each class.

    Checkpoints hold the directions of the names, and of the published weights the sha256 alone.

    Args:
        concepts: For each class its names.
        pretrained: Of both encoders; None: random weights.
        config: Of the image encoder, as in `CLIPBackbone`.
        scale: Cosines times this go into the softmax.
        template, average: See `ClassTexts`.
        keep_weights: Put the weights into every checkpoint.
    """

    part = "encoder"
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        concepts: Sequence[Sequence[str]],
        *,
        pretrained: str | None = None,
        config: Mapping[str, Any] | None = None,
        scale: float = 100.0,
        template: str = "a photo of a {}",
        average: bool = False,
        keep_weights: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.scale = scale
        self.refer_to(pretrained, keep_weights=keep_weights)
        self.encoder = CLIPBackbone(pretrained, config=config, skips=(), learning=())
        self.texts = ClassTexts(
            type(self).__name__, concepts, self.encoder.out_channels[-1], pretrained=pretrained,
            template=template, average=average,
        )  # fmt: skip
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    @property
    def labels_classes(self) -> int:
        """How many classes it tells apart."""
        return self.texts.classes

    def init_weights(self) -> None:
        """Read the weights, and encode the names."""
        self.ready()
        self.texts.read()

    def _read(self) -> None:
        self.encoder.init_weights()
        if self.source is not None:
            self.sha256.copy_(published_sha256(self.owner, self.source))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Probabilities (B, C, H, W) of images (B, 3, H, W) in RGB, from 0 to 255."""
        self.ready()
        (directions,) = self.encoder((images - self.mean) / self.std)
        # Half precision is too coarse for differences of cosines that count a hundredfold.
        with torch.autocast(images.device.type, enabled=False):
            scores = self.texts.best(self.texts.similarities(directions.float()))
        # The encoder pads an image to whole patches.
        size = [side * self.encoder.patch for side in scores.shape[-2:]]
        large = F.interpolate(scores, size, mode="bilinear", align_corners=False)
        height, width = images.shape[-2:]
        return (self.scale * large[..., :height, :width]).softmax(1)
