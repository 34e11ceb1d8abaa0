"""A view of a batch as a person sees it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...teacher_student.core import TeacherStudent
from ...teacher_student.step import Views


def view_picture(model: TeacherStudent, views: Views, number: int) -> np.ndarray:
    """An image of a batch as the pipeline made it: RGB, 8 bit, without padding."""
    inner: Any = model.data_preprocessor.inner
    image = views.inputs[number].detach().float()
    if getattr(inner, "mean", None) is not None:
        image = image * inner.std.to(image) + inner.mean.to(image)
    height, width = views.samples[number].img_shape[:2]
    array = image[:, :height, :width].cpu().numpy().transpose(1, 2, 0)
    # Loaded as BGR, as MMCV does, unless the preprocessor has turned it round.
    turned = any(getattr(inner, n, False) for n in ("_channel_conversion", "channel_conversion"))
    return as_rgb(array, turned=turned)


def as_rgb(array: np.ndarray, *, turned: bool = False) -> np.ndarray:
    """Any channels (H, W, C), BGR unless they were `turned`, as RGB of 8 bit."""
    array = array.clip(0, 255).round().astype(np.uint8)
    if array.ndim == 2 or array.shape[-1] % 3:
        return np.repeat(array.reshape(*array.shape[:2], -1)[..., :1], 3, axis=-1)
    array = array[..., -3:]  # of a pair the later image
    return array if turned else array[..., ::-1].copy()
