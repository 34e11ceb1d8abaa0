"""Recording what a model computes: the one place that replaces its methods, temporarily."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from .compiled import layer_for_hook
from .phase import LAYER


@contextmanager
def replaced(owner: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """Within the context, the method `name` of an object is replaced by `make(method)`.

    Contexts can be nested: each restores the method that it found.
    """
    before = vars(owner).get(name)
    setattr(owner, name, make(getattr(owner, name)))
    try:
        yield
    finally:
        if before is None:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


@contextmanager
def changed_results(owner: Any, name: str, change: Callable[..., Any]) -> Iterator[None]:
    """Within the context, a method returns `change(result, *args)` instead of its result."""

    def make(method: Any) -> Any:
        def changed(*args: Any, **kwargs: Any) -> Any:
            return change(method(*args, **kwargs), *args)

        return changed

    with replaced(owner, name, make):
        yield


@contextmanager
def recorded_features(model: nn.Module, inputs: Tensor) -> Iterator[dict[str, Any]]:
    """Within the context, `model.extract_feat` of these inputs is stored under "features"."""
    found: dict[str, Any] = {}

    def keep(features: Any, batch: Tensor, *_: Any) -> Any:
        if batch is inputs:
            found["features"] = features
        return features

    with changed_results(model, "extract_feat", keep):
        yield found


@contextmanager
def changed_features(network: Any, change: Callable[[Any], Any]) -> Iterator[None]:
    """Within the context, `network.extract_feat` returns `change(features)`."""
    if not getattr(network, "has_features", True):
        raise TypeError(
            f"a {type(network).__name__} of this kind has no features apart from its predictions, "
            "so no hook can change them: take the one that drops or perturbs features out of "
            "custom_hooks, or choose another model"
        )
    with changed_results(network, "extract_feat", lambda features, *_: change(features)):
        yield


@contextmanager
def recorded_layers(network: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Within the context, the outputs of these layers are kept by name, with gradient."""
    outputs: dict[str, Any] = {}
    with ExitStack() as stack:
        for name in layers:

            def keep(_: Any, __: Any, output: Any, name: str = name) -> None:
                outputs[name] = output

            stack.enter_context(layer_for_hook(network, name).register_forward_hook(keep))
        yield outputs


@contextmanager
def recorded_parts(network: nn.Module, needs: Collection[str]) -> Iterator[dict[str, Any]]:
    """Within the context, what layers give or get is kept under the need that names them."""
    parts: dict[str, Any] = {}
    with ExitStack() as stack:
        for need in needs:
            kind, _, name = need.partition(":")

            def keep(_: Any, given: Any, output: Any, need: str = need, kind: str = kind) -> None:
                found = output if kind + ":" == LAYER else given[0]
                if not isinstance(found, Tensor):
                    raise TypeError(f"{need}: is a {type(found).__name__}, and no tensor for hooks")
                parts[need] = found

            hook = layer_for_hook(network, name).register_forward_hook(keep)
            stack.callback(hook.remove)
        yield parts


@contextmanager
def recorded_input(layer: nn.Module, keep: Callable[[Tensor], None]) -> Iterator[None]:
    """Within the context, `keep` is called with the input of a layer."""
    handle = layer.register_forward_pre_hook(lambda _, inputs: keep(inputs[0]))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Within the context the network is in eval mode; then each part is in its former mode."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
