"""Files that a method asks for beside the data: another model's labels, tags of images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..exits import UsageError
from ..formats import Annotations, guess, read
from ..formats.issues import raise_data_error
from ..formats.options import option
from .labeled import Data
from .methods import METHODS
from .recipe import Note

ASKED = ("external", "tags")


def asked_settings(method: str, said: Data, classes: Sequence[str]) -> dict[str, Any]:
    """What the file is in a config; an error if it is missing, or of no use to the method."""
    wanted = METHODS[method].asks
    for name in ASKED:
        file: Path | None = getattr(said, name)
        if file is None and name == wanted:
            raise UsageError(
                f"{option('method', method)}: needs {option(name, metavar='FILE')}: {_WHAT[name]}"
            )
        if file is not None and name != wanted:
            users = [key for key, recipe in METHODS.items() if recipe.asks == name]
            raise UsageError(
                f"{option(name, str(file))}: {option('method', method)} does not use it; "
                f"{', '.join(users)} does"
            )
        if file is not None and not file.exists():
            raise_data_error(
                "missing file",
                option(name, str(file)),
                found=f"nothing in {Path.cwd()}",
                allowed=_WHAT[name],
                advice="Check the path; it starts in the current folder",
            )
    if wanted == "external" and said.external:
        return {"external_source": _external(said.external, classes)}
    return {"tags": _tags(said.tags, classes)} if wanted and said.tags else {}


def gap_notes(method: str, labeled: Annotations, val: Annotations) -> list[str]:
    """What the user has to know of images whose labels have gaps."""
    notes = []
    hooks = (hook.value if isinstance(hook, Note) else hook for hook in METHODS[method].hooks)
    if _has_gaps(labeled) and all(hook["type"] != "PartialLabelsHook" for hook in hooks):
        notes.append(
            f"{labeled.source} says that objects are not labeled, and {method} takes them for "
            f"background; {option('method', 'partial-boxes')} does not"
        )
    if _has_gaps(val):
        notes.append(
            f"{val.source}, which is validated on, says that objects are not labeled: a right box "
            "counts as a wrong one there"
        )
    return notes


def _has_gaps(data: Annotations) -> bool:
    return any(record.exhaustive is not None for record in data.records)


def _external(file: Path, classes: Sequence[str]) -> Note:
    found = guess(file, "detection")
    data = read(found.source, found.format, strict=False, **found.reading)
    if not set(data.classes) & set(classes):
        raise_data_error(
            "labels of other classes",
            option("external", str(file)),
            found=", ".join(data.classes),
            allowed=f"some of {', '.join(classes)}",
            advice="Names are case-sensitive; rename them in the file, or write the config with "
            "another file and set `classes` of ExternalBoxesHook",
        )
    code = {"type": "LabeledImages", "source": str(found.source), "format": found.format}
    return Note({**code, "pipeline": [], "test_mode": True}, "labels of another model")


def _tags(file: Path, classes: Sequence[str]) -> Note:
    try:
        tags = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        tags = f"{type(error).__name__}: {error}"
    lists = isinstance(tags, dict) and all(isinstance(names, list) for names in tags.values())
    wrong = {str(n) for names in tags.values() for n in names} - {*classes} if lists else set()
    if not tags or not lists or wrong:
        raise_data_error(
            "tags that cannot be used",
            option("tags", str(file)),
            found=f"class {sorted(wrong)[0]!r}" if wrong else str(tags)[:80],
            allowed=f'{{"image": ["class", ...]}}, of the classes {", ".join(classes)}',
            advice="Names are case-sensitive",
        )
    return Note(str(file), "all classes of each image")


_WHAT = {
    "external": "labels of another model for the unlabeled images, in a format that "
    "`ssdet doctor` reads",
    "tags": 'a JSON file {"image": ["class", ...]}',
}
