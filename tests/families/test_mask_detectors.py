"""Detectors of masks as teacher and student: SOLO and its like give no boxes at all."""

import copy

import pytest
import torch
from mmdet.structures.mask import mask2bbox
from mmengine.optim import OptimWrapper
from mmengine.structures import InstanceData
from torch import nn

from ssdet.hooks import FixedThresholdHook, StepHook
from ssdet.registry import MODELS
from ssdet.teacher_student.detector import _pseudo_boxes
from ssdet.teacher_student.heads import count_classes
from ssdet.teacher_student.phase import Phase

from ..helpers import build_pair
from .detectors import CLASSES, MASK_FAMILIES, initialized, sample, small_config

pytestmark = pytest.mark.family
FLIP = [[-1, 0, 64], [0, 1, 0], [0, 0, 1]]


class KeepLargest(StepHook):
    """The three objects of an untrained teacher that have the largest masks."""

    phase = Phase.LABEL

    def __init__(self):
        self.step = None

    def after_teacher(self, step):
        for image, found in enumerate(step.pseudo):
            rank = found.masks.flatten(1).sum(1).argsort(descending=True).argsort()
            step.drop(image, rank >= 3, "rank")

    def after_loss(self, step):
        self.step = step


def pair(family):
    torch.manual_seed(0)
    cfg = small_config(family)
    if "score_thr" in cfg.test_cfg:
        cfg.test_cfg.score_thr = 0.0
    model = MODELS.build(dict(type="TeacherStudentDetector", detector=cfg))
    initialized(model)
    with torch.no_grad():
        for parameter in model.student.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.copy_student()
    return model


def batch():
    generator = torch.Generator().manual_seed(3)
    shape = dict(dtype=torch.uint8, generator=generator)
    images = [torch.randint(0, 255, (3, 64, 64), **shape) for _ in range(4)]
    strong = sample()
    strong.set_metainfo(dict(homography_matrix=FLIP))
    labeled = sample([(4, 4, 36, 36), (30, 28, 62, 60)], masks=True)
    return dict(
        inputs=dict(
            sup=[images[0], None], unsup_teacher=[None, images[1]], unsup_student=[None, images[1]]
        ),
        data_samples=dict(
            sup=[labeled, None], unsup_teacher=[None, sample()], unsup_student=[None, strong]
        ),
    )


@pytest.mark.parametrize("family", MASK_FAMILIES)
def test_pseudo_objects_become_targets_and_a_step_is_finite(family):
    model, keep = pair(family), KeepLargest()
    model.attach(keep)
    model.attach(FixedThresholdHook(score=0.0))
    assert model.num_classes == CLASSES
    optimizer = OptimWrapper(torch.optim.SGD(model.student.parameters(), lr=1e-3))
    start = copy.deepcopy(model.student.state_dict())
    log = model.train_step(batch(), optimizer)
    assert all(torch.as_tensor(value).isfinite().all() for value in log.values())
    (target,) = keep.step.targets["unsup_student"]
    assert 0 < len(target.gt_instances) <= 3
    boxes = target.gt_instances.bboxes
    assert ((boxes[:, 2:] - boxes[:, :2]) > 0).all()
    assert target.gt_instances.masks.masks.any()
    if family != "condinst":  # these have the boxes of their masks
        around = target.gt_instances.masks.get_bboxes("hbox").tensor
        torch.testing.assert_close(boxes, around.to(boxes))
    learned = [key for key in log if key.startswith("unsup_") and "loss" in key]
    assert {key.removeprefix("un") for key in learned} <= set(log)
    assert sum(log[key] for key in learned) > 0
    moved = model.student.state_dict()
    assert any(not torch.equal(value, start[key]) for key, value in moved.items())


@pytest.mark.parametrize("family", MASK_FAMILIES)
@pytest.mark.parametrize("role", ["teacher", "student"])
def test_it_is_evaluated(family, role):
    model = pair(family).eval()
    model.predict_with = role
    data = dict(inputs=batch()["inputs"]["sup"][:1], data_samples=[sample()])
    with torch.no_grad():
        found = model.test_step(data)[0].pred_instances
    assert len(found) > 0
    assert found.masks.shape == (len(found), 64, 64)
    assert found.scores.isfinite().all() and (found.labels < CLASSES).all()


def test_nothing_to_learn_is_no_error():
    model = pair("solov2")
    model.attach(FixedThresholdHook(score=1.0))
    found = model(**model.data_preprocessor(batch(), True), mode="loss")
    assert found["unsup_loss"] == 0


def test_boxes_of_masks_by_hand():
    masks = torch.zeros(3, 8, 8, dtype=torch.bool)
    masks[0, 1:4, 2:7] = masks[2, 0, 0] = True
    rest = dict(labels=torch.zeros(3, dtype=torch.long), scores=torch.ones(3), masks=masks)
    expected = [[2.0, 1, 7, 4], [0, 0, 0, 0], [0, 0, 1, 1]]
    assert _pseudo_boxes(InstanceData(bboxes=torch.zeros(3, 4), **rest)).bboxes.tolist() == expected
    assert _pseudo_boxes(InstanceData(**rest)).bboxes.tolist() == expected
    own = torch.tensor([[1.0, 1, 8, 8], [0, 0, 0, 0], [3, 3, 3, 5]])
    found = _pseudo_boxes(InstanceData(bboxes=own, **rest)).bboxes
    assert found.tolist() == [[1.0, 1, 8, 8], *expected[1:]]
    assert torch.equal(mask2bbox(masks[:1]), found.new_tensor(expected[:1]))


class SomeHead(nn.Module):
    def __init__(self, number):
        super().__init__()
        self.num_classes = number


class Wrapped(nn.Module):
    """A detector of a user, with heads in it that have so many classes."""

    def __init__(self, *numbers):
        super().__init__()
        self.inner = nn.ModuleDict({f"head_{i}": SomeHead(n) for i, n in enumerate(numbers)})


def test_classes_of_a_detector_whose_heads_stand_elsewhere():
    assert count_classes(Wrapped(7, 7)) == 7
    with pytest.raises(TypeError, match=r"a Wrapped has cannot be known \(no head has num_classes"):
        count_classes(Wrapped())
    with pytest.raises(
        TypeError, match=r"inner\.head_0 has 7, inner\.head_1 has 3.*num_classes=\.\.\."
    ):
        count_classes(Wrapped(7, 3))


def test_a_hook_asks_and_the_error_arrives():
    model = build_pair()
    model.student = Wrapped(7, 3)
    with pytest.raises(TypeError, match="cannot be known"):
        model.attach(FixedThresholdHook(0.5))
    said = build_pair(num_classes=5)
    said.attach(hook := FixedThresholdHook(0.5))
    assert hook.num_classes == 5
