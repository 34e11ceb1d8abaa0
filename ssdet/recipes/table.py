"""Pages made of the table of methods: `docs/methods.md` and `ssdet init --list`.

python -m ssdet.recipes.table docs/methods.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from .methods import AUTO, METHODS, TABLE
from .recipe import Method
from .short_names import BASES

_HEAD = """\
# Methods

<!-- Made by `python -m ssdet.recipes.table docs/methods.md` from ssdet/recipes/methods/. -->

A method is a list of hooks in a config. Each row names the config folder, the tests of its numbers,
and the gain of its demo over the supervised baseline: the mean of three seeds on scenes of digits,
in points ([benchmarks](benchmarks.md)). The README of the folder says what the paper does, what we
changed, and how to switch back to the published behavior. [Which method](choosing.md) says where to
begin.

Every `*_demo.py` config is trained, resumed and evaluated by `tests/test_demos.py`.
"""
_COLUMNS = ("method", "config", "measured", "hooks", "source", "test")
# Papers whose part here is no hook: what answers their question, and where it was measured.
_COMMANDS = (
    ("question", "answer", "measured", "source"),
    (
        "Several models have labeled the images",
        "[`ssdet fuse`](tasks/other-labels.md#fuse-several-sources)",
        "box AP +7.1 over the best source ([table](benchmarks.md#fused-labels))",
        "after DINOSTAR; weighted boxes fusion, Dawid & Skene, 1979",
    ),
    (
        "What should be labeled next",
        "[`ssdet audit`](audit.md#what-to-label-next)",
        "5 rare objects in 40 images, 3.3 at random ([table](benchmarks.md#audit-planted-faults))",
        "inspired by ACTRESS, 2024 (its three criteria)",
    ),
    (
        "What should be labeled first, without a model",
        "[`ssdet audit`](audit.md#what-to-label-next)",
        "not measured",
        "Less is More; greedy k-center, Sener & Savarese, 2018",
    ),
    (
        "Labeled and unlabeled images differ",
        "[`ssdet audit`](audit.md#what-does-not-belong-to-the-data)",
        "not measured",
        "the question of a study of radio galaxies; the Fréchet distance is ours",
    ),
    (
        "Unlabeled images of another kind",
        "[`ssdet audit`](audit.md#what-does-not-belong-to-the-data)",
        "4 of 10 planted ones, no false alarm ([table](benchmarks.md#audit-planted-faults))",
        "the question of PT-OOD and LSA; the rule is ours",
    ),
    (
        "Somebody else wrote the unlabeled images",
        "[`ssdet doctor --full`](reliability.md#unlabeled-images-from-elsewhere)",
        "2 of 30 planted ones ([table](benchmarks.md#a-canary-unlabeled-images-that-were-planted))",
        'the question of "Perils" of unlabeled data; the search is ours',
    ),
    (
        "Images and labels were made",
        "[a third source](tasks/other-labels.md#images-that-were-made)",
        "not measured",
        "GAN labels, style diffusion (the images are not made here)",
    ),
)
_INIT = """\
`ssdet init BASE --method NAME` writes a config for [your data](own-data.md) and any supervised
model that the method suits; for others it names another method. The settings are our defaults, not
tuned on your data. The other methods need a network of their own, external labels, or settings that
follow the data: copy a config from their folder.
"""


def methods_page() -> str:
    """The text of docs/methods.md."""
    sections = [_HEAD]
    for heading, methods in TABLE.items():
        sections.append(f"## {heading}\n\n{_rows([_COLUMNS, *map(_row, methods)])}")
    sections.append(f"## Questions that a command answers\n\n{_rows(_COMMANDS)}")
    sections.append(f"## With `ssdet init`\n\n{_INIT}\n{_rows(_init_rows())}")
    return "\n".join(sections)


def listing() -> str:
    """What `ssdet init --list` prints."""
    lines = []
    for task, auto in AUTO.items():
        lines.append(f"methods for {task} (auto: {' or '.join(auto)}):")
        lines += [f"  {name:<24}{m.does}" for name, m in METHODS.items() if m.task == task]
    lines += ["bases:", *(f"  {name:<24}{config}" for name, config in BASES.items())]
    return "".join(f"{line}\n" for line in lines)


def _row(method: Method) -> Sequence[str]:
    tests = ", ".join(f"`{path}`" for path in method.tests)
    return method.name, _folder(method), method.measured, method.parts, method.source, tests


def _init_rows() -> Iterable[Sequence[str]]:
    from .needs import NEEDS

    yield "`--method`", "base", "what it does", "config"
    folders = {n: _folder(m) for methods in TABLE.values() for m in methods for n in m.recipes}
    for name, recipe in sorted(METHODS.items(), key=lambda item: item[1].task):
        kind = "detector" if recipe.task == "detection" else "segmentor"
        base = NEEDS[recipe.needs][0] if recipe.needs else f"any {kind}"
        yield f"`{name}`", base, recipe.does, folders[name]


def _folder(method: Method) -> str:
    return f"[{method.config}](../configs/{method.config})"


def _rows(rows: Iterable[Sequence[str]]) -> str:
    head, *lines = [f"| {' | '.join(cells)} |" for cells in rows]
    rule = f"|{'---|' * head.count(' | ')}---|"
    return "".join(f"{line}\n" for line in (head, rule, *lines))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(methods_page(), encoding="utf-8")
