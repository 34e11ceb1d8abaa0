"""What a config builds, part by part and no more than is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, MODELS, TRANSFORMS, DefaultScope

from ssdet.engine.configs import load_config

from ...helpers import on_meta


class Built:
    """The model (on the meta device: no memory, no weights), optimizer, hooks and views of a config.

    Each part is built when it is first read, so that all rows of a recipe share it.
    """

    def __init__(self, config: str, options: Mapping[str, Any] | None = None) -> None:
        self.name, self.options = config, dict(options or {})

    def with_options(self, **options: Any) -> Built:
        """The same config with `--cfg-options`, for what follows the split."""
        return Built(self.name, {**self.options, **options})

    @cached_property
    def config(self) -> Any:
        """The loaded config."""
        return load_config(self.name, self.options)

    @cached_property
    def model(self) -> Any:
        """The teacher and the student."""
        with self._scope(), on_meta():
            return MODELS.build(self.config.model)

    @cached_property
    def optim_wrapper(self) -> Any:
        """The optimizer with its wrapper."""
        with self._scope():
            return build_optim_wrapper(self.model, self.config.optim_wrapper)

    @cached_property
    def groups(self) -> dict[str, tuple[float, float]]:
        """(rate, weight decay) of each parameter that is trained, by its name in the model."""
        names = {id(p): name for name, p in self.model.named_parameters() if p.requires_grad}
        return {
            names[id(parameter)]: (group["lr"], group["weight_decay"])
            for group in self.optim_wrapper.optimizer.param_groups
            for parameter in group["params"]
            if id(parameter) in names
        }

    @cached_property
    def hooks(self) -> list[Any]:
        """The hooks of `custom_hooks`, attached to the model."""
        with self._scope():
            hooks = [HOOKS.build(dict(hook)) for hook in self.config.custom_hooks]
            for hook in hooks:
                self.model.attach(hook)
        return hooks

    def hook(self, kind: str) -> Any:
        """The one hook of that class."""
        (found,) = [hook for hook in self.hooks if type(hook).__name__ == kind]
        return found

    @cached_property
    def total_batch(self) -> tuple[int, ...]:
        """Labeled and unlabeled images of an iteration, over all processes."""
        return tuple(self.config.total_batch)

    @cached_property
    def views(self) -> dict[str, tuple[list[Any], list[Any]]]:
        """The transforms of each branch: those that its views share, and its own."""
        found: dict[str, tuple[list[Any], list[Any]]] = {}
        for source in self.config.train_dataloader.dataset.datasets:
            for step in self.pipeline(source.pipeline):
                shared = list(_bare(step.shared.transforms))
                for branch, view in step.views.items():
                    found[branch] = shared, list(_bare(view.transforms))
        return found

    @cached_property
    def test_view(self) -> list[Any]:
        """The transforms of an image of the validation."""
        return self.pipeline(self.config.val_dataloader.dataset.pipeline)

    def pipeline(self, steps: Any) -> list[Any]:
        """A list of transforms, built."""
        with self._scope():
            return [TRANSFORMS.build(step) for step in steps]

    def _scope(self) -> Any:
        return DefaultScope.overwrite_default_scope(self.config.default_scope)


def _bare(steps: Any) -> Iterator[Any]:
    """Transforms without what records their geometry."""
    for step in steps:
        step = getattr(step, "inner", step)
        parts = getattr(step, "transforms", None)
        if isinstance(parts, list):
            step.transforms = list(_bare(parts))
        elif parts is not None:  # RandomApply keeps its parts in a Compose
            step.transforms = list(_bare(parts.transforms))
        yield step
