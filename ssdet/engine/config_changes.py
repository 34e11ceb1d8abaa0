"""What differs between the config of a checkpoint and the one that is to resume it.

The config in a checkpoint is text from anywhere: it is parsed, and never executed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from ..registry import HOOKS

# What a result depends on; everything else (folders, names of variables, logging) may change.
COMPARED = (
    "model", "data_preprocessor", "train_dataloader", "val_dataloader", "val_evaluator", "val_cfg",
    "train_cfg", "optim_wrapper", "param_scheduler", "auto_scale_lr", "default_hooks",
    "custom_hooks", "randomness", "default_scope", "env_cfg", "runner_type",
)  # fmt: skip
# Within those, what changes when something is written or how fast, but not what is computed.
FREE = re.compile(
    r"((train|val)_dataloader\.(num_workers|persistent_workers|prefetch_factor|pin_memory|timeout)"
    r"|default_hooks\.(logger|metrics|checkpoint|timer|visualization|run_folder|stop|runtime_info"
    r"|view_check|memory|monitor|report)"
    r"|env_cfg\.(mp_cfg|dist_cfg)"
    # A longer or shorter run. A schedule that depends on the length shows as a change of its own.
    r"|train_cfg\.(max_iters|max_epochs|val_interval|val_begin)"
    r")(\.|$)"
)
# What acts on the result of a validation makes it matter when one takes place.
ACTS_ON_VALIDATION = re.compile("Plateau|EarlyStopping")
ABSENT = "(absent)"


def config_changes(before: str, now: str) -> dict[str, tuple[str, str]] | None:
    """Old and new value by place, as `model.unsup_weight`; None where `before` is no config."""
    try:
        old = _compared(before)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    new = _compared(now)
    return {
        place: (old.get(place, ABSENT), new.get(place, ABSENT))
        for place in (*old, *(place for place in new if place not in old))
        if old.get(place) != new.get(place) and not _is_free(place, now)
    }


def length_changed(before: str, now: str) -> bool:
    """Whether the two runs have different numbers of iterations."""
    lengths = [
        {k: v for k, v in _values(text).items() if k.startswith("train_cfg.max_")}
        for text in (before, now)
    ]
    return lengths[0] != lengths[1]


def _compared(text: str) -> dict[str, str]:
    values = _values(text)
    watching = {
        name
        for name in re.findall(r"\w+", values.get("custom_hooks", ""))
        if getattr(HOOKS.get(name), "read_only", False)
    }
    order = [n for n in re.findall(r"[\w.]+", values.get("custom_hooks", "")) if n not in watching]
    if order:
        values["custom_hooks"] = ", ".join(order)
    return {
        place: value
        for place, value in values.items()
        if place.split(".")[0] in COMPARED
        and not (place.startswith("custom_hooks.") and _second(place) in watching)
    }


def _is_free(place: str, config: str) -> bool:
    if place.startswith("train_cfg.val_") and ACTS_ON_VALIDATION.search(config):
        return False
    return FREE.match(place) is not None


def _values(text: str) -> dict[str, str]:
    return {
        place: value
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
        for place, value in _flat(statement.value, statement.targets[0].id)
    }


def _flat(node: ast.expr, place: str) -> Iterator[tuple[str, str]]:
    members = _members(node)
    if members:
        for key, value in members.items():
            yield from _flat(value, f"{place}.{key}")
        return
    parts = node.elts if isinstance(node, (ast.List, ast.Tuple)) else []
    kinds = [(_members(part) or {}).get("type") for part in parts]
    if not any(isinstance(kind, ast.Constant) for kind in kinds):
        yield place, ast.unparse(node)
        return
    # Members that have a type are named after it, so that one more does not rename the others.
    names: list[str] = []
    for number, kind in enumerate(kinds):
        name = str(kind.value) if isinstance(kind, ast.Constant) else str(number)
        names.append(name)
        count = names.count(name)
        yield from _flat(parts[number], f"{place}.{name}" + (f"#{count}" if count > 1 else ""))
    yield place, ", ".join(names)


def _members(node: ast.expr) -> dict[str, ast.expr] | None:
    """The members of `dict(...)` or `{...}`; None for anything else."""
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {_key(key): value for key, value in pairs if key is not None}
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return None
    if node.func.id != "dict":
        return None
    found: dict[str, ast.expr] = {}
    for argument in node.args:
        found.update(_members(argument) or {})
    found.update({keyword.arg: keyword.value for keyword in node.keywords if keyword.arg})
    return found


def _key(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)


def _second(place: str) -> str:
    return place.split(".")[1].partition("#")[0]


def described(changes: dict[str, tuple[Any, Any]], shown: int = 12) -> str:
    """The changes, one a line."""
    lines = [f"  {place}: {_short(old)} -> {_short(new)}" for place, (old, new) in changes.items()]
    more = [f"  and {len(lines) - shown} more"] if len(lines) > shown else []
    return "\n".join(lines[:shown] + more)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."
