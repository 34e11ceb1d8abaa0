"""What changed between two label maps: objects that come and go, from files and in the demo."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from ssdet.datasets import (
    DigitChangeEvents,
    DigitScenePairs,
    LoadChangeEvents,
    LoadDigitPair,
    PackExternalLabels,
    change_events,
)
from ssdet.formats import DataError
from ssdet.hooks._parts.fading_labels import external_labels
from ssdet.teacher_student.step import Views

EARLIER = """
    11..11..
    11..11..
    ........
    ...11.?1
"""
LATER = """
    ....111.
    ....111.
    11......
    11.....1
"""


def drawn(text):
    rows = text.split()
    return np.array([[{".": 0, "1": 1, "?": 255}[c] for c in row] for row in rows], np.uint8)


def test_objects_without_a_counterpart_have_changed():
    """Two went, one came, one has another outline, which is no change; a pixel is unknown."""
    events = change_events(drawn(EARLIER), drawn(LATER))
    wanted = """
        11......
        11......
        11......
        11.11.?.
    """
    assert events.tolist() == drawn(wanted).tolist()
    assert change_events(drawn(LATER), drawn(EARLIER)).tolist() == events.tolist()


def test_a_small_overlap_may_be_no_counterpart():
    """4 pixels of 4 + 6 - 4 are shared: an IoU of 2/3. What has another label then has changed."""
    for overlap, changed in ((0.66, 0), (0.67, 2)):
        events = change_events(drawn(EARLIER), drawn(LATER), overlap)
        assert (events[:2, 4:] == 1).sum() == changed
        assert not events[:2, 4:6].any()


def test_the_overlaps_with_several_objects_add_up():
    """A long object (6 pixels) lies on two of 2: IoUs of 1/3 each, together 2/3."""
    long = drawn("111111 ......")
    two = drawn("11..11 ......")
    assert change_events(long, two, 0.66).sum() == 0
    assert change_events(long, two, 0.67).sum() == 2  # the gap, which belongs to the long one


@pytest.fixture
def folder(tmp_path):
    """Maps of six classes, of which 0 and 1 are objects, for pairs/A/x.png."""
    earlier, later = drawn(EARLIER), drawn(LATER)
    for name, labels in (("A", earlier), ("B", later)):
        (tmp_path / name).mkdir()
        coded = np.where(labels == 1, np.arange(8) % 2, 5).astype(np.uint8)
        coded[labels == 255] = 255
        cv2.imwrite(str(tmp_path / name / "x.png"), coded)
    return tmp_path


def load(folder, **options):
    settings = dict(num_classes=6, objects=(0, 1), **options)
    transform = LoadChangeEvents(
        [str(folder / "A"), str(folder / "B")], str(folder / "images"), **settings
    )
    results = {"img_path": str(folder / "images" / "x.jpg"), "ori_shape": (4, 8)}
    return transform(results)


def test_maps_of_both_dates_become_objects_and_events(folder):
    found = load(folder)
    assert found["date_seg_maps"].tolist() == [drawn(EARLIER).tolist(), drawn(LATER).tolist()]
    expected = change_events(drawn(EARLIER), drawn(LATER))
    assert np.array_equal(found["second_seg_map"], expected)
    assert (load(folder, overlap=0.67)["second_seg_map"] == 1).sum() == (expected == 1).sum() + 2


def test_a_missing_map_is_named_or_makes_everything_unknown(folder):
    (folder / "B" / "x.png").unlink()
    with pytest.raises(DataError, match=r"B/x.png.*no such file"):
        load(folder)
    found = load(folder, required=False)
    assert (found["second_seg_map"] == 255).all() and (found["date_seg_maps"][1] == 255).all()
    assert found["date_seg_maps"][0].tolist() == drawn(EARLIER).tolist()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (dict(folders="A"), "folders"),
        (dict(folders=["A"]), "folders"),
        (dict(objects=(2,)), "objects"),
        (dict(objects=()), "objects"),
        (dict(overlap=2), "overlap"),
    ],
)
def test_settings_that_do_not_fit(settings, named):
    with pytest.raises(ValueError, match=f"LoadChangeEvents: {named}="):
        LoadChangeEvents(**{"folders": ["A", "B"], "root": "images", **settings})


def digit_pairs(*pipeline, split="train"):
    options = dict(count=12, labeled=2, image_size=64, digits=(0, 3), objects=(1, 2))
    return DigitScenePairs(split=split, pipeline=pipeline, **options)


def test_an_exact_source_finds_what_changed_in_the_demo():
    """But for digits that touch another one: then both are one object, which was there before."""
    exact, whole = digit_pairs(DigitChangeEvents(0.0, rim=0), LoadDigitPair()), 0
    for number in range(12):
        sample = exact[number]
        events, changed = sample["second_seg_map"], sample["gt_seg_map"]
        assert not (events > changed).any()
        whole += np.array_equal(events, changed)
        earlier, later = sample["date_seg_maps"]
        assert ((earlier != later) <= (changed > 0)).mean() > 0.98
    assert whole >= 5


def test_a_careless_source_sees_changes_where_it_missed_a_digit():
    careless = digit_pairs(DigitChangeEvents(), LoadDigitPair())
    once, again = careless[3], careless[3]
    assert np.array_equal(once["second_seg_map"], again["second_seg_map"])
    assert (once["date_seg_maps"] == 255).any()
    blind = digit_pairs(DigitChangeEvents(missed=1.0), LoadDigitPair())[3]
    assert not blind["second_seg_map"].any() and not blind["date_seg_maps"].any()


def test_the_maps_of_the_dates_reach_the_view():
    with DefaultScope.overwrite_default_scope("mmseg"):
        dataset = digit_pairs(
            DigitChangeEvents(), LoadDigitPair(), PackExternalLabels(), split="unlabeled"
        )
        sample = dataset[0]["data_samples"]
    assert sample.date_sem_seg.data.shape == (2, 64, 64)
    assert sample.second_sem_seg.data.shape == (1, 64, 64)
    shift = np.array([[1, 0, -4], [0, 1, 0], [0, 0, 1.0]])
    sample.set_metainfo(dict(homography_matrix=shift))
    found = external_labels(Views(torch.zeros(1, 6, 64, 64), [sample]), "date_sem_seg")[0]
    assert torch.equal(found[..., :60], sample.date_sem_seg.data[..., 4:].long())
    assert (found[..., 60:] == 255).all()
