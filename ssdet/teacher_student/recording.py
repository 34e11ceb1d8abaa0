"""Looking into a model while it computes: the one place that replaces its methods, for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def replaced(owner: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """Within it, the method `name` of an object is what `make` makes of it.

    It may be entered within itself: what was there before is there again afterwards.
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
    """Within it, a method returns `change(result, *args)` of what it returned before."""

    def make(method: Any) -> Any:
        def changed(*args: Any, **kwargs: Any) -> Any:
            return change(method(*args, **kwargs), *args)

        return changed

    with replaced(owner, name, make):
        yield


@contextmanager
def recorded_features(model: nn.Module, inputs: Tensor) -> Iterator[dict[str, Any]]:
    """Within it, what `model.extract_feat` gives for these inputs is put under "features"."""
    found: dict[str, Any] = {}

    def keep(features: Any, batch: Tensor, *_: Any) -> Any:
        if batch is inputs:
            found["features"] = features
        return features

    with changed_results(model, "extract_feat", keep):
        yield found


@contextmanager
def changed_features(network: Any, change: Callable[[Any], Any]) -> Iterator[None]:
    """Within it, `network.extract_feat` gives what `change` makes of its features."""
    with changed_results(network, "extract_feat", lambda features, *_: change(features)):
        yield


@contextmanager
def recorded_layers(network: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Within it, what these parts of a network put out is kept, with gradient, by their names."""
    outputs: dict[str, Any] = {}
    with ExitStack() as stack:
        for name in layers:

            def keep(_: Any, __: Any, output: Any, name: str = name) -> None:
                outputs[name] = output

            stack.enter_context(network.get_submodule(name).register_forward_hook(keep))
        yield outputs


@contextmanager
def recorded_input(layer: nn.Module, keep: Callable[[Tensor], None]) -> Iterator[None]:
    """Within it, `keep` is called with what a layer gets."""
    handle = layer.register_forward_pre_hook(lambda _, inputs: keep(inputs[0]))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Within it the network is in eval mode; then each of its parts is as it was."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
