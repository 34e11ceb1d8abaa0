"""Counts of right predictions by score, and the images with the most errors, by hand."""

import json
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.structures import DetDataSample
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from ssdet.evaluation.by_score import BINS, QualityByScore
from ssdet.evaluation.truth import BoxTruth
from ssdet.evaluation.worst import SHOWN, WorstImages
from ssdet.teacher_student.pixel_scores import pixel_probabilities


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


def test_pixels_of_a_head_that_matches_masks():
    """Its output are shares: 0.71 is no logit, of which the softmax would be 0.65."""
    quality = QualityByScore(probabilities=partial(pixel_probabilities, masks=True))
    quality.add([pixels([[[0.71] * 2] * 2, [[0.1] * 2] * 2], [[0, 0], [0, 0]])])
    right = np.array(quality.summary()["right"])
    assert right[0, int(0.71 * BINS)] == 4


def test_one_channel_counts_under_the_score_of_its_label():
    """From its threshold of 0.3 on the head says 1, and is sure of it by 0.4."""
    quality = QualityByScore()
    sample = pixels(np.log([[[0.4 / 0.6] * 2] * 2]), [[1, 1], [1, 1]])
    sample.pred_sem_seg.data[:] = 1
    quality.add([sample])
    right = np.array(quality.summary()["right"])
    assert right[1, int(0.4 * BINS) - 1 : int(0.4 * BINS) + 1].sum() == 4


def test_labels_in_another_frame_count_nothing():
    quality = QualityByScore()
    quality.add([boxes([(PLACE, 0, 0.9)], [((0, 0, 60, 60), 0)])])
    assert quality.summary() is None and "behind Resize" in quality.problem
    quality = QualityByScore()
    quality.add([3.0, boxes([(PLACE, 0, 0.9)], [])])
    assert quality.summary() is None


def rotated(sample):
    sample.pred_instances = InstanceData(
        bboxes=torch.zeros(2, 5), labels=torch.zeros(2).long(), scores=torch.ones(2)
    )


def of_another_size(sample):
    sample.gt_sem_seg = PixelData(data=torch.zeros(1, 4, 4).long())


def in_parts(sample):
    sample.gt_sem_seg = PixelData(data=torch.zeros(2, 2, 2).long())


@pytest.mark.parametrize(
    ("sample", "change", "told"),
    [
        (boxes([], [(PLACE, 0)]), rotated, "boxes (2, 5) are no rectangles"),
        (pixels([[[1, 0], [1, 0]]], [[0, 0], [0, 0]]), of_another_size, "differ in size"),
        (pixels([[[1, 0], [1, 0]]], [[0, 0], [0, 0]]), in_parts, "differ in size"),
    ],
)
def test_predictions_of_another_kind_are_said(sample, change, told):
    change(sample)
    quality = QualityByScore()
    quality.add([sample, boxes([(PLACE, 0, 0.9)], [(PLACE, 0)])])
    assert told in quality.problem and quality.summary() is None


@pytest.fixture
def coco(tmp_path):
    """A COCO validation as MMDetection has it: no labels are loaded, and images are halved."""
    cv2.imwrite(str(tmp_path / "a.png"), np.full((64, 64, 3), 90, np.uint8))
    objects = [([4, 4, 20, 20], 2, 0), ([40, 40, 16, 16], 1, 0), ([0, 40, 16, 16], 1, 1)]
    annotations = [
        dict(id=n, image_id=1, bbox=box, category_id=kind, iscrowd=crowd, area=box[2] * box[3])
        for n, (box, kind, crowd) in enumerate(objects)
    ]
    categories = [dict(id=n, name=name) for n, name in enumerate(("other", "cat", "dog"))]
    image = dict(id=1, file_name="a.png", width=64, height=64)
    content = dict(images=[image], annotations=annotations, categories=categories)
    (tmp_path / "val.json").write_text(json.dumps(content))
    keys = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")
    with DefaultScope.overwrite_default_scope("mmdet"):
        return CocoDataset(
            ann_file="val.json", data_root=str(tmp_path), data_prefix=dict(img=""), test_mode=True,
            metainfo=dict(classes=("cat", "dog")),
            pipeline=[dict(type="LoadImageFromFile"), dict(type="Resize", scale=(32, 32)),
                      dict(type="PackDetInputs", meta_keys=keys)],
        )  # fmt: skip


def test_a_coco_validation_needs_no_labels_in_its_pipeline(coco, tmp_path):
    batch = coco[0]
    sample = batch["data_samples"]
    found = [((4, 4, 24, 24), 1, 0.9), ((40, 40, 56, 56), 1, 0.7)]  # of the image as it is stored
    sample.pred_instances = boxes(found, []).pred_instances
    truth = BoxTruth(coco)
    quality, worst = QualityByScore(truth), WorstImages(truth)
    quality.add([sample])
    worst.add([sample], {"inputs": [batch["inputs"]]})
    summary = quality.summary()
    assert summary["truth"] == [1, 1], "crowds do not count"
    right = np.array(summary["right"])
    assert right.sum() == 1 and right[1, int(0.9 * BINS)] == 1
    assert worst.entries[0][0] == 0.5
    worst.write(tmp_path, {"classes": ("cat", "dog")})
    assert (tmp_path / "pseudo" / "worst_0_truth.jpg").is_file()


def test_labels_before_a_resize_do_not_count_as_truth(coco):
    sample = coco[0]["data_samples"]
    sample.gt_instances = boxes([], [((2, 2, 12, 12), 1)]).gt_instances  # halved with the image
    objects, labels = BoxTruth(coco).of(sample)
    assert objects.tolist() == [[4, 4, 24, 24], [40, 40, 56, 56]] and labels.tolist() == [1, 0]
    sample.set_metainfo(dict(img_path="elsewhere.png"))
    assert BoxTruth(coco).of(sample)[0].tolist() == [[2, 2, 12, 12]]
    sample.set_metainfo(dict(instances=[dict(bbox=[1, 1, 2, 2], bbox_label=0, ignore_flag=0)]))
    assert BoxTruth(coco).of(sample)[0].tolist() == [[1, 1, 2, 2]]


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
