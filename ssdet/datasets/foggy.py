"""Foggy Cityscapes: pictures with fog, annotations of the pictures without."""

from typing import Any

from mmdet.datasets import CityscapesDataset

from ..formats.issues import raise_data_error
from ..registry import DATASETS
from ..validation import check_choice

BETAS = (0.005, 0.01, 0.02)
_CLEAR = "_leftImg8bit.png"


@DATASETS.register_module()
class FoggyCityscapes(CityscapesDataset):
    """Cityscapes for MMDetection, each picture replaced by its foggy version.

    Sakaridis et al., "Semantic Foggy Scene Understanding with Synthetic Data", IJCV 2018. The
    annotation file is that of Cityscapes, whose names end with `_leftImg8bit.png`.

    Args:
        beta: How dense the fog is: 0.005, 0.01 or 0.02 (the usual one for domain adaptation).
        options: Arguments of MMDetection's `CityscapesDataset`.
    """

    def __init__(self, *args: Any, beta: float = 0.02, **options: Any) -> None:
        check_choice("FoggyCityscapes", "beta", beta, BETAS)
        self.beta = beta
        super().__init__(*args, **options)

    def parse_data_info(self, raw_data_info: dict) -> dict | list[dict]:
        """The entry of an image, with the name of its foggy version."""
        info: dict = super().parse_data_info(raw_data_info)
        info["img_path"] = foggy_name(info["img_path"], self.beta, self.ann_file)
        return info


def foggy_name(name: str, beta: float, where: str) -> str:
    """The file of an image in fog; `where` is for the message about one that has none."""
    if not name.endswith(_CLEAR):
        raise_data_error(
            "image without a foggy version",
            where,
            found=name,
            allowed=f"names that end with {_CLEAR}",
            advice="Give the annotation file of Cityscapes; the fog is added to its names",
        )
    return name.removesuffix(".png") + f"_foggy_beta_{beta}.png"
