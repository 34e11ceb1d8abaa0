"""Rectangles of noise: how often, how large, what color, and what stays as it is."""

import numpy as np
import pytest

from ssdet.datasets import NoisePatch, seeded

HEIGHT, WIDTH = 200, 300


def covered(patch, seed=0, value=7):
    """Where a plain image changed, and the image."""
    image = np.full((HEIGHT, WIDTH, 3), value, np.uint8)
    with seeded(seed):
        after = patch.transform({"img": image, "gt_bboxes": "boxes"})
    assert (image == value).all(), "the image that came in was changed"
    assert after["gt_bboxes"] == "boxes"
    return (after["img"] != value).any(-1), after["img"]


def rectangle(mask):
    """Height and width of what is covered; noise may leave a single pixel as it was."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert mask.sum() > 0.98 * height * width
    return height, width


@pytest.mark.parametrize("area, aspect", [(0.05, 0.5), (0.2, 1.0), (0.1, 3.0)])
def test_a_rectangle_has_the_area_and_the_aspect(area, aspect):
    mask, _ = covered(NoisePatch(1.0, (area, area), (aspect, aspect)))
    height, width = rectangle(mask)
    assert height / width == pytest.approx(aspect, rel=0.03)
    assert height * width == pytest.approx(area * HEIGHT * WIDTH, rel=0.03)


def test_areas_are_drawn_evenly_and_aspects_by_their_logarithm():
    patch = NoisePatch(1.0, (0.05, 0.1), (0.25, 4.0))
    sides = np.array([rectangle(covered(patch, seed)[0]) for seed in range(300)])
    areas, aspects = sides.prod(1) / (HEIGHT * WIDTH), sides[:, 0] / sides[:, 1]
    assert areas.mean() == pytest.approx(0.075, rel=0.03)
    assert areas.min() > 0.048 and areas.max() < 0.102
    assert np.log(aspects).mean() == pytest.approx(0.0, abs=0.15)
    assert 0.24 < aspects.min() < 0.3 and 3.3 < aspects.max() < 4.2


def test_it_happens_as_often_as_its_probability_says():
    hit = [covered(NoisePatch(0.7), seed)[0].any() for seed in range(400)]
    assert np.mean(hit) == pytest.approx(0.7, abs=0.07)
    assert not covered(NoisePatch(0.0))[0].any()


def test_a_rectangle_that_does_not_fit_is_left_out():
    mask, _ = covered(NoisePatch(1.0, (0.9, 0.9), (6.0, 6.0)))
    assert not mask.any()


def test_noise_wraps_around_in_eight_bits():
    """Of |n| * 255 below 256, negative ones are 256 - |n| * 255; the rest wraps again."""
    mask, image = covered(NoisePatch(1.0, (0.2, 0.2), (1.0, 1.0)))
    found = image[mask].astype(float)
    with seeded(3):
        normal = np.random.standard_normal(found.size) * 255
    expected = np.trunc(normal) % 256
    bins = np.linspace(0, 256, 9)
    ours, theirs = (np.histogram(x, bins)[0] / x.size for x in (found.ravel(), expected))
    assert np.abs(ours - theirs).max() < 0.02
    assert found.std() > 60  # not a plain color


@pytest.mark.parametrize("wrong", [{"prob": 2}, {"area": (0.3, 0.1)}, {"aspect": (0, 1)}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=f"NoisePatch: {next(iter(wrong))}="):
        NoisePatch(**wrong)
