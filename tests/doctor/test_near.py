"""Pictures that were saved again are found in another part of the data, others are left alone."""

import io
import json

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from ssdet import doctor
from ssdet.datasets import DigitScenes
from ssdet.doctor import near
from ssdet.doctor.near import near_pairs
from ssdet.doctor.pictures import look_at

from . import place


def photograph(seed, size=(160, 120)):
    """Structure of every size, as in a photograph."""
    bits = np.random.RandomState(seed)
    canvas = np.zeros((size[1], size[0], 3), np.float32)
    for cells in (3, 6, 12, 40):
        grid = bits.rand(cells, cells, 3).astype(np.float32)
        small = [
            Image.fromarray(grid[..., c]).resize(size, Image.Resampling.BICUBIC) for c in range(3)
        ]
        canvas += np.stack([np.asarray(s) for s in small], -1) / cells**0.5
    canvas = (canvas - canvas.min()) / (canvas.max() - canvas.min())
    return Image.fromarray((canvas * 255).astype(np.uint8))


def scene(seed):
    """A picture of the demo set."""
    scenes = DigitScenes(count=seed + 1, image_size=96, pipeline=[dict(type="LoadDigitScene")])
    return Image.fromarray(scenes[seed]["img"][..., ::-1].copy())


def again(image, quality=75, scale=1.0, format="JPEG"):
    stream = io.BytesIO()
    size = [round(side * scale) for side in image.size]
    image.resize(size, Image.Resampling.BICUBIC).save(stream, format, quality=quality)
    return Image.open(stream)


CHANGES = {
    "jpeg 90": lambda image: again(image, 90),
    "jpeg 50": lambda image: again(image, 50),
    "half": lambda image: again(image, 85, 0.5),
    "larger": lambda image: again(image, 85, 1.4),
    "webp": lambda image: again(image, 80, format="WEBP"),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
}


def hash_of(image, folder):
    image.save(folder / "a.png")
    return look_at(str(folder / "a.png")).bits


@pytest.mark.parametrize("kind", [photograph, scene])
def test_copies_are_found_and_others_are_not(tmp_path, kind):
    originals = [kind(seed) for seed in range(40)]
    hashes = np.array([hash_of(image, tmp_path) for image in originals], np.uint64)
    for name, change in CHANGES.items():
        copies = np.array([hash_of(change(i), tmp_path) for i in originals], np.uint64)
        found = near_pairs(copies, hashes)
        assert sum(one == other for one, other in found) >= 0.95 * 40, name
        assert all(one == other for one, other in found), name
    other = np.array([hash_of(kind(seed), tmp_path) for seed in range(40, 80)], np.uint64)
    assert near_pairs(other, hashes) == []


@pytest.mark.parametrize("chunk", [7, 1 << 20])
def test_all_pairs_within_four_bits_and_no_others(monkeypatch, chunk):
    monkeypatch.setattr(near, "_CHUNK", chunk)
    bits = np.random.RandomState(0)
    second = bits.randint(0, 2**63, 200).astype(np.uint64)
    distances = np.arange(200) % 9
    first = second.copy()
    for place_, distance in enumerate(distances):
        for bit in bits.permutation(64)[:distance]:
            first[place_] ^= np.uint64(1) << np.uint64(bit)
    found = near_pairs(first, second)
    assert found == [(n, n) for n in range(200) if distances[n] <= 4]
    assert near_pairs(first[:0], second) == near_pairs(first, second[:0]) == []


def test_blank_pictures_are_like_nothing(tmp_path):
    assert hash_of(Image.new("RGB", (64, 48), (9, 9, 9)), tmp_path) is None
    assert look_at(str(tmp_path / "missing.png")) is None


def test_the_doctor_names_both(tmp_path):
    root = place.build(tmp_path / "data")
    photograph(1).save(root / "val" / "100.jpg", quality=95)
    again(photograph(1), 60).save(root / "unlabeled" / "203.jpg")
    place.change(root, "val", lambda c: c["images"][0].update(width=160, height=120))
    found = doctor.examine_config(place.detection(root), full=True, workers=1).found
    (issue,) = [f for f in found if f.subject == "splits"]
    assert issue.severity == "warning" and issue.where.endswith("unlabeled/203.jpg")
    assert issue.what == "unlabeled image in the validation data, by its looks"
    assert "looks like" in issue.found and "val/100.jpg" in issue.found
    assert not [
        f for f in doctor.examine_config(place.detection(root)).found if f.subject == "splits"
    ]


def test_equal_files_are_told_once(tmp_path):
    root = place.build(tmp_path / "data")
    photograph(1).save(root / "val" / "100.jpg")
    (root / "unlabeled" / "203.jpg").write_bytes((root / "val" / "100.jpg").read_bytes())
    place.change(root, "val", lambda c: c["images"][0].update(width=160, height=120))
    config = place.detection(root)
    found = doctor.examine_config(config, full=True, workers=1).of("error", "warning")
    assert [f.what for f in found] == ["unlabeled image in the validation data"]
    assert json.dumps([f.found for f in found]).count("the same content") == 1
