"""Fewer pixels, and as many as before."""

import numpy as np
import pytest

from ssdet.datasets import LowResolution


def changed(image, **settings):
    return LowResolution(**settings).transform(dict(img=image.copy()))["img"]


def test_a_half_by_hand():
    """Pairs of columns become their means; in between they are blended linearly."""
    image = np.array([0, 8, 80, 88], np.uint8).reshape(1, 4, 1).repeat(2, 0)
    found = changed(image, factor=(2, 2))  # 4 and 84
    assert found.reshape(2, 4)[0].tolist() == [4, 24, 64, 84]


def test_shape_and_type_stay_and_factor_one_changes_nothing():
    image = np.random.default_rng(0).integers(256, size=(13, 17, 3)).astype(np.uint8)
    found = changed(image, factor=(3, 12))
    assert found.shape == image.shape and found.dtype == image.dtype
    assert found.std() < image.std() / 2
    assert np.array_equal(changed(image, factor=(1, 1)), image)
    assert np.array_equal(changed(image, factor=(4, 4), prob=0.0), image)
    assert np.array_equal(changed(image[:1, :1], factor=(9, 9)), image[:1, :1])


@pytest.mark.parametrize("wrong", [dict(factor=(0.5, 2)), dict(factor=(3, 2)), dict(prob=-1)])
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match=f"LowResolution: {next(iter(wrong))}="):
        LowResolution(**wrong)
