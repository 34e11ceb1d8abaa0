"""Name the file when a data set of MMDetection or MMSegmentation fails on a damaged image."""

from typing import Any

from mmengine.dataset import BaseDataset

from ..exits import RunError
from .bad_images import BadImageError, failed, keeps_depth, unfit, unreadable
from .labeled_unlabeled import LabeledUnlabeledDataset
from .sample_check import outside


def name_bad_images(dataset: Any) -> None:
    """Make every data set inside wrappers say which image it failed on, and why.

    A loader of images knows the bytes only, so the plain error has no path. A
    `LabeledUnlabeledDataset` names its images itself.
    """
    if dataset is None or isinstance(dataset, LabeledUnlabeledDataset):
        return
    for part in (*getattr(dataset, "datasets", ()), getattr(dataset, "dataset", None)):
        name_bad_images(part)
    if isinstance(dataset, BaseDataset) and not isinstance(dataset.prepare_data, _Naming):
        dataset.prepare_data = _Naming(dataset)


class _Naming:
    """A data set's `prepare_data`; a class, because worker processes need to pickle it."""

    def __init__(self, dataset: BaseDataset) -> None:
        self.dataset = dataset
        self.deep = keeps_depth(dataset.pipeline)

    def __call__(self, index: int) -> Any:
        info = self.dataset.get_data_info(index)
        path = info.get("img_path")
        error: Exception | None = None
        name = type(self.dataset).__name__
        if (cause := outside(path, self.dataset) or unfit(path, deep=self.deep)) is None:
            try:
                return type(self.dataset).prepare_data(self.dataset, index)
            except Exception as caught:
                if path is None or isinstance(caught, RunError):
                    raise
                error, cause = caught, unreadable(path)
                if cause is None:
                    raise failed(path, caught, f"image {index} of the {name}") from caught
        raise BadImageError(
            f"{path}: {cause}. It is image {index} of the {name} that starts with "
            f"{self.dataset.get_data_info(0).get('img_path')}; repair it or take it out of the "
            f"annotations"
        ) from error
