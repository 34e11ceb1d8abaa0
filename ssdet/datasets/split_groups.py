"""Images that belong together: those of one patient, video or site go into one part of a split.

Two slices of a patient, or two frames of a video, are nearly the same picture. With one of them
labeled and the other one in the validation, a score says what was remembered, not what was learned.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..formats.files import read_text
from ..formats.issues import raise_data_error, short
from .splits import priorities

FOLDER = "folder"
_NUMBER = re.compile(r"[-_. ]*\d+$")
_OPTION = "--group-by"
_GOLDEN = Fraction(618, 1000)  # multiples of it, without their whole parts, lie far apart


class Groups:
    """Which group each image belongs to. Without `--group-by` each image is one of its own.

    Args:
        of: Image -> group.
        rule: What `--group-by` said; empty: nothing.
    """

    def __init__(self, of: Mapping[str, str], rule: str = "") -> None:
        self.of, self.rule = dict(of), rule
        self.members: dict[str, list[str]] = {}
        for name, group in self.of.items():
            self.members.setdefault(group, []).append(name)

    def draw(
        self,
        pool: Iterable[str],
        target: int,
        labels_in: Callable[[str], Iterable[int]],
        classes: int,
        *,
        seed: int,
        fold: int,
    ) -> list[str]:
        """About `target` images of the pool, in whole groups; small sets lie inside large ones."""
        members: dict[str, list[str]] = {}
        for name in pool:
            members.setdefault(self.of[name], []).append(name)
        self._refuse_parts(members)

        def labels_of(group: str) -> set[int]:
            return {label for name in members[group] for label in labels_in(name)}

        order = priorities(list(members), labels_of, classes, seed=seed, fold=fold)
        sizes = {group: len(names) for group, names in members.items()}
        return [name for group in self._nearest(order, sizes, target) for name in members[group]]

    def spread(self, pool: Iterable[str], count: int, fold: int) -> list[str]:
        """So many images of each group, evenly apart in the order of their names.

        Each is in the middle of its stretch in fold 1, and elsewhere in its stretch in other folds.
        """
        inside = set(pool)
        shift = Fraction(1, 2) + Fraction(fold - 1) * _GOLDEN
        chosen: list[str] = []
        for names in self.members.values():
            known = sorted(name for name in names if name in inside)
            taken = min(count, len(known))
            places = ((Fraction(n) + shift % 1) * len(known) / taken for n in range(taken))
            chosen += [known[int(place)] for place in places]
        return chosen

    def check_whole(self, names: Iterable[str]) -> None:
        """Refuse images that are a part of a group."""
        members: dict[str, list[str]] = {}
        for name in names:
            members.setdefault(self.of[name], []).append(name)
        self._refuse_parts(members)

    def count(self, names: Iterable[str]) -> int:
        """The number of groups that these images are of."""
        return len({self.of[name] for name in names})

    def _nearest(self, order: Sequence[str], sizes: Mapping[str, int], target: int) -> list[str]:
        """The first groups whose images come nearest to the number; all, only if all are asked for.

        At least one. A larger number never takes fewer groups.
        """
        everything = sum(sizes.values())
        if target < everything and len(order) == 1 and everything > 1:
            raise_data_error(
                "one group holds all images",
                f"{_OPTION} {self.rule}",
                found=f"group {order[0]!r} with {everything} images",
                allowed="two groups or more",
                advice="Choose another rule; a group is never divided",
            )
        taken: list[str] = []
        total = 0
        for group in order:
            if taken and abs(total + sizes[group] - target) >= abs(target - total):
                break
            taken.append(group)
            total += sizes[group]
        return taken[:-1] if target < total == everything and len(taken) > 1 else taken

    def _refuse_parts(self, members: Mapping[str, list[str]]) -> None:
        for group, names in members.items():
            if len(names) < len(self.members[group]):
                inside = set(names)
                other = next(name for name in self.members[group] if name not in inside)
                raise_data_error(
                    "group on both sides of the split",
                    f"{_OPTION} {self.rule}",
                    found=f"group {group!r}: {names[0]} is in the list, {other} is not",
                    allowed="all images of a group, or none",
                    advice="Complete the list, or take the group out of it",
                )


def series_of(names: Iterable[str]) -> dict[str, str]:
    """Image -> its folder and name without the number at the end, such as `a/patient01_slice`.

    A guess at images that show one patient or video; empty where the names tell no series apart.
    """
    found = {}
    for name in names:
        path = Path(name)
        found[name] = str(path.with_name(_NUMBER.sub("", path.stem) or "*"))
    return found if 2 <= len(set(found.values())) <= len(found) / 2 else {}


def group_images(
    names: Sequence[str],
    rule: str,
    *,
    table: Path | None = None,
    records: Mapping[str, Mapping[str, Any]] | None = None,
) -> Groups:
    """The groups of images by what `--group-by` says.

    Args:
        names: Paths of the images, as the data set has them.
        rule: `folder`: the folder of an image. A regular expression with parentheses: what its
            first pair holds in the path of an image. Else a column of `table`, or a key of
            `records`.
        table: A CSV file whose first column names images, by path, file name or stem.
        records: Image -> its entry in a COCO file.
    """
    if rule == FOLDER:
        return Groups({name: name.rpartition("/")[0] or "." for name in names}, rule)
    if "(" in rule:
        return _collect(names, rule, _by_pattern(rule), "a path in which the expression is found")
    if table is not None:
        rows = _read_table(table, rule)
        return _collect(names, rule, lambda name: _look_up(rows, name), f"a row of {table}")
    if records is None:
        raise_data_error(
            "no place to look a group up",
            f"{_OPTION} {rule}",
            found=f"{rule!r}, and neither a COCO file nor --groups",
            allowed=f"'{FOLDER}', an expression such as '(patient[0-9]+)', or a column",
            advice="Put an expression in parentheses, or name a CSV file with --groups FILE",
        )
    keys = Counter(key for record in records.values() for key in record)
    allowed = f"a key that every image record has, such as {short(sorted(keys))}"
    return _collect(names, rule, lambda name: records.get(name, {}).get(rule), allowed)


def _collect(
    names: Sequence[str], rule: str, find: Callable[[str], object], allowed: str
) -> Groups:
    found: dict[str, str] = {}
    lost = []
    for name in names:
        value = find(name)
        if isinstance(value, (str, int)) and str(value).strip():
            found[name] = str(value).strip()
        else:
            lost.append(name)
    if lost:
        raise_data_error(
            "image without a group",
            f"{_OPTION} {rule}",
            found=f"{lost[0]} ({len(lost)} of {len(names)} images)",
            allowed=allowed,
            advice="Correct the rule, or give these images a group, each its own if they have none",
        )
    return Groups(found, rule)


def _by_pattern(rule: str) -> Callable[[str], str | None]:
    try:
        pattern = re.compile(rule)
        if not pattern.groups:
            raise re.error("it has no group in parentheses")
    except re.error as error:
        raise_data_error(
            "unusable expression",
            f"{_OPTION} {rule}",
            found=str(error),
            allowed="a regular expression of Python, such as '(patient[0-9]+)'",
            advice="Correct it",
        )

    def find(name: str) -> str | None:
        match = pattern.search(name)
        return match.group(1) if match else None

    return find


def _read_table(path: Path, column: str) -> dict[str, str | None]:
    """What the column says of each image; None where two rows of one name disagree."""
    text = read_text(path)
    header = text.split("\n", 1)[0]
    comma = next((mark for mark in ("\t", ";") if mark in header), ",")
    rows = list(csv.reader(text.splitlines(), delimiter=comma))
    columns = [cell.strip() for cell in rows[0]] if rows else []
    if column not in columns[1:]:
        raise_data_error(
            "missing column",
            path,
            found=f"columns {columns}",
            allowed=f"a column {column!r} beside the first one, which names the images",
            advice=f"Name one of its columns with {_OPTION}",
        )
    place = columns.index(column)
    table: dict[str, str | None] = {}
    for row in rows[1:]:
        if len(row) <= place:
            continue
        for key in _keys(row[0].strip()):
            table[key] = row[place] if table.get(key, row[place]) == row[place] else None
    return table


def _look_up(table: Mapping[str, str | None], name: str) -> str | None:
    return next((table[key] for key in _keys(name) if key in table), None)


def _keys(name: str) -> list[str]:
    """What a table may call an image, the most exact first."""
    path = Path(name)
    return [name, path.with_suffix("").as_posix(), path.name, path.stem] if name else []
