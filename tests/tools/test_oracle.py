"""`benchmark_labels.py --oracle`: the true labels reach the student, in its own view."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner

from ssdet.engine.configs import load_config
from ssdet.exits import UsageError
from ssdet.hooks import StepHook
from ssdet.registry import HOOKS, MODELS
from ssdet.teacher_student.geometry import clip_boxes, homography, project_boxes
from ssdet.teacher_student.phase import Phase

ROOT = Path(__file__).parents[2]
PROTOCOL = "label_efficiency/deeplabv3plus_r18_dsb2018.py"
CELLS = "label_efficiency/retinanet_r18_bccd.py"
FIXMATCH = "fixmatch_seg/deeplabv3plus_demo.py"


@pytest.fixture
def labels(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import benchmark_labels

    yield benchmark_labels
    for name in ("benchmark_labels", "benchmark_methods"):
        sys.modules.pop(name)


@pytest.fixture
def nuclei(tmp_path):
    """Four images of 96x96, each with a bright disc; two of them are labeled."""
    rng = np.random.default_rng(0)
    for folder in ("images/train", "masks/train", "splits"):
        (tmp_path / folder).mkdir(parents=True)
    for name in "abcd":
        mask = np.zeros((96, 96), np.uint8)
        cv2.circle(mask, [int(n) for n in rng.integers(30, 66, 2)], 25, 1, -1)
        image = (mask[..., None] * 150 + rng.integers(0, 60, (96, 96, 3))).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"images/train/{name}.jpg"), image)
        cv2.imwrite(str(tmp_path / f"masks/train/{name}.png"), mask)
    (tmp_path / "splits/labeled_1_16.txt").write_text("a\nb\n")
    (tmp_path / "splits/unlabeled_1_16.txt").write_text("c\nd\n")
    return tmp_path


class Seen(StepHook):
    """Remembers what the student is to learn, before anything is mixed."""

    phase = Phase.WEIGHT

    def before_student(self, step):
        self.targets = step.targets["unsup_student"]
        self.strong = step.strong["unsup_student"].samples
        if "gt_sem_seg" not in self.strong[0]:
            return
        self.truth = [s.gt_sem_seg.data[0] for s in step.strong["unsup_student"].samples]
        self.moved = [
            not np.allclose(weak.homography_matrix, strong.homography_matrix)
            for weak, strong in zip(
                step.weak.samples, step.strong["unsup_student"].samples, strict=True
            )
        ]


def test_the_student_learns_the_true_labels_of_unlabeled_images(labels, nuclei):
    options = dict(data_root=f"{nuclei}/", burn_in=0, batch=(2, 2))
    config = labels.trained_with(load_config(PROTOCOL, options), FIXMATCH, oracle=True)
    # The student's view is another crop, turned and scaled, so that labels have to move to it.
    views = config.train_dataloader.dataset.datasets[1].pipeline[0]["views"]
    flip = dict(type="RandomFlip", prob=1.0, direction="horizontal")
    views["unsup_student"].insert(0, flip)
    config.model.segmentor.backbone.init_cfg = None
    with DefaultScope.overwrite_default_scope("mmseg"):
        model = MODELS.build(config.model).train()
        loader = Runner.build_dataloader(config.train_dataloader)
        hooks = [HOOKS.build(hook) for hook in config.custom_hooks]
        batch = next(iter(loader))
    for hook in (*hooks, seen := Seen()):
        model.attach(hook)
    losses = model(**model.data_preprocessor(batch, training=True), mode="loss")
    assert all(seen.moved)
    truth = torch.stack(seen.truth)
    assert set(truth.unique().tolist()) == {0, 1}
    assert torch.equal(seen.targets.labels, truth)
    assert torch.equal(seen.targets.scores, torch.ones_like(seen.targets.scores))
    assert seen.targets.weights.min() == 1, "the threshold keeps every pixel"
    assert losses["unsup_decode.loss_ce"] > 0


def test_each_method_has_a_row_with_true_labels(labels, nuclei):
    config = labels.trained_with(load_config(PROTOCOL), FIXMATCH, oracle=True)
    labeled, unlabeled = config.train_dataloader.dataset.datasets
    plain = labels.trained_with(load_config(PROTOCOL), FIXMATCH)
    assert unlabeled.ann_file == plain.train_dataloader.dataset.datasets[1].source
    assert labeled == plain.train_dataloader.dataset.datasets[0]
    assert config.custom_hooks[:-1] == plain.custom_hooks
    other = load_config(CELLS)
    other.pop("all_labels")
    with pytest.raises(UsageError, match=r"retinanet_r18_bccd.py has no variable `all_labels`"):
        labels.trained_with(other, "mean_teacher/gfl_demo.py", oracle=True)


@pytest.fixture
def cells(tmp_path):
    """Two images of 64x64, one labeled; the list of the other one has no boxes."""
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations").mkdir()
    images = [dict(id=n, file_name=f"{n}.jpg", width=64, height=64) for n in (1, 2)]
    kinds = [dict(id=n, name=name) for n, name in enumerate(("RBC", "WBC", "Platelets"), 1)]
    boxes = [
        dict(id=n, image_id=n, category_id=n, bbox=[8 * n, 8, 20, 24], area=480, iscrowd=0)
        for n in (1, 2)
    ]
    for image in images:
        cv2.imwrite(str(tmp_path / "images" / image["file_name"]), np.full((64, 64, 3), 90))
    for name, own, known in (("full", images, boxes), ("labeled_10", images[:1], boxes[:1]),
                             ("unlabeled_10", images[1:], [])):  # fmt: skip
        content = json.dumps(dict(images=own, annotations=known, categories=kinds))
        (tmp_path / f"annotations/train_{name}.json").write_text(content)
    return tmp_path


def test_a_detector_learns_the_true_boxes_of_unlabeled_images(labels, cells):
    options = dict(data_root=f"{cells}/", burn_in=0, batch=(1, 1))
    config = labels.trained_with(load_config(CELLS, options), "mixpl/gfl_demo.py", oracle=True)
    assert config.train_dataloader.dataset.datasets[0].ann_file.endswith("labeled_10.json")
    with DefaultScope.overwrite_default_scope("mmdet"):
        dataset = DATASETS.build(config.train_dataloader.dataset)
        batch = pseudo_collate([dataset[0], dataset[1]])
        hooks = [HOOKS.build(h) for h in config.custom_hooks if "Pseudo" not in h["type"]]
        model = MODELS.build(config.model).train()
    for hook in (*hooks, seen := Seen()):
        model.attach(hook)
    model(**model.data_preprocessor(batch, training=True), mode="loss")
    (target,) = seen.targets
    assert target.gt_instances.labels.tolist() == [1]
    assert target.gt_instances.scores.tolist() == [1]
    # The student's view is another one, and the box has moved to it.
    (sample,) = seen.strong
    expected = project_boxes(torch.tensor([[16.0, 8, 36, 32]]), homography(sample))
    expected = clip_boxes(expected, sample.img_shape)
    torch.testing.assert_close(target.gt_instances.bboxes, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    "name",
    ["fixmatch_seg/deeplabv3plus_demo", "bcp/deeplabv3plus_demo", "unimatch_v2/deeplabv3plus_demo",
     "noisy_dice/deeplabv3plus_demo", "fst/deeplabv3plus_demo", "umct/deeplabv3plus_demo"],
)  # fmt: skip
def test_the_threshold_of_the_protocol_holds(labels, name):
    """The demo's was chosen for three digits; with two classes no score is below 0.5."""
    protocol = load_config(PROTOCOL)
    hooks = labels.trained_with(protocol, f"{name}.py").custom_hooks
    assert {h["score"] for h in hooks if "score" in h} == {protocol.score} == {0.8}
    other = load_config(PROTOCOL, dict(score=0.95))
    hooks = labels.trained_with(other, f"{name}.py").custom_hooks
    assert {h["score"] for h in hooks if "score" in h} == {0.95}
    assert {h["score"] for h in other.custom_hooks if "score" in h} == {0.95}
