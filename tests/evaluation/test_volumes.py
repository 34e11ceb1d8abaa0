"""Dice, Jaccard, HD95 and ASD of volumes: by hand, by loops, and as medpy and MONAI give them."""

import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from ssdet.evaluation import VolumeMetric, overlap
from ssdet.formats import DataError

from . import cases

REFERENCES = json.loads((Path(__file__).parent / "references.json").read_text())["volumes"]
VOLUMES = cases.volumes()


def samples(name, prediction, truth, folder="data/acdc"):
    for number, (found, true) in enumerate(zip(prediction, truth, strict=True), start=1):
        sample = SegDataSample(metainfo=dict(img_path=f"{folder}/{name}_slice_{number}.png"))
        sample.pred_sem_seg = PixelData(data=torch.from_numpy(found)[None].long())
        sample.gt_sem_seg = PixelData(data=torch.from_numpy(true)[None].long())
        yield sample


def evaluate(volumes, classes=cases.VOLUME_CLASSES, **settings):
    evaluator = Evaluator(dict(type="VolumeMetric", **settings))
    evaluator.dataset_meta = dict(classes=classes)
    count = 0
    for volume in volumes:
        for sample in samples(*volume):
            evaluator.process([sample])
            count += 1
    return evaluator.evaluate(count)


def test_a_square_moved_by_one_column():
    """One slice: all 9 pixels of both squares are surface, 6 of them are common.

    Of the distances 6 x 0 and 3 x 1 in each direction, the mean is 1/3 and the 95th percentile 1.
    """
    maps = np.zeros((2, 1, 6, 8), bool)
    maps[0, 0, 1:4, 1:4] = maps[1, 0, 1:4, 2:5] = True
    assert overlap(*maps) == pytest.approx((2 / 3, 1 / 2, 1, 1 / 3))
    assert overlap(*maps, spacing=(9, 1, 0.5)) == pytest.approx((2 / 3, 1 / 2, 0.5, 1 / 6))


def test_slices_lie_as_far_apart_as_the_spacing_says():
    maps = np.zeros((2, 4, 3, 3), bool)
    maps[0, 0, 1, 1] = maps[1, 3, 1, 1] = True
    assert overlap(*maps) == (0, 0, 3, 3)
    assert overlap(*maps, spacing=(5, 1, 1)) == (0, 0, 15, 15)


def brute_force(prediction, truth, spacing):
    """Every surface voxel with every other one, in plain loops."""

    def surface(mask):
        found = []
        for place in zip(*np.nonzero(mask), strict=True):
            for axis, step in product(range(3), (-1, 1)):
                beside = list(place)
                beside[axis] += step
                inside = all(0 <= x < n for x, n in zip(beside, mask.shape, strict=True))
                if not inside or not mask[tuple(beside)]:
                    found.append(place)
                    break
        return found

    def nearest(ones, others):
        def length(a, b):
            return math.sqrt(sum(((x - y) * s) ** 2 for x, y, s in zip(a, b, spacing, strict=True)))

        return [min(length(a, b) for b in others) for a in ones]

    ours, theirs = surface(prediction), surface(truth)
    there, back = nearest(ours, theirs), nearest(theirs, ours)
    return np.percentile(there + back, 95), sum(there) / len(there)


def test_distances_equal_those_of_plain_loops():
    volume = VOLUMES[1]
    masks = volume.prediction == 2, volume.truth == 2
    found = overlap(*masks, volume.spacing)
    assert (found.hd95, found.asd) == pytest.approx(brute_force(*masks, volume.spacing), abs=1e-9)


def test_the_references_are_those_of_the_cases():
    assert REFERENCES["cases"] == cases.checksum(VOLUMES)


@pytest.mark.parametrize("volume", VOLUMES, ids=lambda v: v.name)
@pytest.mark.parametrize(("package", "precision"), [("medpy", 1e-9), ("monai", 1e-6)])
def test_as_the_packages_give_them(volume, package, precision):
    for label, expected in zip((1, 2, 3), REFERENCES[package][volume.name], strict=True):
        masks = volume.prediction == label, volume.truth == label
        found = overlap(*masks, volume.spacing, package)
        if expected is None:
            assert math.isnan(found.hd95) and math.isnan(found.asd)
            continue
        for key, value in expected.items():
            if key == "hd95_voxels":
                assert overlap(*masks).hd95 == pytest.approx(value, abs=precision)
            else:
                assert getattr(found, key) == pytest.approx(value, rel=precision, abs=precision)


