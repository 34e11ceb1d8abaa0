"""Losses and gradients are those of MMDetection's SoftTeacher and SemiBaseDetector."""

import copy

import pytest
import torch
from mmdet.models.task_modules.samplers import RandomSampler
from mmdet.registry import MODELS as MMDET_MODELS
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope

from ssdet.hooks import BackgroundScoreHook, BoxJitterHook, FixedThresholdHook, StepHook
from ssdet.registry import MODELS
from ssdet.teacher_student.phase import Phase

from ...families.detectors import initialized, sample, small_config

FLIP = [[-1.0, 0, 64], [0, 1, 0], [0, 0, 1]]
MOVE = [[0.75, 0, 10], [0, 0.75, 4], [0, 0, 1]]
IDENTITY = [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]
choose = RandomSampler.random_choice


@pytest.fixture(autouse=True)
def same_draws(monkeypatch):
    """What a sampler draws depends on what it draws from, and not on who has drawn before."""

    def draw(self, gallery, num):
        torch.manual_seed(1000 * len(gallery) + num)
        return choose(self, gallery, num)

    monkeypatch.setattr(RandomSampler, "random_choice", draw)


def batch():
    torch.manual_seed(5)
    inputs = {"sup": torch.randn(1, 3, 64, 64)}
    inputs |= {name: torch.randn(2, 3, 64, 64) for name in ("unsup_teacher", "unsup_student")}
    weak, strong = [sample(), sample()], [sample(), sample()]
    for view, matrix in zip(weak + strong, (FLIP, IDENTITY, MOVE, FLIP), strict=True):
        view.set_metainfo(dict(homography_matrix=torch.tensor(matrix).numpy()))
    labeled = sample([(4, 4, 36, 36), (30, 28, 62, 60)])
    return inputs, {"sup": [labeled], "unsup_teacher": weak, "unsup_student": strong}


def detector(agnostic=False):
    cfg = small_config("faster_rcnn")
    cfg.roi_head.bbox_head.reg_class_agnostic = agnostic
    cfg.train_cfg.rcnn.sampler.num = 40  # less than there are proposals
    cfg.test_cfg.rcnn.score_thr = 0.0
    return cfg


@torch.no_grad()
def theirs(kind, cfg, **settings):
    """A model of MMDetection, its student and teacher different and with opinions."""
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MMDET_MODELS.build(
            dict(type=kind, detector=cfg, semi_train_cfg=ConfigDict(settings), semi_test_cfg={})
        )
    torch.manual_seed(0)
    initialized(model).eval()
    for network, strength in ((model.student, 0.3), (model.teacher, 0.5)):
        head = network.roi_head.bbox_head
        head.fc_cls.weight.normal_(0, strength)
        head.fc_reg.weight.normal_(0, 0.05)
        network.rpn_head.rpn_cls.weight.normal_(0, 0.1)
    model.student.train()
    return model


def ours(reference, cfg, *hooks, **settings):
    model = MODELS.build(dict(type="TeacherStudentDetector", detector=cfg, **settings)).train()
    model.student.load_state_dict(reference.student.state_dict())
    model.teacher.load_state_dict(reference.teacher.state_dict())
    for hook in hooks:
        model.attach(hook)
    return model


def gradients(losses, model):
    parts = [sum(v) if isinstance(v, list) else v for k, v in losses.items() if "loss" in k]
    sum(part.sum() for part in parts).backward()
    return {name: p.grad for name, p in model.student.named_parameters() if p.requires_grad}


def compare(reference, model, minimum=1e-3):
    inputs, samples = batch()
    expected = reference.loss(copy.deepcopy(inputs), copy.deepcopy(samples))
    found = model.loss(*batch())
    assert {k for k in found if "loss" in k} == {k for k in expected if "loss" in k}
    for name, value in ((k, v) for k, v in expected.items() if "loss" in k):
        assert (sum(value) if isinstance(value, list) else value) > minimum, name
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)
    wanted = gradients(expected, reference)
    for name, gradient in gradients(found, model).items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-3, atol=1e-5)
    return found


class Seed(StepHook):
    """The jitter of both sides starts from here."""

    phase = Phase.LABEL

    def after_teacher(self, step):
        torch.manual_seed(7)


@pytest.mark.parametrize("agnostic", [False, True])
def test_soft_teacher(agnostic):
    cfg = detector(agnostic)
    limits = dict(cls_pseudo_thr=0.6, rpn_pseudo_thr=0.7, reg_pseudo_thr=0.045)
    reference = theirs(
        "SoftTeacher",
        cfg,
        pseudo_label_initial_score_thr=0.5,
        jitter_times=10,
        jitter_scale=0.06,
        unsup_weight=4.0,
        **limits,
    )
    spread = reference.compute_uncertainty_with_aug

    def seeded(*args):
        torch.manual_seed(7)
        return spread(*args)

    reference.compute_uncertainty_with_aug = seeded
    jitter = BoxJitterHook(10, scale=0.06, max_spread=limits["reg_pseudo_thr"])
    threshold = FixedThresholdHook(0.5, cls=0.6, rpn=0.7)
    last = Sets()
    model = ours(
        reference, cfg, threshold, Seed(), jitter, BackgroundScoreHook(), last, unsup_weight=4.0
    )
    found = compare(reference, model)
    # Each set leaves something out, and none is the same as another.
    assert 0 < last.sizes["rpn"] < last.sizes["cls"] < last.all
    assert 0 < last.sizes["box"] < last.all
    assert 0.05 < found["background_score/mean_0"] < 0.95


class Sets(StepHook):
    """Remembers how many boxes there are for each task."""

    phase = Phase.LABEL

    def after_loss(self, step):
        boxes = [sample.gt_instances for sample in step.targets["unsup_student"]]
        self.all = sum(len(each) for each in boxes)
        self.sizes = {t: int(sum(b[f"in_{t}"].sum() for b in boxes)) for t in ("rpn", "cls", "box")}


def test_mean_teacher():
    cfg = detector()
    reference = theirs("SemiBaseDetector", cfg, cls_pseudo_thr=0.6, unsup_weight=2.0)
    model = ours(reference, cfg, FixedThresholdHook(0.6), unsup_weight=2.0)
    compare(reference, model)


def test_each_part_of_soft_teacher_changes_the_losses():
    """The parity test would notice a part that does nothing."""
    cfg = detector()
    reference = theirs("SemiBaseDetector", cfg, cls_pseudo_thr=0.6)
    parts = [
        FixedThresholdHook(0.5, cls=0.6, rpn=0.7),
        BoxJitterHook(max_spread=0.045),
        BackgroundScoreHook(),
    ]
    results = []
    for count in range(4):
        model = ours(reference, cfg, *parts[:1], Seed(), *parts[1:count]) if count else None
        model = model or ours(reference, cfg, FixedThresholdHook(0.5))
        results.append(model.loss(*batch()))
    names = ["unsup_loss_rpn_cls", "unsup_loss_bbox", "unsup_loss_cls"]
    for name, before, after in zip(names, results[:3], results[1:], strict=True):
        first, second = (
            sum(r[name]) if isinstance(r[name], list) else r[name] for r in (before, after)
        )
        assert abs(first - second) > 1e-3, name
