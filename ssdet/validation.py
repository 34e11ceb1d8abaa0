"""Checks of settings, and the one form of their errors: who, which setting, what is allowed."""

from collections.abc import Sequence
from typing import get_args


def check_choice(owner: str, name: str, value: object, choices: object) -> None:
    """Raise a ValueError that names the setting, the value and what is allowed."""
    allowed = get_args(choices) or choices
    if value not in allowed:  # type: ignore[operator]
        raise ValueError(f"{owner}: {name}={value!r} is not one of {list(allowed)}")  # type: ignore[call-overload]


def check_range(owner: str, name: str, value: float, low: float = 0.0, high: float = 1.0) -> None:
    """Raise a ValueError if a number is outside of [low, high]."""
    if not (isinstance(value, (int, float)) and low <= value <= high):
        raise ValueError(f"{owner}: {name}={value!r} is not in [{low:g}, {high:g}]")


def check_pair(
    owner: str, name: str, values: Sequence[float], low: float = 0.0, high: float = 1.0
) -> tuple[float, float]:
    """The pair of `values`; a ValueError unless it is ascending and within [low, high]."""
    if not (len(values) == 2 and low <= values[0] <= values[1] <= high):
        raise ValueError(
            f"{owner}: {name}={values!r} is not (low, high) with {low:g} <= low <= high <= {high:g}"
        )
    return values[0], values[1]
