"""Backbones of timm for MMDetection and MMSegmentation."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Literal

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from typing_extensions import Self

from ..exits import UsageError
from ..registry import MODELS
from ..validation import check_choice
from .unused import freeze_unused

Learning = Literal["all", "frozen"]


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """Any model of timm that gives feature maps: ConvNeXt, EfficientNet, ViT, Swin and others.

    Weights are read when a training starts, not when the model is built, so that a checkpoint is
    tested or exported without a network. Needs `pip install timm torchvision`.

    What was run: resnet10t, a ConvNeXt, a ViT and a Swin of timm with random weights on a CPU, as
    backbones of a RetinaNet and an FCN, and weights from a file. Not run: weights from the hub.

    Args:
        name: As `timm.create_model` takes it.
        pretrained: True: the weights that timm knows by this name, from the hub; or a file of
            them; None: random ones.
        out_indices: Levels whose maps are returned, counted from 0, as timm counts them.
        learning: "all" or "frozen".
        norm_eval: BatchNorm keeps its statistics, as MMDetection has it for few images in a batch.
        settings: What else `create_model` takes, such as `dict(img_size=512)` for a Swin or
            `dict(dynamic_img_size=True)` for a ViT.

    Attributes:
        out_channels, strides: Of each map.
    """

    def __init__(
        self,
        name: str,
        *,
        pretrained: bool | str | None = None,
        out_indices: Sequence[int] = (1, 2, 3, 4),
        learning: Learning = "all",
        norm_eval: bool = False,
        settings: Mapping[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        owner = type(self).__name__
        check_choice(owner, "learning", learning, Learning)
        self.name, self.pretrained = name, pretrained
        self.learning, self.norm_eval = learning, norm_eval
        self.settings = {**(settings or {}), "out_indices": tuple(out_indices)}
        timm = _timm()
        if not timm.is_model(name):
            near = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise UsageError(f"{owner}: timm {timm.__version__} has no model {name!r}{hint}")
        self.network: Any = self._create(pretrained=False)
        info = self.network.feature_info
        self.out_channels, self.strides = tuple(info.channels()), tuple(info.reduction())
        self._freeze_unused(timm.get_pretrained_cfg(name))
        if learning == "frozen":
            self.requires_grad_(False)

    def init_weights(self) -> None:
        """Read the weights, if there are any."""
        if not self.pretrained:
            return
        file = self.pretrained if isinstance(self.pretrained, str) else None
        try:
            overlay = {} if file is None else {"pretrained_cfg_overlay": dict(file=file)}
            found = self._create(pretrained=True, **overlay)
        except (OSError, RuntimeError) as error:
            where = f"pretrained={file!r}" if file else "the weights that timm knows by this name"
            raise UsageError(
                f"{type(self).__name__}: {self.name}: {where} cannot be read ({_first(error)}). "
                "Without a network: set pretrained to a file of weights, such as the "
                "model.safetensors of the model's page on the hub"
            ) from None
        self.network.load_state_dict(found.state_dict())

    def train(self, mode: bool = True) -> Self:
        """What does not learn stays in eval mode."""
        super().train(mode and self.learning != "frozen")
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The maps (B, C, h, w) of `out_indices`."""
        with torch.no_grad() if self.learning == "frozen" else nullcontext():
            maps = self.network(images)
        if getattr(self.network, "output_fmt", "NCHW") == "NHWC":  # Swin has channels last
            maps = [one.permute(0, 3, 1, 2).contiguous() for one in maps]
        return tuple(maps)

    def _create(self, **more: Any) -> Any:
        try:
            return _timm().create_model(self.name, features_only=True, **self.settings, **more)
        except (AssertionError, IndexError, TypeError) as error:
            raise UsageError(
                f"{type(self).__name__}: {self.name} cannot be built with {self.settings}: "
                f"{_first(error)}"
            ) from error

    def _freeze_unused(self, published: Any) -> None:
        size = self.settings.get("img_size") or published.input_size[-1]
        height, width = size if isinstance(size, (list, tuple)) else (size, size)
        image = torch.zeros(1, self.settings.get("in_chans", 3), height, width)
        self.network.eval()  # statistics are not those of an empty image
        freeze_unused(self.network, lambda: self.network(image))
        self.network.train()


def _timm() -> Any:
    try:
        return importlib.import_module("timm")
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchvision of another PyTorch
        raise UsageError(
            f"TimmBackbone: timm cannot be imported ({_first(error)}). It needs torchvision, and "
            f"that one must fit PyTorch, which is {torch.__version__} here: pip install timm "
            "torchvision; for a PyTorch of download.pytorch.org from the same --index-url"
        ) from error


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
