"""Strong changes of color and content that move no pixel, for boxes and label maps alike."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ..registry import TRANSFORMS
from ..validation import check_pair, check_range


@TRANSFORMS.register_module()
class StrongPhotometric(BaseTransform):
    """Color jitter, gray, Gaussian blur: the strong view of FixMatch-like segmentation.

    The defaults are those of UniMatch (Yang et al., CVPR 2023). Takes BGR images, gives 8 bits.

    Args:
        brightness: Factor drawn from 1 ± this; contrast and saturation likewise.
        hue: Shift of the hue drawn from ± this share of the color circle, at most 0.5.
        jitter_prob: Probability of the color jitter, its four parts in random order.
        gray_prob: Probability of a gray image.
        blur_prob: Probability of a blur with a deviation drawn from `sigma` (pixels).
    """

    def __init__(
        self,
        *,
        brightness: float = 0.5,
        contrast: float = 0.5,
        saturation: float = 0.5,
        hue: float = 0.25,
        jitter_prob: float = 0.8,
        gray_prob: float = 0.2,
        blur_prob: float = 0.5,
        sigma: Sequence[float] = (0.1, 2.0),
    ) -> None:
        limits = {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0.5}
        limits |= {"jitter_prob": 1, "gray_prob": 1, "blur_prob": 1}
        given = locals()
        for name, limit in limits.items():
            if not 0 <= given[name] <= limit:
                raise ValueError(f"StrongPhotometric: {name}={given[name]} is not in [0, {limit}]")
        self.brightness, self.contrast = brightness, contrast
        self.saturation, self.hue = saturation, hue
        self.jitter_prob, self.gray_prob, self.blur_prob = jitter_prob, gray_prob, blur_prob
        self.sigma = (sigma[0], sigma[1])

    def transform(self, results: dict) -> dict:
        """Change `img`."""
        image = results["img"]
        if image.dtype != np.uint8:
            image = image.clip(0, 255).astype(np.uint8)
        if np.random.random() < self.jitter_prob:
            for part in np.random.permutation(4):
                image = (self._brighten, self._stretch, self._saturate, self._turn)[part](image)
        if np.random.random() < self.gray_prob:
            image = _gray(image)
        if np.random.random() < self.blur_prob:
            sigma = np.random.uniform(*self.sigma)
            image = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
        results["img"] = image
        return results

    def _brighten(self, image: np.ndarray) -> np.ndarray:
        return _blend(image, 0.0, _around_one(self.brightness))

    def _stretch(self, image: np.ndarray) -> np.ndarray:
        mean = cv2.mean(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[0]
        return _blend(image, float(mean), _around_one(self.contrast))

    def _saturate(self, image: np.ndarray) -> np.ndarray:
        factor = _around_one(self.saturation)
        return cv2.addWeighted(image, factor, _gray(image), 1 - factor, 0)

    def _turn(self, image: np.ndarray) -> np.ndarray:
        shift = round(np.random.uniform(-self.hue, self.hue) * 180)  # 8-bit hues run to 180
        table = np.arange(256).reshape(1, 256, 1).repeat(3, 2)
        table[..., 0] = (table[..., 0] + shift) % 180
        hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_BGR2HSV), table.astype(np.uint8))
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)


@TRANSFORMS.register_module()
class ErasePatches(BaseTransform):
    """Covers random rectangles with random colors; annotations stay as they are.

    Args:
        count: Fewest and most rectangles.
        size: Smallest and largest side, as a share of the image's.
        prob: Probability that anything is erased.
    """

    def __init__(
        self, count: Sequence[int] = (1, 4), size: Sequence[float] = (0.0, 0.2), prob: float = 1.0
    ) -> None:
        if not 0 <= count[0] <= count[1] or not 0 <= size[0] <= size[1] <= 1:
            raise ValueError(
                f"ErasePatches: count={tuple(count)} and size={tuple(size)} must be (least, most), "
                f"sizes in [0, 1]"
            )
        self.count, self.size, self.prob = (count[0], count[1]), (size[0], size[1]), prob

    def transform(self, results: dict) -> dict:
        """Change `img` (in a copy)."""
        if np.random.random() >= self.prob:
            return results
        image = results["img"] = results["img"].copy()
        for _ in range(np.random.randint(self.count[0], self.count[1] + 1)):
            sides = np.random.uniform(*self.size, 2) * image.shape[:2]
            height, width = sides.round().astype(int)
            top = np.random.randint(image.shape[0] - height + 1)
            left = np.random.randint(image.shape[1] - width + 1)
            color = np.random.randint(256, size=image.shape[2])
            image[top : top + height, left : left + width] = color
        return results


@TRANSFORMS.register_module()
class NoisePatch(BaseTransform):
    """Covers one random rectangle with noise; annotations stay as they are.

    Random Erasing (Zhong et al., AAAI 2020) as Unbiased Teacher (Liu et al., ICLR 2021) uses it,
    three in a row: normal noise that was meant for pixels in [0, 1] is taken times 255 and wraps
    around in 8 bits, as in the published code.

    Args:
        prob: Probability that a rectangle is covered.
        area: Smallest and largest area, as a share of the image's.
        aspect: Smallest and largest height / width; its logarithm is drawn evenly.
    """

    attempts = 10  # at a rectangle that fits into the image

    def __init__(
        self,
        prob: float = 0.5,
        area: Sequence[float] = (0.02, 0.2),
        aspect: Sequence[float] = (0.3, 3.3),
    ) -> None:
        name = type(self).__name__
        check_range(name, "prob", prob)
        self.prob, self.area = prob, check_pair(name, "area", area)
        self.aspect = check_pair(name, "aspect", aspect, 1e-3, 1e3)

    def transform(self, results: dict) -> dict:
        """Change `img` (in a copy)."""
        if np.random.random() >= self.prob:
            return results
        height, width, channels = results["img"].shape
        for _ in range(self.attempts):
            area = np.random.uniform(*self.area) * height * width
            aspect = np.exp(np.random.uniform(*np.log(self.aspect)))
            h, w = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
            if 0 < h < height and 0 < w < width:
                top, left = np.random.randint(height - h + 1), np.random.randint(width - w + 1)
                noise = np.random.standard_normal((h, w, channels)) * 255
                image = results["img"] = results["img"].copy()
                image[top : top + h, left : left + w] = noise.astype(np.int64) % 256
                break
        return results


def _around_one(spread: float) -> float:
    return float(np.random.uniform(1 - spread, 1 + spread))


def _blend(image: np.ndarray, ground: float, factor: float) -> np.ndarray:
    """`factor` of the image and the rest of an even gray, in 8 bits."""
    values = np.arange(256) * factor + ground * (1 - factor)
    return cv2.LUT(image, values.round().clip(0, 255).astype(np.uint8))


def _gray(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
