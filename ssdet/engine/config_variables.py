"""`--cfg-options` for variables of a config: what is computed from them follows.

MMEngine merges options into the finished config, where its variables have been used already:
`labeled=10` or `detector.bbox_head.num_classes=3` would change nothing that is built.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from inspect import signature
from typing import Any

from ..exits import UsageError
from .option_paths import entry

# Read by MMEngine beside the arguments of its runner, or by us.
_OTHERS = (
    *("activation_checkpointing", "compile", "custom_imports", "efficient_conv_bn_eval"),
    *("env_cfg", "find_unused_parameters", "model_wrapper_cfg", "runner_type", "tta_model"),
    "total_batch",
)


@contextmanager
def variables(values: dict[str, Any]) -> Iterator[None]:
    """Within the context, configs are read with other values of their variables.

    Every `labeled = 40` at the top level of a config, or of one of its bases, is read as
    `labeled = 10`. Only constants are: what is computed follows. A number also replaces a computed
    one (`iterations = 80 * ...`). Of dicts and lists single values are set, at each place where
    the config makes or changes them: `detector = dict(...)`, `detector.bbox_head.num_classes = 20`.
    """
    from mmengine.config import config

    read = config.RemoveAssignFromAST

    class ReadWithValues(read):  # type: ignore[misc, valid-type]
        def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
            target = node.targets[0]
            name = ast.unparse(target)
            is_part = isinstance(target, ast.Attribute) and name in nested(values)
            if is_part or _may_be_set(node.value, name, values):
                _replace(node, repr(values[name]))
            elif parts := _parts(nested(values), name):
                place = f"__import__({__name__!r}, fromlist=['with_values']).with_values"
                _replace(node, f"{place}({ast.unparse(node.value)}, {parts!r}, {name!r})")
            return super().visit_Assign(node)

    config.RemoveAssignFromAST = ReadWithValues
    try:
        yield
    finally:
        config.RemoveAssignFromAST = read


def with_values(value: Any, parts: Mapping[str, Any], name: str) -> Any:
    """`value`, changed in place at the paths that `parts` names."""
    for path, new in parts.items():
        *way, last = path.split(".")
        node, place, option = value, name, f"{name}.{path}"
        for key in way:
            if isinstance(node, dict):
                node.setdefault(key, {})
            node, place = entry(node, key, option, place), f"{place}.{key}"
        if isinstance(node, dict):
            node[last] = new
        else:
            entry(node, last, option, place)
            node[int(last)] = new
    return value


def nested(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that reach into a variable, not into what MMEngine itself reads."""
    return {
        key: value
        for key, value in options.items()
        if "." in key and key.partition(".")[0] not in read_by_mmengine()
    }


@cache
def read_by_mmengine() -> frozenset[str]:
    """Top-level keys that need not be variables of the config."""
    from mmengine.runner import Runner

    # A dict of this name is used within `model`, and by the runner only where the model has none.
    return frozenset({*signature(Runner).parameters, *_OTHERS} - {"data_preprocessor"})


def check_known(config: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Refuse an option whose name the config does not have: nothing would read it."""
    for key in options:
        name, dot, _ = key.partition(".")
        if name in config or name in read_by_mmengine():
            continue
        near = difflib.get_close_matches(name, {*config, *read_by_mmengine()}, n=3, cutoff=0.8)
        if dot or near:
            hint = (
                f"did you mean {' or '.join(near)}?" if near else "its names: " + ", ".join(config)
            )
            raise UsageError(f"--cfg-options {key}: the config has no {name!r}; {hint}")


def check_applied(config: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Refuse an option that the config overrides in a way that could not be followed."""
    for key, wanted in nested(options).items():
        found: Any = config
        for part in key.split("."):
            found = _step(found, part)
        if _plain(found) != _plain(wanted):
            name = key.partition(".")[0]
            raise UsageError(
                f"--cfg-options {key}={wanted}: the config gives it another value after {name!r} "
                f"is made ({found!r}), so it would change nothing. Set it in a copy of the config"
            )


def _replace(node: ast.Assign, text: str) -> None:
    node.value = ast.copy_location(ast.parse(text, mode="eval").body, node.value)
    ast.fix_missing_locations(node)


def _parts(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What the options say of the value of `name`."""
    start = f"{name}."
    return {key[len(start) :]: value for key, value in options.items() if key.startswith(start)}


def _step(node: Any, key: str) -> Any:
    if isinstance(node, Mapping):
        return node.get(key)
    is_item = isinstance(node, (list, tuple)) and key.isdigit() and int(key) < len(node)
    return node[int(key)] if is_item else None


def _plain(value: Any) -> Any:
    """The same for lists and tuples, which options do not tell apart."""
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _may_be_set(node: ast.expr, name: str, values: dict[str, Any]) -> bool:
    if name not in values:
        return False
    return _is_constant(node) or isinstance(values[name], (int, float))


def _is_constant(node: ast.expr) -> bool:
    try:
        return not isinstance(ast.literal_eval(node), dict)
    except ValueError:
        return False