def mean(values):
    known = [value for value in values if value is not None]
    return sum(known) / len(known)


def test_means_over_the_volumes_and_then_over_the_classes(tmp_path):
    """Of class 1 one volume has nothing to find but something found: Dice 0, and no distance."""
    table = tmp_path / "spacings.csv"
    rows = [",".join([v.name, *map(str, v.spacing)]) for v in VOLUMES]
    table.write_text("\n".join(["volume,z,y,x", *rows]))
    found = evaluate([v[:1] + v[2:] for v in VOLUMES], spacing=str(table))
    of = {
        key: [[s and s[key] for s in REFERENCES["medpy"][v.name]] for v in VOLUMES]
        for key in ("dice", "jaccard", "hd95", "asd")
    }
    for key in ("dice", "jaccard"):
        of[key][2][0] = of[key][1][2] = 0.0  # invented, missed; number 3 is not there at all in 3
        expected = 100 * mean([mean(column) for column in zip(*of[key], strict=True)])
        assert found[f"volume/m{key.capitalize()}"] == pytest.approx(expected, abs=1e-6)
    for key in ("hd95", "asd"):
        expected = mean([mean(column) for column in zip(*of[key], strict=True)])
        assert found[f"volume/m{key.upper()}"] == pytest.approx(expected, abs=1e-6)


def test_the_order_of_the_slices_does_not_matter_and_their_number_does():
    volume = VOLUMES[0]
    evaluator = Evaluator(dict(type="VolumeMetric", spacing=volume.spacing))
    evaluator.dataset_meta = dict(classes=cases.VOLUME_CLASSES)
    slices = list(samples(volume.name, volume.prediction, volume.truth))
    evaluator.process([slices[n] for n in (3, 0, 5, 1, 4, 2)])
    found = evaluator.evaluate(6)
    assert found == evaluate([volume[:1] + volume[2:]], spacing=volume.spacing)


def test_what_is_empty_is_said(monkeypatch):
    said = []
    monkeypatch.setattr("ssdet.evaluation.volumes.print_log", lambda text, _: said.append(text))
    nothing, heart = np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8), np.uint8)
    heart[:, 2:5, 2:5] = 1
    classes = ("background", "heart")
    assert evaluate([("a", nothing, heart)], classes) == {"volume/mDice": 0, "volume/mJaccard": 0}
    assert "heart: no distance in 1 of 1 volumes" in said[-1]
    assert evaluate([("a", nothing, nothing)], classes) == {}
    both = evaluate([("a", nothing, nothing), ("b", heart, heart)], classes)
    assert both == {
        "volume/mDice": 100, "volume/mJaccard": 100, "volume/mHD95": 0, "volume/mASD": 0,
    }  # fmt: skip


def test_ignored_pixels_do_not_count():
    truth, found = np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8), np.uint8)
    truth[:, 2:5, 2:5] = found[:, 2:5, 2:5] = 1
    found[:, 7], truth[:, 7] = 1, 255
    assert evaluate([("a", found, truth)], ("background", "heart"))["volume/mDice"] == 100


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ([1, 2, 4], "with a gap: found slice 4 after slice 2"),
        ([1, 1], "is there twice"),
    ],
)
def test_volumes_that_are_not_whole_are_refused(numbers, says):
    metric = VolumeMetric()
    metric.dataset_meta = dict(classes=("background", "heart"))
    labels = np.zeros((4, 8, 8), np.uint8)
    slices = [s.to_dict() for s in samples("a", labels, labels)]
    with pytest.raises(DataError, match=says):
        metric.process({}, [slices[n - 1] for n in numbers])
        metric.evaluate(len(numbers))


def test_names_that_say_no_volume_are_refused():
    metric = VolumeMetric()
    sample = SegDataSample(metainfo=dict(img_path="data/7.png"))
    with pytest.raises(DataError, match=r"data/7.png: slice of an unknown.*Set VolumeMetric"):
        metric.process({}, [sample.to_dict()])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(volume="(patient)"), "has 1 groups; give two"),
        (dict(volume="(patient"), "is no regular expression"),
        (dict(spacing=(1, 0, 1)), "is no size of a voxel"),
        (dict(convention="itk"), r"convention='itk' is not one of \['medpy', 'monai'\]"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=says):
        VolumeMetric(**settings)
