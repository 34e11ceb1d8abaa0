"""SAM of Hugging Face `transformers`: it outlines what points and boxes show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from mmseg.models import BaseSegmentor, EncoderDecoder
from torch import Tensor

from ..exits import UsageError
from ..registry import MODELS
from .hf_loading import model_config, published_sha256, read_pretrained, transformers

INSIDE, OUTSIDE, NO_POINT = 1, 0, -10  # how SAM calls points of an object, beside it, and none
PIXELS = dict(
    type="mmseg.SegDataPreProcessor",
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
)


@dataclass(frozen=True)
class Prompts:
    """What a promptable model is asked about one image; P masks, each by N points or a box.

    Attributes:
        points: Pixels (P, N, 2), x and y.
        signs: (P, N): `INSIDE`, `OUTSIDE` or `NO_POINT`.
        boxes: Corners (P, 4); None: by points alone.
    """

    points: Tensor
    signs: Tensor
    boxes: Tensor | None = None

    def __len__(self) -> int:
        return len(self.points)


@MODELS.register_module()
class HFPromptedSegmentor(EncoderDecoder):
    """Segment Anything (Kirillov et al., ICCV 2023) as a frozen teacher that has to be asked.

    `teacher=dict(model=dict(type="HFPromptedSegmentor", ...), beside_twin=True)` and a hook that
    asks it (`CrossPromptHook`). It knows no classes: `num_classes` are those of the student. Images
    come in the normalization of SAM; they are resized so that the longer side is that of SAM
    (1,024), and padded. Needs the extra `hf`: `pip install 'ssdet[hf]'`.

    What was run: small random models on a CPU, transformers 5.24, also read from a folder. Not run:
    published weights.

    Args:
        num_classes: Of the student.
        pretrained: Folder that `from_pretrained` reads, or a name on the hub, such as
            "facebook/sam-vit-base".
        config: `dict(model_type="sam", ...)`, whose defaults are those of SAM ViT-B. With
            `pretrained`, that of its architecture, so that no network is needed to build it;
            without, of random weights.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        pretrained: str | None = None,
        config: Mapping[str, Any] | None = None,
        data_preprocessor: Any = None,
        train_cfg: Any = None,
        test_cfg: Any = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        BaseSegmentor.__init__(self, data_preprocessor or dict(PIXELS), init_cfg)
        name = type(self).__name__
        found = model_config(name, pretrained, config)
        if found.model_type != "sam":
            raise UsageError(f"{name}: {found.model_type!r} is not 'sam'")
        self.pretrained = pretrained
        self.network: Any = transformers().SamModel(found)
        # What is asked of a segmentor before it is used.
        self.decode_head: Any = SimpleNamespace(num_classes=num_classes, out_channels=num_classes)
        self.num_classes = self.out_channels = num_classes
        self.train_cfg, self.test_cfg, self.align_corners = train_cfg, test_cfg, False

    def init_weights(self) -> None:
        """Read the published weights, if there are any."""
        if self.pretrained is not None:
            self.read_published()

    def read_published(self) -> Tensor:
        """Read the published weights; return the sha256 of their file (32 bytes)."""
        name = type(self).__name__
        if self.pretrained is None:
            raise UsageError(f"{name}: has no published weights: give pretrained=<folder or name>")
        read_pretrained(name, self.network, self.pretrained)
        return published_sha256(name, self.pretrained)

    @torch.no_grad()
    def masks_of(self, images: Tensor, prompts: Sequence[Prompts]) -> list[tuple[Tensor, Tensor]]:
        """For each image masks (P, H, W), and the overlap (P,) that it predicts of each.

        Of the three masks that SAM gives to a prompt the best by its own prediction. An image is
        embedded once, and not at all where nothing is asked about it.
        """
        height, width = images.shape[-2:]
        side = int(self.network.config.vision_config.image_size)
        scale = side / max(height, width)
        inner = min(round(height * scale), side), min(round(width * scale), side)
        asked = [number for number, one in enumerate(prompts) if len(one)]
        found = [
            (images.new_zeros(0, height, width, dtype=torch.bool), images.new_zeros(0))
            for _ in prompts
        ]
        if not asked:
            return found
        seen = F.interpolate(images[asked], inner, mode="bilinear", antialias=scale < 1)
        seen = F.pad(seen, (0, side - inner[1], 0, side - inner[0]))
        for number, embedding in zip(asked, self.network.get_image_embeddings(seen), strict=True):
            maps, quality = self._decoded(embedding, prompts[number], scale)
            maps = F.interpolate(maps[:, None].float(), (side, side), mode="bilinear")
            maps = F.interpolate(
                maps[..., : inner[0], : inner[1]], (height, width), mode="bilinear"
            )
            found[number] = maps[:, 0] > 0, quality
        return found

    def _decoded(self, embedding: Tensor, prompts: Prompts, scale: float) -> tuple[Tensor, Tensor]:
        boxes = None if prompts.boxes is None else (prompts.boxes * scale)[None]
        output = self.network(
            image_embeddings=embedding[None],
            input_points=(prompts.points * scale)[None],
            input_labels=prompts.signs[None],
            input_boxes=boxes,
            multimask_output=True,
        )
        quality, best = output.iou_scores[0].float().max(1)
        rows = torch.arange(len(best), device=best.device)
        return output.pred_masks[0][rows, best], quality

    def inference(self, inputs: Tensor, batch_img_metas: Any) -> Tensor:
        """It has no labels of its own."""
        raise UsageError(
            "HFPromptedSegmentor: answers prompts, and has no labels of its own; list a hook that "
            "asks it (CrossPromptHook), and set beside_twin=True in teacher=dict(...)"
        )

    def loss(self, inputs: Tensor, data_samples: Any) -> dict[str, Any]:
        """It learns nothing."""
        raise UsageError(
            "HFPromptedSegmentor: is a teacher and learns nothing: teacher=dict(model=dict(type="
            "'HFPromptedSegmentor', ...), beside_twin=True) beside segmentor=<student>"
        )

    def extract_feat(self, inputs: Tensor) -> Any:
        """It has no maps that a hook could use."""
        raise TypeError("HFPromptedSegmentor: has no feature maps to give away")
