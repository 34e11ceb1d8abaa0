"""Images with more than 8 bits in a channel: what white is, is said and not guessed."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio

from ..formats.issues import raise_data_error
from ..registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadDeepImage(LoadImageFromFile):
    """Loads PNG and TIFF files of up to 16 bits, scaled to 8 bits; others as `LoadImageFromFile`.

    A camera or microscope of 12 bits writes 0 ... 4095 into 16. Plain loading keeps the upper 8
    bits, 0 ... 15, which is black; so ssdet refuses such files unless this transform says what
    white is. The EXIF orientation is applied.

    Args:
        bit_depth: Bits that are used: white is 2^bit_depth - 1. A larger value is an error.
        options: Those of `LoadImageFromFile`.

    Examples:
        >>> from ssdet.datasets import LoadDeepImage
        >>> LoadDeepImage(bit_depth=12).white
        4095
    """

    def __init__(self, bit_depth: int, **options: Any) -> None:
        if not 8 < bit_depth <= 16:
            raise ValueError(f"LoadDeepImage: bit_depth={bit_depth} is not in 9 ... 16")
        super().__init__(**options)
        self.bit_depth = bit_depth
        self.white = 2**bit_depth - 1

    def transform(self, results: dict) -> dict | None:
        """Add `img`, uint8 in BGR, and its shapes."""
        path = results["img_path"]
        data = np.frombuffer(fileio.get(path, backend_args=self.backend_args), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
        if image is None or image.dtype == np.uint8:
            return super().transform(results)
        if image.dtype != np.uint16 or int(image.max()) > self.white:
            raise_data_error(
                "image with other values than bit_depth allows",
                path,
                found=f"{image.dtype} up to {image.max()}",
                allowed=f"uint16 up to {self.white} (bit_depth={self.bit_depth})",
                advice="Correct bit_depth in LoadDeepImage, or convert the image to 8 bits",
            )
        scaled = np.rint(image.astype(np.float32) * (255 / self.white))
        results["img"] = scaled if self.to_float32 else scaled.astype(np.uint8)
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        return f"LoadDeepImage(bit_depth={self.bit_depth})"
