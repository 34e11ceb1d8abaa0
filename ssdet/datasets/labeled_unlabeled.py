"""The training set of a semi-supervised run: several sources, seeded samples, named bad images."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.logging import print_log
from mmengine.registry import DATASETS as ALL_DATASETS

from ..exits import RunError
from ..registry import DATASETS
from ..validation import check_range
from .bad_images import BadImageError, failed, keeps_depth, unfit, unreadable
from .held_out import LARGEST, fold_checksum, hold_out
from .image_limits import allowed_bad
from .sample_check import mismatch, outside
from .seeding import SeededIndex, derive_seed, seeded
from .splits import checksum, source_checksum

_MAX_ATTEMPTS = 200
_SHOWN = 10


@DATASETS.register_module()
class LabeledUnlabeledDataset(ConcatDataset):
    """Concatenation of labeled and unlabeled sources, in this order.

    A `SeededIndex` (from `LabeledUnlabeledSampler`) makes the sample a function of its seed, with
    any number of workers; the random state outside is untouched. An unlabeled image that cannot
    be read is counted, logged once and replaced by another one; a labeled one is an error.

    Args:
        datasets: The sources. Their classes must agree; a source without classes is fine.
        labeled: How many of the first sources are labeled.
        held_out: Share of each labeled source that is not trained on. Hooks judge the teacher by
            these images (`folds`), and every process has the same ones.
        bad_image_limit: Share of an unlabeled source that may be unreadable, one image at least;
            beyond it, training stops. 0: not a single one.
        metainfo: What to add to the first source's meta information (the classes, if no source
            is labeled).
    """

    def __init__(
        self,
        datasets: Sequence[BaseDataset | dict],
        *,
        labeled: int = 1,
        held_out: float = 0.0,
        bad_image_limit: float = 0.01,
        metainfo: dict | None = None,
        lazy_init: bool = False,
    ) -> None:
        if not datasets:
            raise ValueError("LabeledUnlabeledDataset: datasets is empty; give at least one source")
        if not 0 <= bad_image_limit <= 1:
            raise ValueError(
                f"LabeledUnlabeledDataset: bad_image_limit={bad_image_limit} is not in [0, 1]"
            )
        check_range(type(self).__name__, "held_out", held_out, 0, LARGEST)
        built = [ALL_DATASETS.build(d) if isinstance(d, dict) else d for d in datasets]
        self._same_classes(built)
        self.labeled, self.held_out = labeled, held_out
        self.folds: list[BaseDataset] = []  # the images of each labeled source that are held out
        self.bad_image_limit = bad_image_limit
        self.bad_images: list[torch.Tensor] = []
        self._deep = [keeps_depth(dataset) for dataset in built]
        unequal = sorted({key for dataset in built for key in dataset.metainfo})
        super().__init__(built, lazy_init=lazy_init, ignore_keys=unequal)
        self._metainfo.update(metainfo or {})

    @staticmethod
    def _same_classes(datasets: Sequence[BaseDataset]) -> None:
        known = [(d, tuple(d.metainfo["classes"])) for d in datasets if d.metainfo.get("classes")]
        for dataset, classes in known[1:]:
            first, expected = known[0]
            if classes != expected:
                raise ValueError(
                    f"LabeledUnlabeledDataset: {type(dataset).__name__} has classes {classes}, but "
                    f"{type(first).__name__} has {expected}; give both the same metainfo"
                )

    def full_init(self) -> None:
        """Initialize every source, and one flag per image that all workers share."""
        if self._fully_initialized:
            return
        if self.held_out:
            labeled = [d for number, d in enumerate(self.datasets) if self.is_labeled(number)]
            self.folds = [hold_out(dataset, self.held_out) for dataset in labeled]
        super().full_init()
        flags = [torch.zeros(len(dataset), dtype=torch.bool) for dataset in self.datasets]
        self.bad_images = [flag.share_memory_() for flag in flags]
        for number, dataset in enumerate(self.datasets):
            kind = "labeled" if self.is_labeled(number) else "unlabeled"
            print_log(
                f"{self._name(number)}: {len(dataset)} {kind} images, "
                f"sha256 {source_checksum(dataset)}",
                logger="current",
            )
        for fold in self.folds:
            print_log(f"{len(fold)} labeled images are held out, not trained on", "current")

    def checksum(self) -> str:
        """SHA-256 of the sources' checksums, as a resumed training compares it."""
        parts = [f"{n} {source_checksum(source)}" for n, source in enumerate(self.datasets)]
        parts += [f"held out {fold_checksum(fold)}" for fold in self.folds]
        return checksum(parts)

    def is_labeled(self, source: int) -> bool:
        """Whether a source has annotations to train on."""
        return source < self.labeled and not getattr(self.datasets[source], "unlabeled", False)

    def bad_files(self) -> list[str]:
        """Paths of the images found unreadable so far, by any worker of this process."""
        return [
            str(self.datasets[source].get_data_info(int(index)).get("img_path"))
            for source, flags in enumerate(self.bad_images)
            for index in flags.nonzero()
        ]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """The samples of one batch; the data loader asks here, which shows its batch size."""
        first = indices[0]
        if isinstance(first, SeededIndex):
            places = [getattr(index, "place", None) for index in indices]
            if [place and place.slot for place in places] != list(range(first.place.size)):
                raise ValueError(
                    f"The data loader makes batches of {len(indices)} samples, but its "
                    f"LabeledUnlabeledSampler composes batches of {first.place.size}; set "
                    f"batch_size={first.place.size} in the data loader, or change the sampler"
                )
        return [self[index] for index in indices]

    def __getitem__(self, index: int) -> Any:
        source, position = self._get_ori_dataset_idx(int(index))
        for attempt in range(_MAX_ATTEMPTS):
            with _seed_of(index, attempt):
                if attempt:
                    position = np.random.randint(len(self.datasets[source]))
                sample = self._load(source, position)
            if sample is not None:
                return sample
        raise BadImageError(
            f"{self._name(source)}: {_MAX_ATTEMPTS} samples in a row were refused by the pipeline "
            f"(a transform returned None) or unreadable; the last was number {position}. "
            f"Unreadable so far: {self.bad_files()[:_SHOWN]}"
        )

    def _load(self, source: int, position: int) -> Any:
        dataset = self.datasets[source]
        plain = type(dataset).__getitem__ is BaseDataset.__getitem__
        info = dataset.get_data_info(position)
        path = info.get("img_path")
        if (cause := outside(path, dataset)) is not None:
            raise BadImageError(f"{path}: {cause}. Correct the annotation of sample {position}")
        if (cause := unfit(path, deep=self._deep[source])) is not None:
            self._report_bad(source, position, f"{path}: {cause}")
            return None
        try:
            # The retries of BaseDataset would hide which image was the bad one.
            sample = dataset.prepare_data(position) if plain else dataset[position]
        except Exception as error:
            cause = unreadable(path) or (str(error) if isinstance(error, OSError) else None)
            if path is None or isinstance(error, RunError):
                raise
            if cause is None:
                raise failed(path, error, f"image {position} of {self._name(source)}") from error
            self._report_bad(source, position, f"{path}: {cause}", error)
            return None
        if sample is not None and self.is_labeled(source):
            problem = mismatch(sample, info, dataset.metainfo.get("classes") or ())
            if problem is not None:
                self._report_bad(source, position, problem)
        return sample

    def _report_bad(
        self, source: int, position: int, what: str, error: Exception | None = None
    ) -> None:
        """Count and log an unreadable image; raise if it is labeled or one too many."""
        if self.is_labeled(source):
            raise BadImageError(
                f"{what}. It is labeled image {position} of {self._name(source)}; repair it or "
                f"take it out of the annotation file"
            ) from error
        flags = self.bad_images[source]
        if not flags[position]:
            flags[position] = True
            print_log(f"Skipped unlabeled image {what}", logger="current", level=logging.WARNING)
        count, allowed = int(flags.sum()), allowed_bad(self.bad_image_limit, len(flags))
        if count > allowed:
            shown = "\n  ".join(self.bad_files()[:_SHOWN])
            raise BadImageError(
                f"{self._name(source)}: {count} of {len(flags)} images cannot be read, allowed: "
                f"{allowed} (bad_image_limit={self.bad_image_limit}). The first of them:\n  "
                f"{shown}\nThe last one: {what}. Repair or remove them, or raise the limit"
            ) from error

    def _name(self, source: int) -> str:
        return f"source {source} ({type(self.datasets[source]).__name__})"


def _seed_of(index: int, attempt: int) -> AbstractContextManager[None]:
    if not isinstance(index, SeededIndex):
        return nullcontext()
    return seeded(derive_seed(index.seed, attempt) if attempt else index.seed)
