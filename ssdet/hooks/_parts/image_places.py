"""Where the image of a sample stands in a list of images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

_FEWEST_LOOKED_UP = 200  # images, before it is an error that none of them is in the list


class ImagePlaces:
    """Numbers of images by their paths, or by as much of the end of a path as tells them apart.

    Args:
        owner: Whose errors these are.
        what: What the list is called in them.
        paths: Of the images; the number of a path is its position.
    """

    def __init__(self, owner: str, what: str, paths: Iterable[str]) -> None:
        self.owner, self.what = owner, what
        self.numbers: dict[str, int | None] = {}
        self.first: str | None = None
        self.looked_up = self.found = 0
        for number, path in enumerate(paths):
            self.first = self.first or path
            for end in {*_ends(path)}:
                self.numbers[end] = None if end in self.numbers else number

    def of(self, path: str) -> int | None:
        """The number of an image; None where the list does not have it."""
        known = (self.numbers.get(end) for end in _ends(path))
        number = next((each for each in known if each is not None), None)
        self.looked_up += 1
        self.found += number is not None
        if not self.found and self.looked_up == _FEWEST_LOOKED_UP:
            raise ValueError(
                f"{self.owner}: none of the first {self.looked_up} images is in {self.what}; the "
                f"last one was {path!r}, and the first of {self.what} is {self.first!r}. Give "
                "paths, or file names, as the unlabeled images have them"
            )
        return number


def _ends(path: str) -> Iterator[str]:
    """The whole path, and its last parts: three of them, two, one."""
    yield os.path.abspath(path)
    parts = path.replace(os.sep, "/").split("/")
    yield from ("/".join(parts[-count:]) for count in range(min(len(parts), 3), 0, -1))
