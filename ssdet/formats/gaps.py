"""What is labeled in an image of a COCO file: everything, some classes, or nobody knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .annotations import ImageRecord
from .issues import Issues

COMPLETE, EXHAUSTIVE = "complete", "exhaustive_category_ids"
NEGATIVE, OPEN = "neg_category_ids", "not_exhaustive_category_ids"  # of LVIS


class Gaps:
    """Reads what images say of their labels into `ImageRecord.exhaustive`.

    * `"complete": false`: any object of any class may be unlabeled;
    * `"exhaustive_category_ids": [...]`: of these classes every object is labeled;
    * LVIS's lists: classes that were looked for and not found (`neg_category_ids`), and classes
      with labels of which more objects are there (`not_exhaustive_category_ids`). Every other class
      with a label is labeled exhaustively, and a class without one is unknown.

    Args:
        labels: Of the categories, by their ids.
        issues: Where findings go.
    """

    def __init__(self, labels: Mapping[int, int], issues: Issues) -> None:
        self.labels, self.issues = labels, issues
        self.open: dict[Any, set[int]] = {}  # labels that LVIS calls not exhaustive, by image

    def read(self, record: ImageRecord, entry: Mapping[str, Any]) -> None:
        """Take what an image says by itself."""
        complete = entry.get(COMPLETE)
        if complete not in (None, True, False):
            self._refuse(record, COMPLETE, complete, "true or false")
        if complete is False:
            record.exhaustive = ()
        if EXHAUSTIVE in entry:
            record.exhaustive = self._labels(record, EXHAUSTIVE, entry)
        elif NEGATIVE in entry or OPEN in entry:
            record.exhaustive = self._labels(record, NEGATIVE, entry)
            self.open[record.id] = {*self._labels(record, OPEN, entry)}

    def finish(self, records: Sequence[ImageRecord]) -> None:
        """Add LVIS's labeled classes, once all annotations are known."""
        for record in records:
            if record.id in self.open:
                found = {instance.label for instance in record.instances} - self.open[record.id]
                record.exhaustive = tuple(sorted({*(record.exhaustive or ()), *found}))

    def _labels(self, record: ImageRecord, key: str, entry: Mapping[str, Any]) -> tuple[int, ...]:
        ids = entry.get(key, [])
        wrong = [ids] if not isinstance(ids, list) else [i for i in ids if not self._known(i)]
        if wrong:
            self._refuse(record, key, wrong[0], f"a list of {list(self.labels)[:10]}")
        known = [i for i in ids if self._known(i)] if isinstance(ids, list) else []
        return tuple(sorted(self.labels[i] for i in known))

    def _known(self, key: object) -> bool:
        return isinstance(key, int) and not isinstance(key, bool) and key in self.labels

    def _refuse(self, record: ImageRecord, key: str, found: object, allowed: str) -> None:
        self.issues.leave_out(
            f"{key} that cannot be used",
            record.where,
            found=found,
            allowed=allowed,
            advice="It says what is labeled in the image; correct it",
        )


def gaps_content(record: ImageRecord, ids: Sequence[int]) -> dict[str, Any]:
    """What an image of a COCO file says of its labels."""
    if record.exhaustive is None:
        return {}
    if not record.exhaustive:
        return {COMPLETE: False}
    return {EXHAUSTIVE: [ids[label] for label in record.exhaustive]}
