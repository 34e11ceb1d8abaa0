"""Detectors of masks as teacher and student: SOLO and its like give no boxes at all."""

import copy
import json

import pytest
import torch
from mmdet.structures.mask import mask2bbox
from mmengine.optim import OptimWrapper
from mmengine.structures import InstanceData
from torch import nn

from ssdet.hooks import FixedThresholdHook, PseudoBoxMemoryHook, StepHook
from ssdet.registry import MODELS
from ssdet.teacher_student.detector import _pseudo_boxes
from ssdet.teacher_student.heads import count_classes
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.weights import honor_weights

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


@pytest.mark.parametrize("family", MASK_FAMILIES)
def test_the_metric_of_coco_takes_its_predictions(family, tmp_path):
    """Boxes and masks of the truth are worth 1, and those of the model have a number."""
    from mmdet.evaluation import CocoMetric

    model = pair(family).eval()
    data = dict(inputs=batch()["inputs"]["sup"][:1], data_samples=[sample()])
    data["data_samples"][0].set_metainfo(dict(img_id=1, scale_factor=(1.0, 1.0)))
    with torch.no_grad():
        found = model.test_step(data)[0]
    masks = found.pred_instances.masks.new_zeros(1, 64, 64)
    masks[0, 8:24, 8:40] = True
    record = dict(id=1, image_id=1, category_id=2, bbox=[8, 8, 32, 16], area=512, iscrowd=0)
    outline = [[8, 8, 40, 8, 40, 24, 8, 24]]
    content = dict(
        images=[dict(id=1, file_name="a.png", width=64, height=64)],
        annotations=[dict(record, segmentation=outline)],
        categories=[dict(id=n, name=f"class {n}") for n in range(CLASSES)],
    )
    (tmp_path / "truth.json").write_text(json.dumps(content))

    def scores(said):
        metric = CocoMetric(str(tmp_path / "truth.json"), metric=["bbox", "segm"])
        metric.dataset_meta = dict(classes=[f"class {n}" for n in range(CLASSES)])
        metric.process({}, [said.to_dict()])
        return metric.evaluate(1)

    measured = scores(found)
    assert {"coco/bbox_mAP", "coco/segm_mAP"} <= set(measured)
    assert 0 <= measured["coco/segm_mAP"] < 1
    again = sample()
    again.set_metainfo(found.metainfo)
    again.pred_instances = InstanceData(
        bboxes=torch.tensor([[8.0, 8, 40, 24]]), scores=torch.ones(1), masks=masks,
        labels=torch.tensor([2]),
    )  # fmt: skip
    assert scores(again)["coco/segm_mAP"] == scores(again)["coco/bbox_mAP"] == 1


def student_loss(model, **fields):
    truth = sample([(4, 4, 36, 36), (30, 28, 62, 60)], masks=True, **fields)
    torch.manual_seed(3)  # points of masks are drawn
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(4))
    found = model.student.loss(images, [truth])
    return {key: value for key, value in found.items() if "loss" in key}


def test_mask2former_honors_weights_of_objects():
    """Weights of 1 give MMDetection's own losses, c gives c times, and 0 gives none."""
    model, c = pair("mask2former"), 0.25
    plain = student_loss(model)
    ones = student_loss(model, weight_cls=[1.0] * 2, weight_box=[1.0] * 2, background_weight=1.0)
    less = student_loss(model, weight_cls=[c] * 2, weight_box=[c] * 2, background_weight=c)
    none = student_loss(model, weight_cls=[0.0] * 2, weight_box=[0.0] * 2, background_weight=0.0)
    only = student_loss(model, weight_cls=[1.0] * 2, weight_box=[0.0] * 2)
    assert plain.keys() == ones.keys() and len(plain) >= 6
    assert honor_weights(model.student) == []
    for key, value in plain.items():
        assert value > 0
        torch.testing.assert_close(ones[key], value)
        torch.testing.assert_close(less[key], value * c)
        assert none[key] == 0
        torch.testing.assert_close(only[key], value if "cls" in key else value * 0)


def test_queries_of_mask2former_in_a_region_learn_nothing_without_an_object():
    model = pair("mask2former")
    everywhere = [(-64.0, -64.0, 128.0, 128.0)]
    fields = dict(weight_cls=[0.0] * 2, weight_box=[1.0] * 2)
    seen = student_loss(model, **fields)
    ignored = student_loss(model, ignored=everywhere, **fields)
    for key, value in seen.items():
        assert value > 0
        torch.testing.assert_close(ignored[key], value * 0 if "cls" in key else value)


class Reads(StepHook):
    """A hook that needs something."""

    phase = Phase.OBSERVE

    def __init__(self, *needs):
        self.needs = set(needs)


@pytest.mark.parametrize(
    "need", ["teacher_outputs", "student_outputs", "weak_outputs", "weak_pass", "teacher_on:sup"]
)
@pytest.mark.parametrize("family", MASK_FAMILIES)
def test_a_hook_that_reads_head_outputs_is_refused_where_there_are_none(family, need):
    model = pair(family)
    if family == "condinst":
        model.attach(Reads(need))
        model.attach(KeepLargest())
        optimizer = OptimWrapper(torch.optim.SGD(model.student.parameters(), lr=1e-3))
        assert model.train_step(batch(), optimizer)
        return
    with pytest.raises(TypeError, match=f"Reads: reads .* a {type(model.student).__name__} has"):
        model.attach(Reads(need))
    with pytest.raises(TypeError, match="forward_outputs: reads the outputs of a box head"):
        model.forward_outputs(None)


@pytest.mark.parametrize("family", MASK_FAMILIES)
def test_boxes_without_masks_are_not_remembered(family):
    with pytest.raises(TypeError, match="stores boxes without masks"):
        pair(family).attach(PseudoBoxMemoryHook())


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


def test_masks_of_images_of_two_sizes_are_padded_to_the_batch():
    """Predictions are of the padded batch: the masks would be stretched, and not fit together."""
    model = pair("mask2former")
    truths = [sample([(4, 4, 36, 30)], masks=True, size=size) for size in ((64, 64), (48, 40))]
    whole = [sample([(4, 4, 36, 30)], masks=True, size=(64, 64)) for _ in truths]
    for truth in truths:
        truth.set_metainfo(dict(batch_input_shape=(64, 64)))
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(4))
    found = []
    for samples in (truths, whole):
        torch.manual_seed(3)
        found.append(model.student.loss(images, samples))
    assert found[0].keys() == found[1].keys()
    for key, value in found[0].items():
        torch.testing.assert_close(value, found[1][key])
    assert truths[1].gt_instances.masks.masks.shape == (1, 48, 40), "the sample stays as it is"


def test_the_weight_of_a_mask_is_a_factor_on_the_losses_of_mask2formers_masks_alone():
    model, c = pair("mask2former"), 0.25
    plain = student_loss(model, weight_cls=[1.0] * 2)
    less = student_loss(model, weight_mask=[c] * 2)
    masks = {key for key in plain if "mask" in key or "dice" in key}
    assert masks and masks < set(plain)
    for key, value in plain.items():
        torch.testing.assert_close(less[key], value * (c if key in masks else 1))
