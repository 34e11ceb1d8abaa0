"""What a published recipe is: rows of a name, the authors' value, ours, and where theirs stands.

The values are data. A row's `read` finds the same value in what is built from our config, so a
config that is edited to another one fails `test_published.py`; and a row that differs says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .built import Built

SAME: Any = object()  # ours is the official value
UNSTATED = "not stated"


@dataclass(frozen=True)
class Repository:
    """Official code: `owner/name` on GitHub, and the commit that was read."""

    address: str
    commit: str


@dataclass(frozen=True)
class Row:
    """One hyper-parameter.

    Args:
        name: What it is, in the words of the page.
        official: The authors' value: a number, a text, or a tuple or a dict of them.
        read: Finds ours in what is built from the config.
        source: `KEY:file:line` of a repository in `REPOSITORIES`, or what else was read.
        ours: Our value, where it is another one.
        why: Why it is another one; a row must not differ without it.
        recalled: The source could not be read: the value is from memory.
    """

    name: str
    official: Any
    read: Callable[[Built], Any]
    source: str
    ours: Any = SAME
    why: str = ""
    recalled: bool = False

    @property
    def value(self) -> Any:
        """What the config must have."""
        return self.official if self.ours is SAME else self.ours


@dataclass(frozen=True)
class Recipe:
    """A method on a data set, with the number that its authors report.

    Args:
        config: Path below `configs/`.
        title: Heading of the page.
        published_result: The number, with its share of labels and whose it is.
        protocol: What it was measured on and with: data, model, test settings, mean of runs.
        rows: All hyper-parameters.
        options: `--cfg-options` that the recipe is read with.
        notes: Where paper, README and code disagree, or what a reader must know besides.
    """

    config: str
    title: str
    published_result: str
    protocol: str
    rows: Sequence[Row]
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""


def wrong_rows(recipe: Recipe, built: Built) -> list[str]:
    """A line for each row of which the built config has another value than the table."""
    lines = []
    for row in recipe.rows:
        found = row.read(built)
        if not equal(found, row.value):
            lines.append(f"{row.name}: {recipe.config} has {found!r}, the table {row.value!r}")
    return lines


def equal(one: Any, other: Any) -> bool:
    """Equal, up to the rounding of numbers."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, float) or isinstance(other, float):
        numbers = all(isinstance(x, (int, float)) for x in (one, other))
        return numbers and math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)
    return bool(one == other)


def show(value: Any) -> str:
    """A value in the words of the page."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {show(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(show, value)) or "none"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)
