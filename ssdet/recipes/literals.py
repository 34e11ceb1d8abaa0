"""Values as the text of a config."""

from typing import Any

_WIDTH = 100


class Code(str):
    """Text that stands in the config as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def literal(value: Any, used: int = 0, indent: int = 0) -> str:
    """A value as Python text in the style of the configs: `dict(a=1)`, broken where it is long.

    Args:
        value: Dicts, lists, tuples and plain values.
        used: Columns in front of it.
        indent: Indentation of the line it begins in.
    """
    if not isinstance(value, (dict, list, tuple)) or not value:
        return repr(value)
    if isinstance(value, dict):
        named = all(isinstance(key, str) and key.isidentifier() for key in value)
        marks = ("dict(", ")") if named else ("{", "}")
        heads = [f"{key}=" if named else f"{key!r}: " for key in value]
        values = list(value.values())
    else:
        marks = ("[", "]") if isinstance(value, list) else ("(", ",)" if len(value) == 1 else ")")
        heads, values = [""] * len(value), list(value)
    flat = ", ".join(head + literal(v, -(10**6)) for head, v in zip(heads, values, strict=True))
    if used + len(flat) + len("".join(marks)) <= _WIDTH:
        return f"{marks[0]}{flat}{marks[1]}"
    inner = indent + 4
    lines = [
        " " * inner + head + literal(v, inner + len(head) + 1, inner)
        for head, v in zip(heads, values, strict=True)
    ]
    return f"{marks[0]}\n" + ",\n".join(lines) + marks[1]
