"""From unsupervised weights of Detectron2 to the start of a training."""

import importlib.util
import json
import logging
from pathlib import Path

import pytest
import torch
from mmengine.runner import load_checkpoint

from ssdet.exits import UsageError
from ssdet.labeling.cluster_classes import match_clusters
from ssdet.registry import MODELS

from ..engine.test_detectron2_weights import listed
from ..families.detectors import small_config

PATH = Path(__file__).parents[2] / "tools" / "warm_start.py"
spec = importlib.util.spec_from_file_location("warm_start", PATH)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)
CLUSTERS = 5


def coco(path, classes, boxes):
    """A COCO file of two images; boxes are (image, class, corners)."""
    images = [dict(id=n, file_name=f"{n}.png", width=100, height=100) for n in (1, 2)]
    annotations = [
        dict(id=place, image_id=image, category_id=classes.index(name) + 1, iscrowd=0, score=0.9,
             bbox=[x1, y1, x2 - x1, y2 - y1], area=(x2 - x1) * (y2 - y1))
        for place, (image, name, (x1, y1, x2, y2)) in enumerate(boxes, 1)
    ]  # fmt: skip
    categories = [dict(id=n, name=name) for n, name in enumerate(classes, 1)]
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    return path


LEFT, RIGHT, LOW = (0, 0, 20, 20), (50, 0, 80, 20), (0, 50, 20, 90)


@pytest.fixture
def matched(tmp_path):
    """Cluster 4 is on two cats and a dog, cluster 2 on two dogs, cluster 5 on one cat."""
    truth = [
        (1, "cat", LEFT), (1, "dog", RIGHT), (1, "cat", LOW),
        (2, "dog", LEFT), (2, "cat", RIGHT), (2, "dog", LOW),
    ]  # fmt: skip
    found = [
        (1, "4", LEFT), (1, "2", RIGHT), (1, "4", (0, 50, 20, 88)), (1, "3", (0, 50, 20, 60)),
        (2, "4", LEFT), (2, "5", RIGHT), (2, "2", LOW),
    ]  # fmt: skip
    clusters = [str(number) for number in range(1, CLUSTERS + 1)]
    labeled = coco(tmp_path / "labeled.json", ["cat", "dog", "cow"], truth)
    return coco(tmp_path / "clusters.json", clusters, found), labeled


def test_clusters_are_the_classes_that_they_overlap_most_often(matched):
    assert match_clusters(*matched) == {"cat": ["4"], "dog": ["2"], "cow": []}
    assert match_clusters(*matched, least=1) == {"cat": ["4", "5"], "dog": ["2"], "cow": []}
    assert match_clusters(*matched, overlap=0.99)["cat"] == []


@pytest.fixture
def unsupervised(tmp_path):
    """A Cascade R-CNN of five clusters under the names of Detectron2, and under ours."""
    cfg = detector(CLUSTERS)
    torch.manual_seed(0)
    ours = MODELS.build(dict(cfg, _scope_="mmdet")).state_dict()
    from ssdet.engine.detectron2_weights import renamed

    theirs = {name: ours[next(iter(renamed({name: torch.ones(1)})[0]))] for name in listed()}
    theirs["sem_seg_head.predictor.weight"] = torch.ones(2)
    path = tmp_path / "u2seg.pth"
    torch.save({"model": theirs, "iteration": 5}, path)
    return path, ours


def detector(classes):
    cfg = small_config("cascade_rcnn")
    cfg.neck.norm_cfg = dict(type="BN")
    cfg.roi_head.bbox_head = [dict(stage, num_classes=classes) for stage in cfg.roi_head.bbox_head]
    return cfg


def started(path):
    """Student and teacher of three classes that begin with a file."""
    pair = MODELS.build(dict(type="TeacherStudentDetector", detector=detector(3)))
    load_checkpoint(pair, str(path), map_location="cpu")
    return pair.student.state_dict(), pair.teacher.state_dict()


def test_weights_arrive_in_student_and_teacher(unsupervised, tmp_path, capsys, caplog):
    path, ours = unsupervised
    assert tool.main(["weights", str(path), "--out", str(tmp_path / "clusters.pth")]) == 0
    assert "1 tensors have no place" in capsys.readouterr().out
    with caplog.at_level(logging.WARNING):
        networks = started(tmp_path / "clusters.pth")
    for network in networks:
        for name, value in network.items():
            assert value.equal(ours[name]) != ("fc_cls" in name), name


def test_clusters_become_the_classes_of_the_start(unsupervised, matched, tmp_path, capsys):
    path, ours = unsupervised
    names, start = tmp_path / "classes.json", tmp_path / "start.pth"
    assert tool.main(["match", *map(str, matched), "--out", str(names)]) == 0
    assert "cow: no cluster" in capsys.readouterr().out
    order = ["weights", str(path), "--classes", str(names), "--out", str(start)]
    assert tool.main(order) == 0
    assert "3 classes; without a cluster: cow" in capsys.readouterr().out
    for network in started(start):
        for stage in range(3):
            layer = f"roi_head.bbox_head.{stage}.fc_cls.weight"
            before = ours[layer]
            expected = torch.stack([before[3], before[1], before[:5].mean(0), before[5]])
            torch.testing.assert_close(network[layer], expected)


def test_other_weights(tmp_path):
    other = tmp_path / "other.pth"
    torch.save({"state_dict": {"encoder.weight": torch.ones(1)}}, other)
    with pytest.raises(UsageError, match=r"1 tensors, such as encoder\.weight"):
        tool.main(["weights", str(other), "--out", str(tmp_path / "out.pth")])


def test_weights_of_mmdetection_keep_their_names(unsupervised, tmp_path):
    _, ours = unsupervised
    given, out = tmp_path / "given.pth", tmp_path / "out.pth"
    torch.save({"state_dict": ours}, given)
    assert tool.main(["weights", str(given), "--out", str(out)]) == 0
    found = torch.load(out, weights_only=True)
    assert set(found["state_dict"]) == set(ours)
    assert found["meta"]["dataset_meta"]["classes"] == ["1", "2", "3", "4", "5"]
