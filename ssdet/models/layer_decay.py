"""Learning rates that fall from the last layer of a pretrained backbone to its first."""

from __future__ import annotations

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from ..exits import UsageError
from ..registry import OPTIM_WRAPPER_CONSTRUCTORS
from .hf_backbone import HFBackbone

_NO_DECAY = (
    "position_embeddings", "cls_token", "mask_token", "register_tokens", "gamma", "lambda1",
    "relative_position_bias_table",
)  # fmt: skip


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayConstructor(DefaultOptimWrapperConstructor):
    """The rate of layer i of L of an `HFBackbone` is lr * decay ** (L + 1 - i).

    i = 0 are the embeddings, L + 1 is the last norm. Biases, norms, tokens and tables of positions
    have no weight decay. Everything outside of the backbone has the plain rate. In a config:
    `optim_wrapper = dict(constructor="LayerDecayConstructor", paramwise_cfg=dict(decay=0.9), ...)`.
    """

    paramwise_cfg: dict[str, Any]

    def __call__(self, model: nn.Module) -> Any:
        """The optimizer wrapper of a model."""
        self.decay = float(self.paramwise_cfg.get("decay", 0.9))
        if not 0 < self.decay <= 1:
            raise UsageError(f"LayerDecayConstructor: decay={self.decay} is not in (0, 1]")
        if not any(isinstance(module, HFBackbone) for module in model.modules()):
            raise UsageError("LayerDecayConstructor: the model has no HFBackbone")
        self.paramwise_cfg = {**self.paramwise_cfg, "decay": self.decay}  # empty, it would be none
        return super().__call__(model)

    def add_params(self, params: list[dict[str, Any]], module: nn.Module, **_: Any) -> None:
        """One group for each rate and weight decay."""
        backbones = {n: m for n, m in module.named_modules() if isinstance(m, HFBackbone)}
        groups: dict[tuple[float, float], list[Any]] = {}
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            scale = 1.0
            for prefix, backbone in backbones.items():
                start = f"{prefix}.network." if prefix else "network."
                if name.startswith(start):
                    depth = backbone.layers + 1 - backbone.layer_of(name.removeprefix(start))
                    scale = self.decay**depth
            plain = parameter.ndim <= 1 or any(word in name for word in _NO_DECAY)
            groups.setdefault((scale, 0.0 if plain else 1.0), []).append(parameter)
        for (scale, decayed), members in groups.items():
            group: dict[str, Any] = {"params": members, "lr": self.base_lr * scale}
            if self.base_wd is not None:
                group["weight_decay"] = self.base_wd * decayed
            params.append(group)
