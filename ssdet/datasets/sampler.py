"""Which samples of which source make up the batch of an iteration: a function of (seed, t)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from ..registry import DATA_SAMPLERS
from .seeding import BatchSlot, SeededIndex, derive_seed
from .video_batches import Videos

_VIDEOS = 10**6  # stands for a source in the stream that orders videos
_SEED, _ORDER, _ALL = 0, 1, 2  # what a derived seed is for; _ALL: the stream of no single group


@DATA_SAMPLERS.register_module()
class LabeledUnlabeledSampler(Sampler):
    """Batches with a fixed number of samples from each source, labeled first.

    The global batch of iteration t is fixed by (seed, t), and each process takes its slice: two
    processes with `batch=(2, 2)` see together what one process with `batch=(4, 4)` sees. Every
    source is shuffled again for each pass, independently of the others, without end. Each index
    carries its own seed, which `LabeledUnlabeledDataset` sets while it loads the sample.

    Args:
        dataset: A `LabeledUnlabeledDataset` or any concatenation; a plain dataset is one source.
        batch: Samples of each source in the batch of one process. Their sum is the `batch_size` of
            the data loader.
        batch_size: With `source_ratio`, another way to say `batch`: (1, 4) of 10 is (2, 8).
        epoch_length: Iterations after which the sampler ends (needed by `EpochBasedTrainLoop`).
            None: it never ends (`IterBasedTrainLoop`).
        group_by_aspect: All images of a batch are upright, or all are not, so that less is padded.
            A source without an image of the batch's kind gives any of its images.
        group_by: All images of a batch are of one video: "folder", or an expression such as
            "(video[0-9]+)" whose parentheses hold the video in a path. Each video has its turn
            equally often. A source without this video gives any of its images.
        seed: None: the runner's, or one that all processes agree on.
    """

    def __init__(
        self,
        dataset: Any,
        batch: Sequence[int] | None = None,
        *,
        batch_size: int | None = None,
        source_ratio: Sequence[int] | None = None,
        epoch_length: int | None = None,
        shuffle: bool = True,
        group_by_aspect: bool = False,
        group_by: str | None = None,
        seed: int | None = None,
    ) -> None:
        self.sources = [dataset] if not hasattr(dataset, "datasets") else list(dataset.datasets)
        self.sizes = [len(source) for source in self.sources]
        if batch is None:
            batch = _shares(batch_size, source_ratio)
        elif source_ratio is not None or batch_size not in (None, sum(batch)):
            raise ValueError(
                f"LabeledUnlabeledSampler: batch={tuple(batch)} already says how many samples each "
                f"source gives; remove batch_size={batch_size} and source_ratio={source_ratio}"
            )
        self.batch = tuple(batch)
        self._check(epoch_length)
        self.epoch_length = epoch_length
        self.shuffle = shuffle
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else int(seed)
        self._offsets = [0, *np.cumsum(self.sizes).tolist()]
        self._order = lru_cache(maxsize=4 * len(self.sizes) + 4)(self._shuffled)
        self._groups = self._grouped(group_by_aspect, group_by)
        self._skipped = self._epoch = 0

    def _grouped(self, by_aspect: bool, by: str | None) -> _Groups | Videos | None:
        if by_aspect and by is not None:
            raise ValueError(
                f"LabeledUnlabeledSampler: group_by_aspect=True and group_by={by!r}: choose one"
            )
        if by is None:
            return _Groups(self.sources) if by_aspect else None

        def order(turn: int, count: int) -> np.ndarray:
            return self._order(_VIDEOS, 0, turn, count) if self.shuffle else np.arange(count)

        return Videos(self.sources, by, order)

    def _check(self, epoch_length: int | None) -> None:
        names = [f"{type(s).__name__} with {len(s)} samples" for s in self.sources]
        if len(self.batch) != len(names):
            raise ValueError(
                f"LabeledUnlabeledSampler: batch={self.batch} is for {len(self.batch)} sources, "
                f"but the dataset has {len(names)}: {', '.join(names)}"
            )
        for position, (share, name) in enumerate(zip(self.batch, names, strict=True)):
            if not isinstance(share, int) or share < 1:
                raise ValueError(
                    f"LabeledUnlabeledSampler: source {position} ({name}) has share {share} in "
                    f"batch={self.batch}; give it at least 1, or take it out of the dataset"
                )
            if self.sizes[position] == 0:
                raise ValueError(
                    f"LabeledUnlabeledSampler: source {position} ({name}) is empty, but "
                    f"batch={self.batch} asks for {share} of its samples in each batch"
                )
        if epoch_length is not None and epoch_length < 1:
            raise ValueError(
                f"LabeledUnlabeledSampler: epoch_length={epoch_length}; it must be at least 1"
            )

    @property
    def batch_size(self) -> int:
        """Samples in the batch of one process."""
        return sum(self.batch)

    @property
    def pass_length(self) -> int:
        """Iterations that one pass over the last source (the unlabeled images) takes."""
        return -(-self.sizes[-1] // (self.batch[-1] * self.world_size))

    def batch_at(self, iteration: int) -> list[SeededIndex]:
        """The indices of this process in the batch of an iteration, counted from 0."""
        indices: list[SeededIndex] = []
        group, turn = self._groups.at(iteration) if self._groups else (_ALL, iteration)
        for source, share in enumerate(self.batch):
            members = self._groups.members[source].get(group) if self._groups else None
            own = iteration if isinstance(self._groups, Videos) and members is None else turn
            for number in range(self.rank * share, (self.rank + 1) * share):
                position = own * share * self.world_size + number
                index = self._pick(source, _ALL if members is None else group, position, members)
                seed = derive_seed(self.seed, _SEED, iteration, source, number)
                place = BatchSlot(len(indices), self.batch_size)
                indices.append(SeededIndex(self._offsets[source] + index, seed, place))
        return indices

    def _pick(self, source: int, group: int, position: int, members: np.ndarray | None) -> int:
        count = self.sizes[source] if members is None else len(members)
        turn, place = divmod(position, count)
        if self.shuffle:
            place = int(self._order(source, group, turn, count)[place])
        return place if members is None else int(members[place])

    def _shuffled(self, source: int, group: int, turn: int, count: int) -> np.ndarray:
        """Raw bits in ascending order: unlike `randperm`, the same in every version of anything."""
        key = np.random.SeedSequence((self.seed, _ORDER, source, group, turn))
        return np.argsort(np.random.PCG64(key).random_raw(count), kind="stable")

    def __iter__(self) -> Iterator[SeededIndex]:
        start = self._skipped
        stop = None
        if self.epoch_length is not None:
            length = self.epoch_length * self.batch_size
            epoch = start // length + self._epoch
            start = epoch * length if self._epoch else start
            stop = (epoch + 1) * self.epoch_length
        iteration, slot = divmod(start, self.batch_size)
        while iteration != stop:
            yield from self.batch_at(iteration)[slot:]
            iteration, slot = iteration + 1, 0

    def __len__(self) -> int:
        return (self.epoch_length or self.pass_length) * self.batch_size

    def set_epoch(self, epoch: int) -> None:
        """Continue with a later epoch (counted from the last `skip`); nothing if it never ends."""
        self._epoch = epoch

    def skip(self, num_samples: int) -> None:
        """Start after `num_samples` samples of this process, counted from the very first one."""
        if num_samples < 0:
            raise ValueError(f"LabeledUnlabeledSampler.skip: num_samples={num_samples} < 0")
        self._skipped, self._epoch = num_samples, 0


class _Groups:
    """Upright images (0) and the others (1) of each source, and whose turn it is.

    The turns are spread evenly by the mean share of group 1 over the sources, in whole numbers, so
    how often a group had its turn before iteration t needs no counting.
    """

    def __init__(self, sources: Sequence[Any]) -> None:
        self.members: list[dict[int, np.ndarray]] = []
        self._total = len(sources) * math.prod(len(source) for source in sources)
        self._wide = 0
        for position, source in enumerate(sources):
            wide = np.array([_is_wide(source, position, i) for i in range(len(source))])
            groups = {0: np.flatnonzero(~wide), 1: np.flatnonzero(wide)}
            self.members.append({g: m for g, m in groups.items() if len(m)})
            self._wide += int(wide.sum()) * (self._total // (len(source) * len(sources)))

    def at(self, iteration: int) -> tuple[int, int]:
        """The group of an iteration, and how many earlier iterations had the same."""
        before = iteration * self._wide // self._total
        if (iteration + 1) * self._wide // self._total > before:
            return 1, before
        return 0, iteration - before


def _is_wide(source: Any, position: int, index: int) -> bool:
    if hasattr(source, "image_size"):
        height, width = source.image_size(index)
    else:
        info = source.get_data_info(index)
        height, width = info.get("height"), info.get("width")
    if height is None or width is None:
        raise ValueError(
            f"LabeledUnlabeledSampler: group_by_aspect needs the image sizes, but source "
            f"{position} ({type(source).__name__}) does not know that of sample {index}; add "
            f"'height' and 'width' to its annotation file, or leave group_by_aspect off"
        )
    return width >= height


def _shares(batch_size: int | None, ratio: Sequence[int] | None) -> tuple[int, ...]:
    if batch_size is None or not ratio or min(ratio) < 1:
        raise ValueError(
            f"LabeledUnlabeledSampler: found batch_size={batch_size}, source_ratio={ratio}; give "
            f"batch=(labeled, unlabeled, ...), or batch_size and source_ratio of at least 1 each"
        )
    unit = sum(ratio)
    if batch_size % unit:
        lower = batch_size // unit * unit
        nearest = [size for size in (lower, lower + unit) if size]
        raise ValueError(
            f"LabeledUnlabeledSampler: batch_size={batch_size} cannot be shared out as "
            f"source_ratio={tuple(ratio)} (a multiple of {unit} can: {nearest})"
        )
    return tuple(share * batch_size // unit for share in ratio)
