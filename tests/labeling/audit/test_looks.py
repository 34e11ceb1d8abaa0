"""What images say of each other: look-alikes, leaks, foreign ones, patterns; and the views."""

from types import SimpleNamespace

import numpy as np
import pytest
from mmdet.structures import DetDataSample

from ssdet.doctor.near import near_twins
from ssdet.doctor.pictures import Picture
from ssdet.labeling.audit import Audit, Boxes
from ssdet.labeling.audit.examine import _flips
from ssdet.labeling.audit.findings import Look
from ssdet.labeling.audit.images import as_picture
from ssdet.labeling.audit.judge import Found, _mirrored, _scaled
from ssdet.labeling.audit.looks import compare
from ssdet.labeling.audit.words import next_steps, shifted

USUAL = (100.0, 50.0, 20.0, 3.0, 9.7, 0.0)


def look(role, number, features, *, bits=None, pattern=1.0, statistics=USUAL):
    """An image that was looked at."""
    picture = Picture(bits, pattern, ".png", statistics)
    return Look(SimpleNamespace(role=role), number, f"{role}/{number}.png", features, picture)


def cloud(role, count, middle, draw, **more):
    """Images whose features lie around a point."""
    points = np.array(middle) + 0.1 * draw.normal(size=(count, len(middle)))
    return [look(role, n, point, **more) for n, point in enumerate(points)]


def compared(looks):
    """What an audit says of them."""
    result = Audit("config.py", ["a.pth"], ("a",), False)
    compare(looks, result)
    return result


@pytest.fixture
def usual():
    """Thirty labeled and forty unlabeled images of one kind."""
    draw = np.random.default_rng(0)
    middle = [1.0, 1.0, 1.0, 1.0]
    return cloud("labeled", 30, middle, draw) + cloud("unlabeled", 40, middle, draw)


def test_images_of_one_kind_give_no_finding(usual):
    found = compared(usual)
    assert found.twins == [] and found.odd == [] and found.differs == []
    assert found.shift.share > 0.05
    assert "one kind" in shifted(found)
    assert next_steps(found, "audit") == ["Nothing asks for your attention."]


def test_a_foreign_image_is_found_and_so_is_a_group_of_them(usual):
    away = [look("unlabeled", 100 + n, np.array([3.0, -3.0, 0.1 * n, 0.0])) for n in range(3)]
    found = compared(usual + away)
    assert {odd.look.place for odd in found.odd} == {100, 101, 102}
    assert {odd.kind for odd in found.odd} == {"foreign"}


def test_a_pattern_is_found_among_those_of_its_format(usual):
    found = compared([*usual, look("unlabeled", 100, np.ones(4), pattern=9.0)])
    (odd,) = found.odd
    assert (odd.kind, odd.look.place) == ("pattern", 100)


def test_a_shift_says_what_differs(usual):
    draw = np.random.default_rng(1)
    dark = (10.0, *USUAL[1:])
    other = cloud("unlabeled", 40, [1.0, 1.0, -1.0, 1.0], draw, statistics=dark)
    found = compared([one for one in usual if one.role == "labeled"] + other)
    assert found.shift.share < 0.05
    assert found.differs == ["less brightness"]
    assert "less brightness" in shifted(found)


def test_look_alikes_are_pairs_and_those_across_the_validation_are_leaks():
    near, far = 0b1111, (1 << 63) | (1 << 40) | (1 << 30) | (1 << 20) | (1 << 10) | 1
    looks = [
        look("labeled", 0, None, bits=near),
        look("unlabeled", 0, None, bits=near ^ 1),
        look("unlabeled", 1, None, bits=far),
        look("validation", 0, None, bits=far),
    ]
    for one in looks:
        one.features = np.ones(2)
    found = compared(looks)
    pairs = [{twins.first.path, twins.second.path} for twins in found.twins]
    assert pairs == [
        {"unlabeled/1.png", "validation/0.png"},  # leaks come first
        {"labeled/0.png", "unlabeled/0.png"},
    ]
    assert len(found.leaks) == 1
    assert next_steps(found, "audit")[0].startswith("Take 1 image out of the validation data")


def test_one_file_in_two_parts_is_a_pair_even_if_it_is_blank():
    one, other = look("labeled", 0, np.ones(2)), look("validation", 0, np.ones(2))
    other.path = one.path
    (twins,) = compared([one, other]).twins
    assert twins.leak


def test_twins_within_a_part_are_found_once():
    bits = np.array([7, 1 << 50 | 7 << 20, 7, 7 ^ 1], np.uint64)
    assert near_twins(bits) == [(2, 0), (3, 0)]
    assert near_twins(bits[:0]) == []


# ---------------------------------------------------------------------- views


def test_a_mirrored_box_is_turned_back():
    boxes = Boxes(np.array([[10.0, 5.0, 20.0, 15.0]]), np.array([0]), np.array([0.5]))
    turned = _mirrored(Found(np.zeros(1), boxes), 100)
    assert turned.boxes.bboxes.tolist() == [[80.0, 5.0, 90.0, 15.0]]
    pixels = np.array([[[0.1, 0.9]]])
    assert _mirrored(Found(np.zeros(1), probabilities=pixels), 2).probabilities.tolist() == [
        [[0.9, 0.1]]
    ]


def test_a_smaller_view_knows_how_much_smaller_than_the_image_it_is():
    sample = DetDataSample(metainfo=dict(scale_factor=(2.0, 2.0), img_shape=(64, 128)))
    smaller = _scaled(sample, [48, 96], [64, 128])
    assert smaller.scale_factor == (1.5, 1.5)
    assert smaller.img_shape == (48, 96)
    assert sample.scale_factor == (2.0, 2.0)


def test_images_are_mirrored_only_if_the_training_does_so():
    assert _flips(dict(train=dict(pipeline=[dict(type="RandomFlip", prob=0.5)])))
    assert not _flips(dict(train=dict(pipeline=[dict(type="Resize")])))


def test_any_image_becomes_a_picture():
    deep = np.array([[[0], [65535]]], np.uint16)
    assert as_picture(deep).tolist() == [[[0, 0, 0], [255, 255, 255]]]
    six = np.arange(6, dtype=np.uint8).reshape(1, 1, 6)
    assert as_picture(six).tolist() == [[[0, 1, 2]]]
