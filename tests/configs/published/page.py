"""Writes docs/reproduce.md from the recipes.

python -m tests.configs.published.page docs/reproduce.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import detection, segmentation
from .table import SAME, Recipe, Repository, Row, show

SECTIONS: dict[str, Sequence[Recipe]] = {
    "Detection and instance segmentation": detection.RECIPES,
    "Segmentation": segmentation.RECIPES,
}
REPOSITORIES: dict[str, Repository] = {**detection.REPOSITORIES, **segmentation.REPOSITORIES}
UNPUBLISHED: dict[str, str] = {**detection.UNPUBLISHED, **segmentation.UNPUBLISHED}

_HEAD = """\
# Reproduce a paper

<!-- Made by `python -m tests.configs.published.page docs/reproduce.md` from tests/configs/published/. -->

Each config that carries a paper's name and data is compared here with the authors' code, one row for
each setting. `tests/configs/test_published.py` builds the configs and holds our values, so this page is
what the configs do. Where ours is another one, the row says why. Numbers are the authors': none of
these trainings was run here ([benchmarks](benchmarks.md) has what was).

Rates and iterations belong to the images of a step. `ssdet train` refuses another number of them, or scales
the rate with `--auto-scale-lr`: [running](running.md). A source is a file of a repository of the [list below](#sources), with its line or function;
*recalled* marks a value that we know but could not read there.
"""


def page() -> str:
    """The text of docs/reproduce.md."""
    parts = [_HEAD]
    for heading, recipes in SECTIONS.items():
        parts += [f"## {heading}\n" for _ in recipes[:1]] + list(map(_recipe, recipes))
    if UNPUBLISHED:
        parts.append(_unpublished())
    parts.append(_sources())
    return "\n".join(parts)


def _recipe(recipe: Recipe) -> str:
    options = " ".join(f"{key}={value}" for key, value in recipe.options.items())
    with_options = f" with `--cfg-options {options}`" if options else ""
    lines = [
        f"### {recipe.title}\n",
        f"Config: [{recipe.config}](../configs/{recipe.config}){with_options}  ",
        f"Published: {recipe.published_result}  ",
        f"Measured on: {recipe.protocol}\n",
    ]
    if recipe.notes:
        lines.append(f"{recipe.notes}\n")
    rows = [("setting", "official", "ours", "source"), *map(_row, recipe.rows)]
    return "\n".join(lines) + "\n" + _table(rows)


def _row(row: Row) -> tuple[str, str, str, str]:
    ours = "same" if row.ours is SAME else f"**{show(row.ours)}**: {row.why}"
    key, _, place = row.source.partition(":")
    source = f"{key} `{place}`" if place and key in REPOSITORIES else row.source
    mark = " *recalled*" if row.recalled else ""
    return row.name, show(row.official), ours, source + mark


def _unpublished() -> str:
    rows = [("config", "why"), *sorted(UNPUBLISHED.items())]
    return "## Configs without a published number\n\n" + _table(rows)


def _sources() -> str:
    rows = [
        (key, f"[{repository.address}](https://github.com/{repository.address})", repository.commit)
        for key, repository in sorted(REPOSITORIES.items())
    ]
    return "## Sources\n\n" + _table([("short", "repository", "commit"), *rows])


def _table(rows: Iterable[Sequence[str]]) -> str:
    head, *lines = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    rule = f"|{'---|' * head.count(' | ')}---|"
    return "".join(f"{line}\n" for line in (head, rule, *lines))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
