"""Counts of right predictions by score, and the images with the most errors, by hand."""

import json

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from ssdet.evaluation.by_score import BINS, QualityByScore
from ssdet.evaluation.worst import SHOWN, WorstImages


def boxes(found, truth, size=(32, 32)):
    """A sample of (box, label, score) and of (box, label)."""
    sample = DetDataSample(metainfo=dict(ori_shape=size, img_shape=size, img_path="a/b.jpg"))
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([b for b, _, _ in found]).float().reshape(-1, 4),
        labels=torch.tensor([label for _, label, _ in found]).long(),
        scores=torch.tensor([score for _, _, score in found]).float(),
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([b for b, _ in truth]).float().reshape(-1, 4),
        labels=torch.tensor([label for _, label in truth]).long(),
    )
    return sample


def pixels(logits, labels):
    sample = SegDataSample(metainfo=dict(img_shape=(2, 2), img_path="c.png"))
    sample.seg_logits = PixelData(data=torch.tensor(logits).float())
    sample.pred_sem_seg = PixelData(data=sample.seg_logits.data.argmax(0, keepdim=True))
    sample.gt_sem_seg = PixelData(data=torch.tensor([labels]))
    return sample


PLACE, OTHER = (0, 0, 10, 10), (20, 20, 30, 30)


def test_boxes_by_their_scores():
    quality = QualityByScore()
    found = [(PLACE, 0, 0.91), (PLACE, 0, 0.5), (OTHER, 1, 0.31)]
    quality.add([boxes(found, [(PLACE, 0), (OTHER, 0)])])
    summary = quality.summary()
    assert summary["truth"] == [2, 0]
    proposed, right = np.array(summary["proposed"]), np.array(summary["right"])
    assert proposed.shape == (2, BINS) and proposed.sum() == 3
    # The second box has the same object as the first; the third has another class.
    assert right[0, int(0.91 * BINS)] == 1 and right.sum() == 1


def test_pixels_by_their_scores():
    quality = QualityByScore()
    high = np.log(9)  # a probability of 0.9
    logits = [[[high, 0], [high, 0]], [[0, 0], [0, high]]]
    quality.add([pixels(logits, [[0, 255], [1, 1]])])
    summary = quality.summary()
    assert summary["truth"] == [1, 2] and quality.unit == "pixels"
    proposed, right = np.array(summary["proposed"]), np.array(summary["right"])
    assert proposed.sum() == 3 and proposed[0].sum() == 2
    assert right[0].sum() == 1 and right[1].sum() == 1
    assert proposed[:, int(0.9 * BINS) - 1 : int(0.9 * BINS) + 1].sum() == 3


def test_labels_in_another_frame_count_nothing():
    quality = QualityByScore()
    quality.add([boxes([(PLACE, 0, 0.9)], [((0, 0, 60, 60), 0)])])
    assert quality.summary() is None
    quality = QualityByScore()
    quality.add([3.0, boxes([(PLACE, 0, 0.9)], [])])
    assert quality.summary() is None


def test_counts_of_two_processes_add_up():
    first, second = QualityByScore(), QualityByScore()
    first.add([boxes([(PLACE, 0, 0.9)], [(PLACE, 0)])])
    second.add([boxes([(PLACE, 2, 0.9)], [(PLACE, 2)])])
    first.merge(second)
    assert first.summary()["truth"] == [1, 0, 1]


def test_the_images_with_the_most_errors_are_drawn(tmp_path):
    worst = WorstImages()
    picture = torch.full((3, 32, 32), 200, dtype=torch.uint8)
    good = boxes([(PLACE, 0, 0.9)], [(PLACE, 0)])
    bad = boxes([(OTHER, 0, 0.9), (OTHER, 0, 0.2)], [(PLACE, 0)])
    for sample in [good] * SHOWN + [bad]:
        worst.add([sample], {"inputs": [picture]})
    assert [score for score, _, _ in worst.entries] == [0.0] + [1.0] * (SHOWN - 1)
    worst.write(tmp_path, {"classes": ("cat",)})
    lines = json.loads((tmp_path / "pseudo/worst.json").read_text())
    assert lines[0]["image"] == "b.jpg" and lines[0]["score"] == 0.0
    assert all((tmp_path / "pseudo" / panel["file"]).is_file() for panel in lines[0]["panels"])


def test_pixels_are_drawn_too(tmp_path):
    worst = WorstImages()
    sample = pixels([[[1, 0], [1, 0]], [[0, 1], [0, 1]]], [[0, 0], [0, 255]])
    worst.add([sample], {"inputs": [torch.zeros(3, 2, 2)]})
    assert round(worst.entries[0][0], 3) == round(2 / 3, 3)
    worst.write(tmp_path, {"classes": ("a", "b"), "palette": [(0, 0, 0), (255, 0, 0)]})
    assert (tmp_path / "pseudo" / "worst_0_truth.jpg").is_file()
