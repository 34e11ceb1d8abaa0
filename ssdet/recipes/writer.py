"""Settings as the text of a config."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from .models import REMOVED
from .recipe import Code, Note, Settings

_WIDTH = 100


def write(heading: Iterable[str], blocks: Mapping[str, Settings]) -> str:
    """A config.

    Args:
        heading: Comment lines at the top.
        blocks: Comment -> assignments that stand below it.
    """
    texts = [_comment(line) for line in heading]
    for comment, settings in blocks.items():
        lines = "".join(f"{assign(target, value)}\n" for target, value in settings.items())
        texts += ["\n" + _comment(comment) if comment else "", lines]
    return "".join(texts)


def assign(target: str, value: Any) -> str:
    """A statement that assigns, with its comment beside it, or above it where it is long."""
    if value is REMOVED:
        owner, _, key = target.rpartition(".")
        return f"{owner}.pop({key!r})"
    if not isinstance(value, Note):
        return f"{target} = {literal(value, len(target) + 3)}"
    text = assign(target, value.value)
    beside = f"{text}  # {value.comment}"
    return beside if "\n" not in text and len(beside) <= _WIDTH else _comment(value.comment) + text


def literal(value: Any, used: int = 0, indent: int = 0) -> str:
    """A value as Python text in the style of the configs: `dict(a=1)`, broken where it is long.

    Args:
        value: Dicts, lists, tuples and plain values; a dict at "**" is merged into the one around.
        used: Columns in front of it.
        indent: Indentation of the line it begins in.
    """
    if isinstance(value, Note):
        value = value.value
    if not isinstance(value, (dict, list, tuple)) or not value:
        return str(value) if isinstance(value, Code) else repr(value)
    if isinstance(value, dict):
        named = all(key == "**" or (isinstance(key, str) and key.isidentifier()) for key in value)
        marks = ("dict(", ")") if named else ("{", "}")
        heads = [key if key == "**" else f"{key}=" if named else f"{key!r}: " for key in value]
        values = list(value.values())
    else:
        marks = ("[", "]") if isinstance(value, list) else ("(", ",)" if len(value) == 1 else ")")
        heads, values = [""] * len(value), list(value)
    flat = ", ".join(head + literal(v, -(10**6)) for head, v in zip(heads, values, strict=True))
    noted = "\n" in flat or any(isinstance(item, Note) for item in values)
    if not noted and used + len(flat) + len("".join(marks)) <= _WIDTH:
        return f"{marks[0]}{flat}{marks[1]}"
    inner = indent + 4
    lines = [
        (_comment(v.comment, inner) if isinstance(v, Note) else "")
        + " " * inner + head + literal(v, inner + len(head) + 1, inner)
        for head, v in zip(heads, values, strict=True)
    ]  # fmt: skip
    return f"{marks[0]}\n" + ",\n".join(lines) + marks[1]


def _comment(text: str, indent: int = 0) -> str:
    """Comment lines."""
    start = " " * indent + "# "
    lines = textwrap.wrap(text, 98, initial_indent=start, subsequent_indent=start)
    return "".join(f"{line}\n" for line in lines)
