"""Lookup tables give the pixels that MMDetection's and MMSegmentation's arithmetic gives."""

import mmdet.datasets.transforms as boxes
import mmseg.datasets.transforms as pixels
import numpy as np
import pytest
from mmengine.registry import DefaultScope

from ssdet.datasets import WeakStrongViews, color_tables
from ssdet.datasets.color_tables import RECOLORS, by_tables, planar

NAMES = [name.partition(".")[2] for name in RECOLORS]


def images(count=40):
    """Noise, and pictures whose values lie together, down to a single color and a single pixel."""
    random = np.random.RandomState(0)
    yield np.full((3, 5, 3), 77, np.uint8)
    for n in range(count):
        shape = (*random.randint(1, 70, 2), 3)
        spread = random.randint(1, 60) if n % 2 else 400
        noise = random.normal(random.randint(0, 256, 3), spread, shape)
        yield noise.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_pixels_are_those_of_mmdetection(name):
    theirs, ours = getattr(boxes, name)(), by_tables(getattr(boxes, name)())
    random = np.random.RandomState(1)
    for image in images():
        for magnitude in (theirs.min_mag, random.uniform(theirs.min_mag, theirs.max_mag)):
            expected, got = dict(img=image.copy()), dict(img=image.copy())
            theirs._transform_img(expected, magnitude)
            ours._transform_img(got, magnitude)
            np.testing.assert_array_equal(got["img"], expected["img"])
            assert got["img"].dtype == np.uint8


def test_pixels_are_those_of_mmsegmentation():
    theirs, ours = pixels.PhotoMetricDistortion(), by_tables(pixels.PhotoMetricDistortion())
    for seed, image in enumerate(images()):
        np.random.seed(seed)
        expected = theirs(dict(img=image.copy()))["img"]
        np.random.seed(seed)
        np.testing.assert_array_equal(ours(dict(img=image.copy()))["img"], expected)


def test_an_equalized_channel_by_hand():
    """Values 0, 0, 1, 255 of 1,020 pixels each: step (4080 - 1020) // 255 = 12."""
    counts = np.zeros(256, int)
    counts[[0, 1, 255]] = 2040, 1020, 1020
    table = color_tables._equalized(counts)
    assert table[0] == 0 and table[1] == (2040 + 6) // 12 and table[2] == (3060 + 6) // 12


@pytest.mark.parametrize("image", [np.zeros((4, 4, 6), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_other_images_are_left_to_mmdetection(image, monkeypatch):
    ours = by_tables(boxes.Invert())
    monkeypatch.setattr(color_tables.cv2, "LUT", lambda *_: pytest.fail("a table was used"))
    results = dict(img=image)
    ours._transform_img(results, 1.0)
    assert (results["img"] == 255).all()


def test_derived_classes_keep_what_they_do():
    class Mine(boxes.Invert):
        def _transform_img(self, results, mag):
            results["img"] = "mine"

    results = dict(img=np.zeros((2, 2, 3), np.uint8))
    by_tables(Mine())._transform_img(results, 1.0)
    assert results["img"] == "mine"


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_planes_hold_the_same_pixels(dtype, channels):
    image = np.random.RandomState(0).randint(0, 256, (5, 7, channels)).astype(dtype)[:, ::-1]
    moved = planar(image)
    np.testing.assert_array_equal(moved, image)
    assert moved.transpose(2, 0, 1).flags.c_contiguous


def test_views_use_them():
    """Through the containers of a config, and packed as the plain transforms pack."""
    color = dict(type="mmdet.RandAugment", aug_space=[[dict(type="mmdet.Equalize")]], aug_num=1)
    with DefaultScope.overwrite_default_scope("mmdet"):
        views = WeakStrongViews(dict(sup=[color, dict(type="mmdet.PackDetInputs")]))
    image = next(iter(images())).repeat(3, 0)
    image[:4] = 12
    expected = dict(img=image.copy())
    boxes.Equalize()._transform_img(expected, 1.0)
    seen = []
    original = color_tables.cv2.LUT
    color_tables.cv2.LUT = lambda *arguments: seen.append(1) or original(*arguments)
    try:
        given = dict(img=image.copy(), img_shape=image.shape[:2], img_id=0, img_path="a")
        packed = views(given)["inputs"]["sup"]
    finally:
        color_tables.cv2.LUT = original
    assert seen
    np.testing.assert_array_equal(packed.numpy(), expected["img"].transpose(2, 0, 1))
