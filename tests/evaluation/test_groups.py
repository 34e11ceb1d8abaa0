"""Numbers of each kind of picture, counted by hand."""

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from ssdet.evaluation import GroupedMetric
from ssdet.evaluation.groups import appearance

LOOKS = dict(
    dark=dict(brightness=(0, 100)),
    stained=dict(brightness=(100, 256), color=(16, 256)),
    bright=dict(brightness=(100, 256)),
)


def picture(*channels):
    """Each channel has one value, everywhere."""
    return torch.tensor(channels, dtype=torch.uint8)[:, None, None].expand(3, 2, 4)


def sample(prediction, truth, path="a.jpg"):
    found = SegDataSample(metainfo=dict(img_path=path))
    found.pred_sem_seg = PixelData(data=torch.tensor([prediction]))
    found.gt_sem_seg = PixelData(data=torch.tensor([truth]))
    return found


def evaluated(groups, batches, metric="IoUMetric"):
    inner = dict(type=metric, **(dict(boundary=None) if metric == "SegmentationMetric" else {}))
    evaluator = Evaluator([dict(type="GroupedMetric", metric=inner, groups=groups)])
    evaluator.dataset_meta = dict(classes=("background", "cell"))
    size = 0
    for images, samples in batches:
        size += len(samples)
        evaluator.process(samples, None if images is None else dict(inputs=images))
    return evaluator.evaluate(size)


RIGHT, WRONG = [[0, 0, 1, 1]], [[1, 1, 0, 0]]


def test_brightness_and_color_of_a_picture():
    half = torch.zeros(3, 2, 4, dtype=torch.uint8)
    half[0, :, :2] = 120  # 120 in a sixth of the values; a difference of 120 in half of the pixels
    assert appearance(half) == {"brightness": 20.0, "color": 60.0}
    assert appearance(picture(10, 250, 100))["color"] == 240  # no overflow of bytes


@pytest.mark.parametrize("metric", ["IoUMetric", "SegmentationMetric"])
def test_each_group_has_its_own_numbers(metric):
    """Dark: all right. Stained: all wrong. Bright: one pixel too many, (2/3 + 1/2) / 2.

    Whole: 2 + 0 + 2 pixels of the background and 2 + 0 + 1 of cells are right, of unions of
    2 + 4 + 3 and 2 + 4 + 2.
    """
    first = (
        [picture(9, 9, 9), picture(240, 180, 220)],
        [sample(RIGHT, RIGHT), sample(WRONG, RIGHT)],
    )
    second = ([picture(200, 200, 210)], [sample([[0, 0, 1, 1]], [[0, 0, 0, 1]])])
    found = evaluated(LOOKS, [first, second], metric)
    assert found["dark/mIoU"] == 100 and found["stained/mIoU"] == 0
    assert found["bright/mIoU"] == pytest.approx(100 * (2 / 3 + 1 / 2) / 2, abs=0.01)
    assert found["mIoU"] == pytest.approx(100 * (4 / 9 + 3 / 8) / 2, abs=0.01)
    assert next(iter(found)) == "aAcc", "the whole comes first"


def test_a_group_without_an_image_has_no_number():
    found = evaluated(LOOKS, [([picture(0, 0, 0)], [sample(RIGHT, RIGHT)])])
    assert {key.partition("/")[0] for key in found if "/" in key} == {"dark"}


def test_groups_by_list_files_need_no_pixels(tmp_path):
    (tmp_path / "rare.txt").write_text("b\nc.png\n")
    samples = [
        sample(RIGHT, RIGHT, "x/a.jpg"),
        sample(WRONG, RIGHT, "x/b.jpg"),
        sample(WRONG, RIGHT, "x/c.png"),
        sample(RIGHT, RIGHT, "x/c.jpg"),
    ]
    found = evaluated(dict(rare=str(tmp_path / "rare.txt")), [(None, samples[:3])])
    assert found["rare/mIoU"] == 0
    assert found["mIoU"] == pytest.approx(100 * 2 / (2 + 4 + 4), abs=0.01)
    found = evaluated(dict(rare=str(tmp_path / "rare.txt")), [(None, samples)])
    assert found["rare/mIoU"] == 0, "the list says c.png, not c.jpg"


def test_a_look_without_pixels_is_refused():
    with pytest.raises(ValueError, match="no `inputs`"):
        evaluated(LOOKS, [(None, [sample(RIGHT, RIGHT)])])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(groups={}), "groups is empty"),
        (dict(groups=dict(a=dict(shine=(0, 1)))), "'shine'.*brightness and color"),
        (dict(groups=dict(a=dict(color=(9, 1)))), r"\(low, high\)"),
        (dict(groups=LOOKS, metric=dict(type="mmdet.CocoMetric")), "CocoMetric does not count"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=f"GroupedMetric: .*{says}"):
        GroupedMetric(**{"metric": dict(type="IoUMetric"), **settings})
