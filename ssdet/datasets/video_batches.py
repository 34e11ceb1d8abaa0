"""Which video gives the images of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .split_groups import group_images

Order = Callable[[int, int], np.ndarray]


class Videos:
    """Images of each source by their video, and whose turn it is: each video once in a round.

    A long video has its turn as often as a short one.

    Args:
        sources: With an `img_path` for each sample.
        rule: `folder`, or an expression whose first parentheses hold the video in a path.
        order: The order of so many videos in a round: (round, number of videos) -> positions.
    """

    def __init__(self, sources: Sequence[Any], rule: str, order: Order) -> None:
        paths = [[_path(source, n) for n in range(len(source))] for source in sources]
        groups = group_images([path for each in paths for path in each], rule)
        self.names = sorted(groups.members)
        number = {name: position for position, name in enumerate(self.names)}
        self.members: list[dict[int, np.ndarray]] = []
        for each in paths:
            videos = np.array([number[groups.of[path]] for path in each])
            self.members.append({int(v): np.flatnonzero(videos == v) for v in np.unique(videos)})
        self.order = order

    def at(self, iteration: int) -> tuple[int, int]:
        """The video of an iteration, and how many earlier iterations had the same."""
        turn, place = divmod(iteration, len(self.names))
        return int(self.order(turn, len(self.names))[place]), turn


def _path(source: Any, index: int) -> str:
    path = source.get_data_info(index).get("img_path")
    if path is None:
        raise ValueError(
            f"LabeledUnlabeledSampler: group_by needs the paths of the images, but sample {index} "
            f"of {type(source).__name__} has none; leave group_by off"
        )
    return str(path)
