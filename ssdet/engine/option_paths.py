"""Where a `--cfg-options` leads; one that leads nowhere is refused before MMEngine merges it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from ..exits import UsageError

_SHOWN = 60  # characters of a value
_OWN = "in a config of your own (_base_ = 'config.py')"


def check_paths(config: Any, options: Mapping[str, Any]) -> None:
    """Refuse an option that MMEngine could not merge, with what is there and what may be.

    A name that a dict does not have is none of these: it is a new entry, as `clip_grad` may be.
    """
    for option, value in options.items():
        place, *way = option.split(".")
        if place not in config or not way:
            continue
        node = config[place]
        for key in way[:-1]:
            if isinstance(node, Mapping) and key not in node:
                break
            node, place = entry(node, key, option, place), f"{place}.{key}"
        else:
            _check_set(node, way[-1], value, option, place)


def entry(node: Any, key: str, option: str, place: str) -> Any:
    """The value that `key` names in a dict or a list; `place` is where that stands."""
    if isinstance(node, Mapping):
        return node[key]
    if isinstance(node, list) and key.isdigit() and int(key) < len(node):
        return node[int(key)]
    what, found = f"{key!r} does not lead into {place}", _short(node)
    advice = f"names lead into dicts, numbers from 0 into lists; or give {place} a dict {_OWN}"
    if isinstance(node, list):
        kinds = [(isinstance(item, Mapping) and item.get("type")) or item for item in node]
        found = ", ".join(f"{number} {_short(kind)}" for number, kind in enumerate(kinds)) or "[]"
        what, advice = f"{place} has no entry {key!r}", "take one of these"
    elif isinstance(node, tuple):
        what, advice = f"{key!r} leads into a tuple", f'set it whole: {place}="(...)"'
    _refuse(option, what, found, advice)


def _check_set(node: Any, key: str, value: Any, option: str, place: str) -> None:
    """MMEngine changes an entry of a list by a dict, and only a dict by that."""
    if isinstance(node, Mapping):
        return
    old = entry(node, key, option, place)
    if not isinstance(old, Mapping):
        _refuse(option, "an entry of a list", _short(old), f'set the list: {place}="[...]"')
    if isinstance(value, Mapping):
        return
    kind = old.get("type")
    advice = f"set its values, such as {option}.KEY=VALUE"
    if place == "custom_hooks":
        without = f"custom_hooks = [one for one in _base_.custom_hooks if one.type != {kind!r}]"
        advice += f"; or leave it out {_OWN}: {without}"
    _refuse(option, "an entry of a list", f"dict(type={kind!r}, ...)", advice)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _refuse(option: str, what: str, found: str, advice: str) -> NoReturn:
    raise UsageError(f"--cfg-options {option}: {what}: found {found}; {advice}")
