"""Every family of detectors as teacher and student, from MMDetection's own configs."""

import copy
import logging
import re

import pytest
import torch
from mmengine import MessageHub
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from mmengine.runner.checkpoint import load_checkpoint, save_checkpoint

from ssdet.hooks import StepHook, TeacherEMAHook
from ssdet.registry import MODELS
from ssdet.teacher_student.phase import Phase

from .detectors import FAMILIES, build, initialized, sample, small_config

pytestmark = pytest.mark.family

FLIP = [[-1, 0, 64], [0, 1, 0], [0, 0, 1]]
# Parameters whose gradient is zero here: of levels that no box of this size is assigned to, or
# (Cascade R-CNN leaves out anchors that cross the border) whose anchors are larger than the image.
IDLE = {
    "fcos": r"bbox_head\.scales\.[1-4]\.scale",
    "atss": r"bbox_head\.scales\.[1-4]\.scale",
    "gfl": r"bbox_head\.scales\.[1-4]\.scale",
    "tood": r"bbox_head\.scales\.[1-4]\.scale",
    "fam3d": r"bbox_head\.scales\.[1-4]\.scale",
    "yolox": r"bbox_head\.multi_level_(cls_convs|conv_cls|reg_convs|conv_reg)\.[12]\..*",
    "cascade_rcnn": r"neck\.fpn_convs\.[123]\.conv\..*",
}


class KeepBest(StepHook):
    """An untrained teacher is sure of nothing: its three best boxes of each image must do."""

    phase = Phase.LABEL

    def __init__(self):
        self.step = None

    def after_teacher(self, step):
        for image, found in enumerate(step.pseudo):
            rank = found.scores.argsort(descending=True).argsort()
            step.drop(image, rank >= 3, "rank")

    def after_loss(self, step):
        self.step = step


@pytest.fixture(params=FAMILIES)
def family(request):
    MessageHub.get_current_instance().update_info("epoch", 4)
    return request.param


def without_threshold(cfg):
    """Nothing is too unlikely to be a pseudo box."""
    for part in (cfg.test_cfg, cfg.test_cfg.get("rcnn", {})):
        if "score_thr" in part:
            part.score_thr = 0.0
    return cfg


def pair(family, cfg=None):
    detector = without_threshold(cfg or small_config(family))
    model = MODELS.build(dict(type="TeacherStudentDetector", detector=detector))
    initialized(model)
    awaken(model.student)
    model.copy_student()
    model.attach(KeepBest())
    return model


@torch.no_grad()
def awaken(student):
    """Away from initial values at which a gradient is zero: residual branches, boxes of size 0."""
    for name, parameter in student.named_parameters():
        parameter.add_(torch.randn_like(parameter) * 0.05)
        if "rtm_reg" in name and name.endswith("bias"):
            parameter.fill_(1.0)


def batch(family):
    """One labeled and two unlabeled images, the strong view of which is flipped."""
    generator = torch.Generator().manual_seed(3)

    def images(count):
        return [
            torch.randint(0, 255, (3, 64, 64), dtype=torch.uint8, generator=generator)
            for _ in range(count)
        ]

    masks = family == "mask_rcnn"
    labeled = sample([(4, 4, 36, 36), (30, 28, 62, 60)], masks=masks)
    strong = [sample(), sample()]
    for view in strong:
        view.set_metainfo(dict(homography_matrix=FLIP))
    return dict(
        inputs=dict(
            sup=[*images(1), None, None],
            unsup_teacher=[None, *images(2)],
            unsup_student=[None, *images(2)],
        ),
        data_samples=dict(
            sup=[labeled, None, None],
            unsup_teacher=[None, sample(), sample()],
            unsup_student=[None, *strong],
        ),
    )


def steps(model, optimizer, family, count):
    """Train; the log of each step."""
    ema = next((h for h in model.hooks if isinstance(h, TeacherEMAHook)), None)
    if ema is None:
        ema = TeacherEMAHook(momentum=0.5)
        model.attach(ema)
    logs = []
    for _ in range(count):
        # Samplers draw proposals, and DINO draws noise.
        torch.manual_seed(model.iteration)
        logs.append(model.train_step(copy.deepcopy(batch(family)), optimizer))
        ema.update()
    return logs


def optimizer_of(model):
    learned = [p for p in model.parameters() if p.requires_grad]
    return OptimWrapper(torch.optim.SGD(learned, lr=1e-3, momentum=0.9))


