"""AugSeg's intensities: what each does, and how many are drawn."""

import numpy as np
import pytest

from ssdet.datasets import RandomIntensity
from ssdet.datasets.random_intensity import _CHANGES, AUGSEG

RED = np.zeros((4, 4, 3), np.uint8)
RED[..., 2] = 200  # images are BGR


def changed(name, image, drawn, monkeypatch):
    monkeypatch.setattr(np.random, "random", lambda: drawn)
    monkeypatch.setattr(np.random, "randint", lambda *_, **given: np.zeros(1, int) if given else 1)
    return RandomIntensity(1, operations=[name]).transform(dict(img=image))["img"]


def gray(*values):
    return np.array(values, np.uint8).reshape(1, -1, 1).repeat(3, 2)


@pytest.mark.parametrize(
    ("name", "drawn", "before", "after"),
    [
        ("brightness", 0.5, (100, 200), (50, 100)),  # .95 - .9 * .5 = .5
        ("brightness", 0.0, (100, 200), (95, 190)),
        ("posterize", 0.0, (255, 3), (254, 2)),  # 7 bits
        ("posterize", 1.0, (255, 3), (240, 0)),  # 4 bits
        ("solarize", 0.0, (254, 255), (254, 0)),  # from 255 on
        ("solarize", 1.0, (0, 1), (0, 254)),  # from 1 on
        ("invert", 0.3, (0, 255), (255, 0)),
        ("identity", 0.7, (3, 7), (3, 7)),
        ("autocontrast", 0.0, (51, 102), (0, 255)),
        ("contrast", 1.0, (0, 200), (95, 105)),  # 5 % around the mean of 100
    ],
)
def test_each_strength_by_hand(name, drawn, before, after, monkeypatch):
    found = changed(name, gray(*before), drawn, monkeypatch)
    assert found[0, :, 0].tolist() == list(after)


def test_colors_stay_in_their_channels(monkeypatch):
    assert np.array_equal(changed("identity", RED, 0.5, monkeypatch), RED)
    paler = changed("color", RED, 0.5, monkeypatch)
    assert paler[0, 0, 2] < 200 and 0 < paler[0, 0, 0] == paler[0, 0, 1]
    assert np.array_equal(changed("hue", RED, 0.5, monkeypatch), RED)  # no turn
    turned = changed("hue", RED, 0.5 + 1 / 3, monkeypatch)  # a third of a circle: green
    assert turned[0, 0].argmax() == 1


def test_a_blur_is_at_most_two_pixels_wide(monkeypatch):
    image = np.zeros((21, 21, 3), np.uint8)
    image[10, 10] = 255
    weak, strong = (changed("blur", image, drawn, monkeypatch)[10, 10, 0] for drawn in (0.0, 1.0))
    assert weak > 200 > 30 > strong


def test_one_to_three_are_drawn_with_replacement(monkeypatch):
    np.random.seed(0)
    used = []
    monkeypatch.setitem(_CHANGES, "invert", lambda image, _: used.append("invert") or image)
    counts = set()
    for _ in range(60):
        used.clear()
        RandomIntensity(3, operations=["invert"]).transform(dict(img=RED))
        counts.add(len(used))
    assert counts == {1, 2, 3}
    used.clear()
    RandomIntensity(2, operations=["invert"], random_number=False).transform(dict(img=RED))
    assert len(used) == 2


def test_all_give_eight_bits_of_the_same_size():
    assert len(AUGSEG) == 11 and "invert" not in AUGSEG
    np.random.seed(0)
    image = np.random.rand(5, 7, 3).astype(np.float32) * 300
    for name in _CHANGES:
        found = RandomIntensity(operations=[name]).transform(dict(img=image.copy()))["img"]
        assert found.shape == (5, 7, 3) and found.dtype == np.uint8


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(max_ops=0), "max_ops=0"),
        (dict(operations=["rotate"]), r"operations=\['rotate'\]: take some of \['identity'"),
        (dict(operations=[]), r"operations=\[\]"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=f"RandomIntensity: {says}"):
        RandomIntensity(**settings)
