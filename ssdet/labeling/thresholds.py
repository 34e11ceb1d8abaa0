"""Which labels are kept: one threshold, one for each class, or what the run has learned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..exits import UsageError
from ..hooks.thresholds.threshold_hook import ThresholdHook
from ..registry import HOOKS
from ..renamed import current
from .network import Network

LEARNED = "learned"
Thresholds = tuple[float, ...]


def thresholds_of(
    given: float | str | Path | Mapping[str, float] | Sequence[str] | None,
    network: Network,
    default: float,
) -> Thresholds:
    """The threshold of each class.

    Args:
        given: A number; classes with their numbers; "learned"; the path of a JSON file or of one
            with lines `name=0.6`; or words as on the command line: `0.5 cat=0.6`. None: `default`.
        network: What labels.
        default: For classes that are not named.
    """
    if given is None:
        given = default
    if given == LEARNED or (isinstance(given, Sequence) and list(given) == [LEARNED]):
        return _learned(network)
    if isinstance(given, Mapping):
        pairs = dict(given)
    elif isinstance(given, (int, float)):
        pairs = {"": given}
    else:
        words = [str(given)] if isinstance(given, (str, Path)) else list(given)
        pairs = dict(pair for word in words for pair in _pairs(word))
    unknown = [name for name in pairs if name and name not in network.classes]
    if unknown:
        raise UsageError(
            f"threshold: no class {unknown[0]!r}; the classes of {network.path} are "
            f"{', '.join(network.classes)}"
        )
    for name, value in pairs.items():
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not good or not 0 <= value <= 1:
            raise UsageError(f"threshold: {name + '=' if name else ''}{value!r} is not in [0, 1]")
    usual = pairs.get("", default)
    return tuple(float(pairs.get(name, usual)) for name in network.classes)


def _pairs(word: str) -> list[tuple[str, float]]:
    """Classes and numbers in a word of the command line; "" stands for all others."""
    if Path(word).is_file():  # before anything else: its path may have a "="
        return _file(Path(word))
    name, _, value = word.rpartition("=")
    try:
        return [(name, float(value))]
    except ValueError:
        raise UsageError(
            f"threshold: {word!r} is neither a number, `class=number`, a file of those, nor "
            f"{LEARNED!r}"
        ) from None


def _file(path: Path) -> list[tuple[str, float]]:
    text = path.read_text(encoding="utf-8")
    if path.suffix.lower() != ".json":
        lines = (line.strip() for line in text.splitlines())
        return [pair for line in lines if line for pair in _pairs(line)]
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UsageError(f"threshold: {path} is not JSON ({error})") from None
    if not isinstance(content, dict):
        raise UsageError(f"threshold: {path} holds no object; allowed: {{class: number}}")
    return list(content.items())


def _learned(network: Network) -> Thresholds:
    """The highest of what the hooks of the run have learned for each class."""
    found: list[torch.Tensor] = []
    others: list[str] = []
    count: dict[str, int] = {}
    for cfg in network.run_config.get("custom_hooks") or ():
        kind = HOOKS.get(cfg["type"]) if isinstance(cfg.get("type"), str) else cfg.get("type")
        if not (isinstance(kind, type) and issubclass(kind, ThresholdHook)):
            continue
        name = current(kind.__name__)
        number = count[name] = count.get(name, -1) + 1
        state = network.hook_states.get(name + (f".{number}" if number else ""))
        limits = _limits(HOOKS.build(dict(cfg)), state, len(network.classes)) if state else None
        if limits is None:
            others.append(name)
        else:
            found.append(limits)
    if not found:
        has = f"only {', '.join(others)}, which has learned none" if others else "none"
        raise UsageError(
            f"threshold: {network.path} has no learned thresholds: of hooks that learn them "
            f"(such as DualThresholdHook, GMMThresholdHook, LabelDistributionThresholdHook) its "
            f"run has {has}. Give a number"
        )
    highest = torch.stack(found).amax(0).clamp(0, 1)
    return tuple(round(float(value), 6) for value in highest)


def _limits(hook: Any, state: Mapping[str, Any], classes: int) -> torch.Tensor | None:
    """What a hook with this state keeps as reliable; None before it has computed anything."""
    hook.num_classes = classes
    hook.load_state_dict(dict(state))
    table = getattr(hook, "table", None)  # of the dual thresholds, one for each criterion
    if table is not None and "confidence" not in table:
        return None
    if getattr(hook, "_values", ()) is None:  # of the label distribution
        return None
    return hook.limits(classes, torch.device("cpu")).upper.float()
