"""A pass of the teacher over a part of the training images, between two steps of the training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.dataset import ConcatDataset, pseudo_collate
from mmengine.dist import get_dist_info
from mmengine.registry import DATASETS as ALL_DATASETS

from ...datasets import LabeledUnlabeledDataset, derive_seed, seeded
from ...datasets.branches import source_has_labels
from ...teacher_student.core import WEAK, TeacherStudent
from ...teacher_student.step import Views


class LabeledPass:
    """Labeled images as views of the model, each process its part, one at a time.

    The images come through the pipeline of their dataset, with random numbers of their own. The
    random state of the training does not change, and the same moment of a resumed run shows the
    same images.

    Args:
        dataset: A dataset with labels, or the training set with labeled and unlabeled sources.
        max_images: Number of images that are drawn, by all processes together.
    """

    branch = "sup"

    def __init__(self, dataset: Any, max_images: int) -> None:
        self.dataset, self.max_images = dataset, max_images
        self.numbers = self._numbers(dataset)

    @staticmethod
    def _numbers(dataset: Any) -> list[int]:
        """The samples of a dataset that are of this kind."""
        return numbers_of(dataset, labeled=True)

    @classmethod
    def of(cls, owner: str, config: dict[str, Any] | None, runner: Any, limit: int) -> LabeledPass:
        """From the config of a dataset, or else from the training data of a runner."""
        dataset = getattr(runner.train_dataloader, "dataset", None)
        if config is not None:
            dataset = ALL_DATASETS.build(dict(config))
        found = cls(dataset, limit)
        if not found.numbers:
            raise ValueError(
                f"{owner}: the training data have no labeled image to fit thresholds to; "
                "give a dataset with labels as labeled=dict(type=...)"
            )
        return found

    def views(self, model: TeacherStudent, moment: int) -> Iterator[Views]:
        """The views of this process; `moment` decides which images are drawn."""
        generator = torch.Generator().manual_seed(moment)
        order = torch.randperm(len(self.numbers), generator=generator)[: self.max_images]
        rank, world = get_dist_info()
        for place in order[rank::world].tolist():
            number = self.numbers[place]
            with seeded(derive_seed(moment, number)):
                sample = self.dataset[number]
            yield _prepared(model, pseudo_collate([sample]), self.branch)


class UnlabeledPass(LabeledPass):
    """Images without labels, as their weak views, of the training set."""

    branch = WEAK

    @staticmethod
    def _numbers(dataset: Any) -> list[int]:
        return numbers_of(dataset, labeled=False)


def numbers_of(dataset: Any, *, labeled: bool) -> list[int]:
    """The labeled or the unlabeled samples of a dataset; a plain one is labeled.

    The sources of MMDetection's `ConcatDataset` are distinguished by the branches that they make.
    """
    if not isinstance(dataset, ConcatDataset):
        return list(range(len(dataset))) if labeled and dataset is not None else []
    numbers: list[int] = []
    start = 0
    for source, part in enumerate(dataset.datasets):
        own = isinstance(dataset, LabeledUnlabeledDataset)
        if (dataset.is_labeled(source) if own else source_has_labels(part)) == labeled:
            numbers += range(start, start + len(part))
        start += len(part)
    return numbers


def _prepared(model: TeacherStudent, batch: dict[str, Any], branch: str) -> Views:
    # As in validation: no batch augmentation, no padding of labels.
    data = model.data_preprocessor(batch, False)
    inputs, samples = data["inputs"], data["data_samples"]
    if isinstance(inputs, dict):
        inputs, samples = inputs[branch], samples[branch]
    return Views(inputs, samples)
