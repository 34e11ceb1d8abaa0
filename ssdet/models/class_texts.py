"""Names of classes as vectors of a detector's queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from ..registry import MODELS
from .clip import ClassTexts


@MODELS.register_module()
class ClassTextProjector(BaseModule):
    """A vector (D,) for each class: the frozen direction of its names, through a linear layer.

    Names are read by CLIP's text encoder once, when a training starts; the directions stand in the
    checkpoint. Reading needs the extra `hf`: `pip install 'ssdet[hf]'`.

    Args:
        concepts: For each class its names, in the order of the classes.
        channels: D, those of the detector's queries.
        dim: Of the space of texts: 512 for "openai/clip-vit-base-patch16".
        pretrained: Folder that `from_pretrained` reads, or a name on the hub; None: random
            directions, for a try without weights.
        template: Around each name.
    """

    def __init__(
        self,
        concepts: Sequence[Sequence[str]],
        *,
        channels: int = 256,
        dim: int = 512,
        pretrained: str | None = None,
        template: str = "a photo of a {}",
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.channels = channels
        self.texts = ClassTexts(
            type(self).__name__, concepts, dim, pretrained=pretrained, template=template,
            average=True,
        )  # fmt: skip
        self.layer = nn.Linear(dim, channels)

    @property
    def classes(self) -> int:
        """How many."""
        return self.texts.classes

    def init_weights(self) -> None:
        """Initial weights, and the directions of the names."""
        super().init_weights()
        self.texts.read()

    def forward(self) -> Tensor:
        """The vectors (C, D)."""
        return self.layer(self.texts.features)  # type: ignore[no-any-return]
