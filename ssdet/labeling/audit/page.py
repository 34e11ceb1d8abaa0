"""The page of an audit: one HTML file that holds everything it shows and loads nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ...report.html import fill
from .boxes import Kind, Suspect
from .findings import Audit, Choice
from .pictures import of_suspect, plain, with_found
from .words import (
    KINDS,
    by_kind,
    class_rows,
    next_steps,
    odd_told,
    shifted,
    story,
    sure,
    told,
    twins_told,
)  # fmt: skip

CHOICES, SUSPECTS, TWINS = 24, 12, 12  # pictures of choices, of each kind, of pairs
Item = TypeVar("Item")


def render(result: Audit, out: str, command: str = "") -> str:
    """The page as text."""
    judged = result.confusion is not None or len(result.missed) > 0
    kinds = list(KINDS)[4:] if result.pixels else list(KINDS)[:4]
    return fill(
        "audit.html.j2",
        "ssdet.labeling.audit",
        result=result,
        story=story(result),
        steps=next_steps(result, out),
        judged=judged,
        doubted=any(one.look.criteria for one in result.choices),
        choices=[
            _choice(one, rank, result) for rank, one in enumerate(result.choices[:CHOICES], 1)
        ],
        kinds=[_kind(kind, ones, result) for kind, ones in by_kind(result.suspects).items()],
        kind_names=[KINDS[kind][0] for kind in kinds],
        rows=class_rows(result) if judged else [],
        leaks=_pairs(result.leaks),
        twins=_pairs([twins for twins in result.twins if not twins.leak]),
        foreign=_odd(result, "foreign"),
        patterns=_odd(result, "pattern"),
        shifted=shifted(result),
        out=out,
        command=command,
    )


def _choice(choice: Choice, rank: int, result: Audit) -> dict[str, Any]:
    return {
        "rank": rank,
        "path": choice.look.path,
        "picture": with_found(choice.look, result),
        "reasons": choice.reasons,
    }


def _kind(kind: Kind, ones: Sequence[Suspect], result: Audit) -> dict[str, Any]:
    title, what = KINDS[kind]
    return {
        "title": title,
        "what": what,
        "count": len([one for one in sure(result) if one.kind == kind]),
        "all": len(ones),
        "shown": _shown(ones, SUSPECTS, lambda one: {
            "picture": of_suspect(one, result), "told": told(one, result),
            "score": f"{one.score:.2f}", "path": one.where.path}),
    }  # fmt: skip


def _pairs(pairs: Sequence[Any]) -> dict[str, Any]:
    shown = _shown(pairs, TWINS, lambda twins: {
        "pictures": [plain(twins.first), plain(twins.second)], "told": twins_told(twins),
        "paths": [twins.first.path, twins.second.path]})  # fmt: skip
    return {"count": len(pairs), "shown": shown}


def _odd(result: Audit, kind: str) -> dict[str, Any]:
    every = [one for one in result.odd if one.kind == kind]
    shown = _shown(every, TWINS, lambda one: {
        "picture": plain(one.look), "told": odd_told(one), "path": one.look.path})  # fmt: skip
    return {"count": len(every), "shown": shown}


def _shown(
    items: Sequence[Item], most: int, how: Callable[[Item], dict[str, Any]]
) -> list[dict[str, Any]]:
    return [how(item) for item in items[:most]]
