"""Demo: the scenes in another domain: in fog, of a noisy sensor, before other backgrounds."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .scenes import Scene

Domain = Literal["clear", "fog", "noise", "checks"]  # "clear": as they are drawn
FOG = 205  # the gray of thick fog
_NOISE = 45.0  # deviation, of 255


def in_domain(scene: Scene, domain: Domain, dice: np.random.Generator) -> np.ndarray:
    """The image (H, W, 3) of a scene as this domain shows it; no pixel moves.

    "fog" hides more at the top, as if that were farther away. "noise" is darker, with noise in
    each pixel. "checks" covers the background, but no digit, with squares of two grays.
    """
    image = scene.image
    height, width = image.shape[:2]
    if domain == "fog":
        near, far = dice.uniform(0.2, 0.4), dice.uniform(0.6, 0.8)
        hidden = np.linspace(far, near, height)[:, None, None]
        return _bits(image * (1 - hidden) + FOG * hidden)
    if domain == "noise":
        return _bits(image * 0.6 + dice.normal(0, _NOISE, image.shape))
    side = int(dice.integers(4, 9))
    y, x = np.indices((height, width)) // side
    dark, light = dice.uniform(0, 120, 2)
    checks = np.where((x + y) % 2 == 1, dark, light)
    digits = np.any(scene.masks, axis=0, keepdims=True)[0]
    covered = 0.3 * image + 0.7 * checks[:, :, None]
    return _bits(np.where(digits[:, :, None], image, covered))


def _bits(image: np.ndarray) -> np.ndarray:
    return image.round().clip(0, 255).astype(np.uint8)