def test_trains_on_labels_and_pseudo_labels(family):
    model = pair(family)
    start = copy.deepcopy(model.state_dict())
    optimizer = optimizer_of(model)
    logs = steps(model, optimizer, family, 3)
    for log in logs:
        assert all(torch.as_tensor(value).isfinite().all() for value in log.values())
        assert log["pseudo/kept"] == 3
    learned = {key for key in logs[-1] if key.startswith("unsup_") and "loss" in key}
    assert learned == {
        "un" + key for key in logs[-1] if key.startswith("sup_") and "loss" in key
    }, "the same losses from labels and pseudo labels"
    step = model.hooks[0].step
    for target in step.targets["unsup_student"]:
        assert 0 < len(target.gt_instances) <= 3
        assert ("masks" in target.gt_instances) == (family == "mask_rcnn")
    assert not any(module.training for module in model.teacher.modules())
    assert all(p.grad is None and not p.requires_grad for p in model.teacher.parameters())
    moved = model.state_dict()
    for role in ("student.", "teacher."):
        assert any(
            not torch.equal(start[key], value) for key, value in moved.items() if role in key
        )


def test_every_parameter_of_the_student_learns(family):
    model = pair(family)
    losses, _ = model.parse_losses(
        model(**model.data_preprocessor(batch(family), True), mode="loss")
    )
    losses.backward()
    learned = [(n, p) for n, p in model.student.named_parameters() if p.requires_grad]
    assert [name for name, parameter in learned if parameter.grad is None] == []
    idle = [name for name, parameter in learned if not parameter.grad.any()]
    assert [name for name in idle if not re.fullmatch(IDLE.get(family, ""), name)] == []


def test_goes_on_from_a_checkpoint_as_if_nothing_had_been(family, tmp_path):
    model = pair(family)
    optimizer = optimizer_of(model)
    steps(model, optimizer, family, 1)
    saved = dict(model=model.state_dict(), optimizer=optimizer.state_dict())
    torch.save(saved, tmp_path / "checkpoint.pth")
    torch.manual_seed(99)
    again = pair(family)
    other = optimizer_of(again)
    loaded = torch.load(tmp_path / "checkpoint.pth", weights_only=True)
    again.load_state_dict(loaded["model"])
    other.load_state_dict(loaded["optimizer"])
    left = steps(model, optimizer, family, 1)[0]
    right = steps(again, other, family, 1)[0]
    assert left.keys() == right.keys()
    assert all(torch.equal(left[key], right[key]) for key in left)
    ours, theirs = model.state_dict(), again.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_plain_checkpoint_fills_both_and_both_predict_like_it(family, tmp_path):
    torch.manual_seed(1)
    plain = build(family, without_threshold(small_config(family))).eval()
    awaken(plain)
    save_checkpoint(dict(state_dict=plain.state_dict(), meta={}), str(tmp_path / "plain.pth"))
    model = pair(family).eval()
    load_checkpoint(model, str(tmp_path / "plain.pth"), map_location="cpu")
    for role in (model.student, model.teacher):
        for key, value in plain.state_dict().items():
            assert torch.equal(role.state_dict()[key], value)
    data = dict(inputs=[torch.full((3, 64, 64), 90, dtype=torch.uint8)], data_samples=[sample()])
    expected = predicted(plain, data)
    assert len(expected) > 0
    for name in ("teacher", "student"):
        model.predict_with = name
        found = predicted(model, data)
        assert found.keys() == expected.keys()
        for key in ("bboxes", "scores", "labels"):
            torch.testing.assert_close(found[key], expected[key])


@torch.no_grad()
def predicted(model, data):
    return model.test_step(copy.deepcopy(data))[0].pred_instances


def test_a_family_that_cannot_carry_weights_works_and_says_so_by_name():
    """RetinaNet with free anchors: named in the log when it is built, trained with weight 1."""
    cfg = small_config("retinanet")
    cfg.bbox_head.type = "FreeAnchorRetinaHead"
    cfg.bbox_head.loss_bbox = dict(type="SmoothL1Loss")
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        model = pair("retinanet", cfg)
    finally:
        logger.removeHandler(handler)
    said = [r.getMessage() for r in records if "does not support weights" in r.getMessage()]
    assert len(said) == 1
    assert "bbox_head (FreeAnchorRetinaHead)" in said[0]
    log = steps(model, optimizer_of(model), "retinanet", 1)[0]
    assert log["pseudo/kept"] == 3
    assert log["loss"].isfinite()
