"""mIoU, Dice and boundary F-score, counted by hand."""

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from ssdet.evaluation import SegmentationMetric, boundary_counts, mask_edge
from ssdet.evaluation.boundaries import f_score
from ssdet.evaluation.segmentation import inference_of

from ..seg_helpers import build_seg

PROTOCOL = dict(data="VOC12 classic 1/16", resolution="original")


def square(left, size=(8, 10), side=4, label=1):
    """A square of the class 1, its top in row 2."""
    labels = np.zeros(size, dtype=np.int64)
    labels[2 : 2 + side, left : left + side] = label
    return labels


def test_the_edge_of_a_square_is_its_outermost_ring():
    edge = mask_edge(square(3) == 1, np.ones((8, 10), dtype=bool))
    assert edge.sum() == 12 and not edge[3:5, 4:6].any()


def test_neither_the_border_of_the_image_nor_an_ignored_region_makes_an_edge():
    half = np.zeros((6, 6), dtype=bool)
    half[:, :3] = True
    judged = np.ones((6, 6), dtype=bool)
    assert mask_edge(half, judged).sum() == 6  # one column, though the mask touches three borders
    judged[:, 3] = False
    assert mask_edge(half, judged).sum() == 0
    assert mask_edge(~half, judged).sum() == 0


def test_a_square_moved_by_two_pixels():
    """Tolerance 1: of the 12 edge pixels of each square, in rows 2 to 5.

    True columns 2..5, predicted 4..7. Predicted edge pixels within 1 of a true one: rows 2 and 5
    have true edge pixels in the columns 2..5, so 4, 5, 6 are near (3 each); the columns 4 and 7 in
    the rows 3 and 4: column 4 is next to the true column 5 (2), column 7 is not. 3 + 3 + 2 = 8.
    By symmetry 8 true ones are found: P = R = 8/12.
    """
    counts = boundary_counts(square(4), square(2), classes=2, tolerance=1)
    assert [int(field[1]) for field in counts] == [8, 12, 8, 12]
    assert f_score(counts)[1] == pytest.approx(2 / 3)
    everything = boundary_counts(square(4), square(2), classes=2, tolerance=2)
    assert f_score(everything)[1] == 1


def test_distance_is_euclidean():
    """A single pixel and one that is a diagonal step away: distance 1.41."""
    first, second = np.zeros((5, 5), dtype=np.int64), np.zeros((5, 5), dtype=np.int64)
    first[1, 1] = second[2, 2] = 1
    assert f_score(boundary_counts(first, second, classes=2, tolerance=1))[1] == 0
    assert f_score(boundary_counts(first, second, classes=2, tolerance=1.5))[1] == 1


def test_tolerance_as_a_share_of_the_diagonal():
    """30 x 40 pixels: a diagonal of 50; 0.04 of it are 2 pixels, 0.001 still 1."""
    first, second = square(4, (30, 40)), square(6, (30, 40))
    by_share = boundary_counts(first, second, classes=2, tolerance=0.04)
    by_pixels = boundary_counts(first, second, classes=2, tolerance=2)
    for ours, theirs in zip(by_share, by_pixels, strict=True):
        assert np.array_equal(ours, theirs)
    least = boundary_counts(first, second, classes=2, tolerance=0.001)
    assert int(least.hit[1]) == 8


def test_a_class_without_an_edge():
    nothing = np.zeros((4, 4), dtype=np.int64)
    assert np.isnan(f_score(boundary_counts(nothing, nothing, classes=3, tolerance=1))).all()
    truth = np.pad(np.ones((2, 2), dtype=np.int64), 1)
    score = f_score(boundary_counts(nothing, truth, classes=3, tolerance=1))
    assert score[1] == 0 and np.isnan(score[2])


def test_ignored_pixels_are_not_judged():
    truth, prediction = square(2), square(2)
    truth[:, 7:] = 255
    prediction[2:6, 7:9] = 2  # nonsense where nobody looks
    counts = boundary_counts(prediction, truth, classes=3, tolerance=1)
    assert f_score(counts)[1] == 1 and counts.predicted[2] == 0


def sample(prediction, truth):
    found = SegDataSample()
    found.pred_sem_seg = PixelData(data=torch.as_tensor(prediction)[None])
    found.gt_sem_seg = PixelData(data=torch.as_tensor(truth)[None])
    return found.to_dict()


def metric_of(**settings):
    metric = SegmentationMetric(**settings)
    metric.dataset_meta = dict(classes=("background", "square", "never"))
    return metric


def test_the_numbers_of_two_images():
    """Class 1: intersection 8 + 16, union 24 + 16, areas 16 + 16 each; class 0: 56 + 64 of 72 + 64.

    IoU_1 = 24/40, IoU_0 = 120/136; Dice_1 = 48/64, Dice_0 = 240/256. The third class is nowhere.
    """
    metric = metric_of(boundary=1)
    metric.process({}, [sample(square(4), square(2)), sample(square(3), square(3))])
    found = metric.evaluate(2)
    assert found["mIoU"] == pytest.approx(100 * (24 / 40 + 120 / 136) / 2, abs=0.01)
    assert found["mDice"] == pytest.approx(100 * (48 / 64 + 240 / 256) / 2, abs=0.01)
    # Class 1: 8 + 12 of 24 both ways. Class 0: the edge of the background goes around the square.
    edges = boundary_counts(square(4), square(2), classes=1, tolerance=1)
    hit, total = int(edges.hit[0]) + 16, int(edges.predicted[0]) + 16
    assert total == 32
    assert found["mBoundaryF"] == pytest.approx(100 * (20 / 24 + hit / total) / 2, abs=0.01)
    assert found["aAcc"] == pytest.approx(100 * 144 / 160)


def test_without_the_boundary():
    metric = metric_of(boundary=None)
    metric.process({}, [sample(square(4), square(2))])
    assert set(metric.evaluate(1)) == {"aAcc", "mIoU", "mAcc", "mDice"}


def test_the_protocol_is_in_the_log_and_above_the_table(monkeypatch):
    printed = []
    where = "ssdet.evaluation.segmentation.print_log"
    monkeypatch.setattr(where, lambda text, logger: printed.append(text))
    metric = metric_of(protocol=PROTOCOL)
    metric.set_model(build_seg())
    metric.process({}, [sample(square(4), square(2))])
    metric.evaluate(1)
    text = "\n".join(printed)
    assert "protocol: VOC12 classic 1/16 | original | whole image" in text
    assert "boundary tolerance: 0.0075 of the diagonal" in text and "square" in text


def test_how_the_model_looks_at_an_image():
    assert inference_of({}) == inference_of(dict(mode="whole")) == "whole image"
    slide = dict(mode="slide", crop_size=(801, 801), stride=(534, 534))
    assert inference_of(slide) == "windows 801x801, stride 534x534"
    assert metric_of().title == "not named | inference not known"


def test_in_an_evaluator_of_its_name():
    evaluator = Evaluator([dict(type="SegmentationMetric", protocol=PROTOCOL)])
    evaluator.dataset_meta = dict(classes=("background", "square"))
    evaluator.process([sample(square(3), square(3))])
    found = evaluator.evaluate(1)
    assert found["mIoU"] == found["mBoundaryF"] == 100


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(boundary=0), "boundary=0 is not above 0"),
        (dict(protocol=dict(data="VOC")), r"exactly \['data', 'resolution'\]"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=f"SegmentationMetric: .*{says}"):
        SegmentationMetric(**settings)
