"""Planted patterns and foreign images stand out, and clean data raise no alarm."""

import math

import cv2
import numpy as np
import pytest
from PIL import Image

from ssdet import doctor
from ssdet.datasets import DigitScenes
from ssdet.doctor.foreign import OUTLIER, drift, outliers, stability_index
from ssdet.doctor.pictures import pattern_score

from . import place


def noise(seed, side=160, spread=12):
    """A gray wall in the noise of a camera. (In noise of 40 no grid of 8 can be seen.)"""
    values = np.random.RandomState(seed).normal(128, spread, (side, side))
    return values.clip(0, 255).astype(np.uint8)


def scene(seed, side=160):
    """A picture of the demo set."""
    scenes = DigitScenes(count=seed + 1, image_size=side, pipeline=[dict(type="LoadDigitScene")])
    return cv2.cvtColor(scenes[seed]["img"], cv2.COLOR_BGR2GRAY)


def with_grid(gray, amplitude=8, period=8):
    """The fixture: a faint grid over the whole picture."""
    y, x = np.indices(gray.shape)
    grid = np.where((x % period < 2) | (y % period < 2), amplitude, -amplitude)
    return (gray.astype(int) + grid).clip(0, 255).astype(np.uint8)


def saved(gray, quality):
    code = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(code, cv2.IMREAD_GRAYSCALE)


def scores(pictures):
    return outliers([pattern_score(picture) for picture in pictures])


@pytest.mark.parametrize("kind", [noise, scene])
@pytest.mark.parametrize("quality", [None, 90])
def test_a_grid_in_two_percent_of_the_images_is_found(kind, quality):
    count, planted = 200, 4
    pictures = [kind(seed) for seed in range(count)]
    pictures[:planted] = [with_grid(picture) for picture in pictures[:planted]]
    if quality:
        pictures = [saved(picture, quality) for picture in pictures]
    flagged = scores(pictures) > OUTLIER
    assert flagged[:planted].mean() >= 0.9
    assert flagged[planted:].mean() < 0.02


@pytest.mark.parametrize("kind", [noise, scene])
@pytest.mark.parametrize("quality", [None, 75, 90])
def test_clean_images_raise_no_alarm(kind, quality):
    pictures = [kind(seed) for seed in range(300, 500)]
    if quality:
        pictures = [saved(picture, quality) for picture in pictures]
    assert (scores(pictures) > OUTLIER).mean() <= 0.02


def test_where_all_images_have_a_pattern_none_stands_out():
    assert not (scores([with_grid(noise(seed)) for seed in range(60)]) > OUTLIER).any()


def test_few_images_say_nothing():
    assert outliers([1.0] * 18 + [99.0]).tolist() == [0.0] * 19
    assert outliers([1.0] * 30 + [99.0])[-1] > 100
    assert pattern_score(np.zeros((8, 200), np.uint8)) is None
    assert math.isfinite(pattern_score(np.zeros((64, 64), np.uint8)))


def test_the_stability_index_by_hand():
    """0.4 ln(0.9 / 0.5) - 0.4 ln(0.1 / 0.5) = 0.235 + 0.644."""
    even, uneven = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    assert stability_index(even, even) == 0
    assert stability_index(even, uneven) == pytest.approx(0.4 * math.log(1.8) + 0.4 * math.log(5))
    assert stability_index(even, uneven) == pytest.approx(0.8789, abs=1e-4)


@pytest.mark.parametrize("sizes", [(20, 20), (40, 400), (1000, 1000)])
def test_samples_of_one_source_have_not_drifted(sizes):
    draw = np.random.RandomState(0)
    alarms = 0
    for _ in range(200):
        index, by_chance = drift(draw.normal(size=sizes[0]), draw.normal(size=sizes[1]))
        alarms += index > 0.25 + by_chance
    assert alarms <= 4
    index, by_chance = drift(draw.normal(size=sizes[0]), draw.normal(3, 1, size=sizes[1]))
    assert index > 0.25 + by_chance


def test_the_doctor_names_what_stands_out(tmp_path):
    root = place.build(tmp_path / "data")
    for n in range(40):
        gray = noise(n) if n != 7 else with_grid(noise(n))
        Image.fromarray(gray).save(root / "unlabeled" / f"{300 + n}.png")
    found = doctor.examine_config(place.detection(root), full=True, workers=1).found
    (issue,) = [f for f in found if f.what == "repeated pattern that other images lack"]
    assert issue.where.endswith("307.png") and issue.severity == "warning"


def test_the_doctor_names_foreign_images(tmp_path):
    root = place.build(tmp_path / "data")
    place.coco(root, "labeled", 0, 30)
    for n in range(40):
        dark = np.random.RandomState(n).randint(0, 60, (48, 64, 3)).astype(np.uint8)
        Image.fromarray(dark).save(root / "unlabeled" / f"{200 + n}.jpg")
    config = place.detection(root)
    found = [f for f in doctor.examine_config(config, full=True, workers=1).found]
    assert "unlabeled images of another brightness" in [f.what for f in found]
    assert not [f for f in doctor.examine_config(config).found if "another" in f.what]
