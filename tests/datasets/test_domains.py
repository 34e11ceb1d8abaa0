"""The demo scenes in another domain."""

import numpy as np
import pytest

from ssdet.datasets import DigitScenes, LoadDigitScene
from ssdet.datasets.demo.domains import FOG

DATA = DigitScenes(count=4, labeled=2, image_size=64)


def scene(domain, number=1):
    return LoadDigitScene(domain).transform(DATA.get_data_info(number))


@pytest.mark.parametrize("domain", ["fog", "noise", "checks"])
def test_a_scene_has_another_look_the_same_labels_and_is_repeatable(domain):
    clear, shifted, again = scene("clear"), scene(domain), scene(domain)
    assert shifted["img"].dtype == np.uint8 and shifted["img"].shape == clear["img"].shape
    assert np.array_equal(shifted["img"], again["img"])
    assert np.abs(shifted["img"].astype(int) - clear["img"]).mean() > 20
    assert shifted["instances"] == clear["instances"]
    assert not np.array_equal(shifted["img"], scene(domain, 2)["img"])


def test_fog_is_thicker_at_the_top():
    distance = np.abs(scene("fog")["img"].astype(int) - FOG).mean((1, 2))
    clear = np.abs(scene("clear")["img"].astype(int) - FOG).mean((1, 2))
    left = distance / clear  # how much of the scene is left in each row
    assert 0.19 < left[0] < 0.42 and 0.58 < left[-1] < 0.82


def test_other_backgrounds_leave_the_digits():
    info = DATA.get_data_info(1)
    inside = info["scene"].open().masks.any(0)
    clear, shifted = scene("clear")["img"], scene("checks")["img"]
    assert np.array_equal(clear[inside], shifted[inside])
    assert not np.array_equal(clear[~inside], shifted[~inside])


def test_an_unknown_domain_is_refused():
    with pytest.raises(ValueError, match="LoadDigitScene: domain='snow' is not one of"):
        LoadDigitScene("snow")
