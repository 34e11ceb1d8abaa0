"""Labels of demo scenes with gaps: what is hidden, and what a stroke says."""

import numpy as np
import pytest

from ssdet.datasets.demo.imperfect_labels import ConfuseDigits, HideDigits, ScribbleDigits


def scene(number, count=5):
    """A scene of digits that are told apart by their boxes."""
    found = [{"bbox": [n, 0, n + 1, 1], "bbox_label": n, "ignore_flag": 0} for n in range(count)]
    return {"img_id": number, "instances": found}


def test_hidden_digits_are_left_out_and_the_scene_says_so():
    kept = 0
    for number in range(200):
        done = HideDigits(share=0.7).transform(scene(number))
        kept += len(done["instances"])
        assert done["exhaustive"] == ()
        assert done["instances"] == HideDigits(share=0.7).transform(scene(number))["instances"]
    assert 240 < kept < 360  # 300 of 1,000; the deviation is 14
    assert HideDigits(share=1.0).transform(scene(0))["instances"] == []


def test_known_places_of_hidden_digits_are_regions_to_ignore():
    for number in range(20):
        whole, known = scene(number), HideDigits(share=0.5, known=True).transform(scene(number))
        without = HideDigits(share=0.5).transform(scene(number))["instances"]
        assert [one for one in known["instances"] if not one["ignore_flag"]] == without
        assert [one["bbox"] for one in known["instances"]] == [
            one["bbox"] for one in whole["instances"]
        ]


def test_confused_digits_have_another_label_each_time_the_same():
    wrong = 0
    for number in range(200):
        whole, done = (
            [one["bbox_label"] for one in found["instances"]]
            for found in (scene(number), ConfuseDigits(5, 0.2).transform(scene(number)))
        )
        wrong += sum(one != other for one, other in zip(whole, done, strict=True))
        assert set(done) <= set(range(5)) and len(done) == 5
        again = ConfuseDigits(5, 0.2).transform(scene(number))["instances"]
        assert [one["bbox_label"] for one in again] == done
    assert 160 < wrong < 240  # 200 of 1,000; the deviation is 13


def test_confused_pixels_are_those_of_a_class_and_never_background():
    truth = np.array([[0, 1, 2, 255]], np.uint8)
    done = ConfuseDigits(2, 1.0).transform({"img_id": 3, "gt_seg_map": truth})["gt_seg_map"]
    assert done.tolist() == [[0, 2, 1, 255]] and truth.tolist() == [[0, 1, 2, 255]]
    same = ConfuseDigits(2, 0.0).transform({"img_id": 3, "gt_seg_map": truth})["gt_seg_map"]
    assert same.tolist() == truth.tolist()


def test_a_stroke_lies_in_its_class():
    truth = np.zeros((32, 32), np.uint8)
    truth[8:24, 8:24] = 2
    truth[0] = 255
    done = ScribbleDigits(length=6).transform({"img_id": 3, "gt_seg_map": truth})["gt_seg_map"]
    assert set(np.unique(done)) == {0, 2, 255}
    drawn = done != 255
    assert (done[drawn] == truth[drawn]).all()
    assert 2 <= drawn.sum() <= 14  # seven pixels of each class at most


def test_what_they_refuse():
    with pytest.raises(ValueError, match=r"HideDigits: share=2 is not in \[0, 1\]"):
        HideDigits(2)
    with pytest.raises(ValueError, match=r"ConfuseDigits: share=2 is not in \[0, 1\]"):
        ConfuseDigits(3, 2)
    with pytest.raises(ValueError, match="ConfuseDigits: classes=1"):
        ConfuseDigits(1)
    with pytest.raises(ValueError, match="classes=2, but a scene shows 5 or more; give the number"):
        ConfuseDigits(2).transform(scene(0))
    with pytest.raises(ValueError, match="classes=2, but a scene shows 3 or more"):
        ConfuseDigits(2).transform({"img_id": 0, "gt_seg_map": np.array([[0, 3]], np.uint8)})
    with pytest.raises(ValueError, match="ScribbleDigits: length=0"):
        ScribbleDigits(0)
