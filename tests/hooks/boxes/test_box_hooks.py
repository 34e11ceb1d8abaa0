"""Box jitter, box spread, background scores and stage agreement on small detectors."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from mmdet.models.roi_heads import CascadeRoIHead
from mmengine import MessageHub

from ssdet.hooks import (
    BackgroundScoreHook,
    BoxJitterHook,
    BoxSpreadHook,
    FixedThresholdHook,
    PseudoMixupHook,
    StageAgreementHook,
    StepHook,
    TaskWeightHook,
)
from ssdet.registry import MODELS
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.pseudo_boxes import ALL_STAGES, AMBIGUOUS, HIGH, PseudoBoxes
from ssdet.teacher_student.weights import honor_weights
from ssdet.teacher_student.weights.sparse import scored_negatives

from ...families import detectors
from ...families.detectors import build, initialized, sample, small_config
from ...helpers import instances, losses, multi_branch, pseudo, total
from ...seg_helpers import build_seg

FLIP = [[-1, 0, 64], [0, 1, 0], [0, 0, 1]]
BOXES = [[2, 2, 34, 34], [30, 28, 62, 62]]
DENSE = ("retinanet", "fcos", "atss", "gfl", "tood", "rtmdet", "yolox")


class Says(StepHook):
    """Replaces what the teacher said, and keeps the step."""

    phase = Phase.LABEL

    def __init__(self, *boxes):
        self.boxes = boxes

    def after_teacher(self, step):
        if self.boxes:
            for boxes in self.boxes:
                if step.pseudo[0].get("masks") is not None:
                    boxes.masks = torch.zeros(len(boxes), 64, 64, dtype=torch.bool)
                    boxes.masks[:, 10:30, 10:30] = True
            step.pseudo[:] = [boxes.clone() for boxes in self.boxes]
        self.step = step


def room_for_everything(cfg):
    """The samplers draw nothing."""
    stages = cfg.train_cfg.rcnn if isinstance(cfg.train_cfg.rcnn, list) else [cfg.train_cfg.rcnn]
    for stage in [cfg.train_cfg.rpn, *stages]:
        stage.sampler.update(num=100000)
    return cfg


def pair(family, *hooks, cfg=None, **settings):
    MessageHub.get_current_instance().update_info("epoch", 4)
    cfg = cfg or small_config(family)
    model = initialized(MODELS.build(dict(type="TeacherStudentDetector", detector=cfg, **settings)))
    for hook in hooks:
        model.attach(hook)
    return model


def run(family, hook, *boxes, views=1, unsup=None, **settings):
    """Losses of a step in which the teacher says these boxes, and the step."""
    says = Says(*boxes)
    model = pair(family, says, *([hook] if hook else []), **settings)
    batch = multi_branch(sup=0, unsup=unsup or len(boxes) or 1, views=views, homography=FLIP)
    torch.manual_seed(3)
    return losses(model, batch), says.step, model


# ------------------------------------------------------------------------------------ box jitter


@pytest.mark.parametrize("family", ["faster_rcnn", "cascade_rcnn", "mask_rcnn"])
def test_a_head_that_corrects_nothing_returns_the_jitter(family):
    for scale, expected in ((0.0, 0.0), (0.06, 0.06)):
        hook = BoxJitterHook(60, scale=scale, max_spread=0.03)
        says = Says(pseudo([[10, 10, 30, 30]] * 3, [0.9] * 3))
        model = pair(family, says, hook)
        with torch.no_grad():
            for name, parameter in model.teacher.roi_head.named_parameters():
                if "fc_reg" in name:
                    parameter.zero_()
        found = losses(model, multi_branch(sup=0, unsup=1))
        spread = says.step.pseudo[0].spread
        assert spread.tolist() == pytest.approx([expected] * 3, rel=0.25, abs=1e-5)
        assert found["box_jitter/kept"] == (3 if scale == 0 else 0)
        target = says.step.targets["unsup_student"][0].gt_instances
        assert target.in_box.tolist() == [scale == 0] * 3
        assert torch.isfinite(total(found))
    # Nothing is a target of the boxes and masks, and yet the classes are learned.
    name = "s0.loss_" if family == "cascade_rcnn" else "loss_"
    assert found[f"unsup_{name}bbox"] == 0 and found[f"unsup_{name}cls"] > 0
    if family == "mask_rcnn":
        assert found["unsup_loss_mask"] == 0


def test_masks_are_learned_where_boxes_are():
    hook = BoxJitterHook(scale=0.0)
    found, step, _ = run("mask_rcnn", hook, pseudo([[10, 10, 30, 30]], [0.9]))
    target = step.targets["unsup_student"][0].gt_instances
    # The strong view is flipped: columns 10 to 30 are 34 to 54 there.
    assert np.flatnonzero(target.masks.masks[0].any(0)).tolist() == list(range(34, 54))
    assert found["unsup_loss_mask"] > 0 and found["unsup_loss_bbox"] >= 0


@pytest.mark.parametrize("family", ["faster_rcnn", "cascade_rcnn"])
def test_soft_teacher_with_nothing_to_say(family):
    hooks = [FixedThresholdHook(0.5, cls=0.9, rpn=0.9), BoxJitterHook(), BackgroundScoreHook()]
    model = pair(family, Says(pseudo([], []), pseudo([], [])), *hooks)
    found = losses(model, multi_branch(sup=1, unsup=2))
    assert found["unsup_loss"] == 0 and torch.isfinite(total(found))
    # One image has a box, the other has none; two strong views.
    model = pair(family, Says(pseudo([[4, 4, 40, 40]], [0.95]), pseudo([], [])), *hooks)
    found = losses(model, multi_branch(sup=1, unsup=2, views=2))
    assert torch.isfinite(total(found))
    names = {k.removeprefix("unsup_2_") for k in found if k.startswith("unsup_2_")}
    assert names <= {k.removeprefix("unsup_") for k in found} and len(names) >= 4


# ------------------------------------------------------------------------------------ box spread


@pytest.mark.parametrize("family", DENSE)
def test_spread_of_a_dense_detector(family):
    cfg = small_config(family)
    cfg.test_cfg.update(score_thr=0.0, max_per_img=5)
    found, step, _ = run(family, BoxSpreadHook(0.5, min_iou=0.0), cfg=cfg, unsup=2)
    spread = torch.cat([boxes.spread for boxes in step.pseudo])
    inside = torch.cat([boxes.in_box for boxes in step.pseudo])
    assert len(spread) and inside.tolist() == (spread < 0.5).tolist()
    # At its start RTMDet gives boxes of no size, one for each class that is left.
    assert torch.isfinite(spread).any() or family == "rtmdet"
    assert torch.isfinite(total(found))
    assert found["box_spread/kept"] == inside.sum() / 2


# ------------------------------------------------------------------------------ background scores


@pytest.mark.parametrize("family", ["faster_rcnn", "cascade_rcnn"])
def test_negatives_weigh_what_they_score_and_the_mean_is_over_the_weights(family):
    model = build(family, room_for_everything(small_config(family)))
    honor_weights(model)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    counts = {}

    def score(stage, results):
        counts[stage] = [(len(r.pos_priors), len(r.neg_priors)) for r in results]
        return [torch.full((negatives,), 0.25) for _, negatives in counts[stage]]

    def loss(background, scored):
        context = scored_negatives(model.roi_head, score) if scored else nullcontext()
        fields = dict(weight_cls=[1.0] * 2, weight_box=[1.0] * 2, background_weight=background)
        torch.manual_seed(0)
        with context:
            return model.loss(images, [sample(BOXES, **fields), sample(BOXES, **fields)])

    full, positive, scored = loss(1.0, False), loss(0.0, False), loss(1.0, True)
    stages = 3 if family == "cascade_rcnn" else 1
    for stage in range(stages):
        name = f"s{stage}.loss_cls" if stages > 1 else "loss_cls"
        positives, negatives = (sum(image) for image in zip(*counts[stage], strict=True))
        everything = positives + negatives
        of_positives = positive[name] * everything
        of_negatives = full[name] * everything - of_positives
        expected = (of_positives + 0.25 * of_negatives) / (positives + 0.25 * negatives)
        torch.testing.assert_close(scored[name], expected)
    assert all(head.score_negatives is None for head in model.modules() if hasattr(head, "fc_cls"))
    torch.testing.assert_close(loss(1.0, False)["loss_cls" if stages == 1 else name], full[name])


def test_the_sum_of_weights_is_at_least_one():
    model = build("faster_rcnn", room_for_everything(small_config("faster_rcnn")))
    honor_weights(model)
    images = torch.rand(1, 3, 64, 64)
    image = sample([], weight_cls=[], weight_box=[])
    found = {}
    for weight in (1.0, 1e-4):
        torch.manual_seed(0)
        counts = []

        def score(stage, results, weight=weight, counts=counts):
            counts.append(len(results[0].neg_priors))
            return [torch.full((counts[-1],), weight)]

        with scored_negatives(model.roi_head, score):
            found[weight] = model.loss(images, [image])["loss_cls"]
    assert counts[0] * 1e-4 < 1
    torch.testing.assert_close(found[1e-4], found[1.0] * counts[0] * 1e-4)


def test_background_scores_leave_labeled_images_and_boxes_alone():
    cfg = room_for_everything(small_config("faster_rcnn"))
    results = []
    for hooks in ([], [BackgroundScoreHook()]):
        torch.manual_seed(0)
        model = pair("faster_rcnn", Says(pseudo(BOXES, [0.9, 0.8])), *hooks, cfg=cfg)
        torch.manual_seed(1)
        results.append(losses(model, multi_branch(sup=1, unsup=1)))
    plain, scored = results
    for name in plain:
        if name != "unsup_loss_cls" and "loss" in name:
            torch.testing.assert_close(
                torch.as_tensor(scored[name]), torch.as_tensor(plain[name]), msg=name
            )
    assert abs(scored["unsup_loss_cls"] - plain["unsup_loss_cls"]) > 1e-4


def test_mixtures_are_no_views_whose_background_the_teacher_knows():
    for extra in (None, 1.0):
        hooks = [PseudoMixupHook(extra=extra), BackgroundScoreHook()]
        model = pair("faster_rcnn", Says(pseudo(BOXES, [0.9, 0.8])), *hooks)
        first, second = (losses(model, multi_branch(sup=1, unsup=1)) for _ in range(2))
        assert "background_score/mean_0" in first
        assert ("background_score/mean_0" in second) == (extra is not None)
        assert torch.isfinite(total(second))


# ------------------------------------------------------------------------------- stage agreement


@torch.no_grad()
def still(model, moves=()):
    """A teacher whose stages move nothing, or by a share of the box's width."""
    for stage, head in enumerate(model.teacher.roi_head.bbox_head):
        head.fc_reg.weight.zero_()
        head.fc_reg.bias.zero_()
        head.fc_reg.bias[0] = dict(moves).get(stage, 0.0) / head.bbox_coder.stds[0]


@pytest.mark.parametrize(("moves", "quality"), [((), 1.0), ([(1, 0.5)], (1 / 3 + 1) / 2)])
def test_agreement_is_the_quality_of_a_box(moves, quality):
    hook = StageAgreementHook(0.8)
    says = Says(pseudo([[4, 4, 24, 24], [8, 30, 28, 60]], [0.9, 0.8]), pseudo([], []))
    model = pair("cascade_rcnn", says, hook)
    still(model, moves)
    found = losses(model, multi_branch(sup=1, unsup=2))
    boxes = says.step.pseudo[0]
    assert boxes.loc_quality.tolist() == pytest.approx([quality] * 2, abs=1e-5)
    assert boxes.weight_box.tolist() == pytest.approx([quality] * 2, abs=1e-5)
    assert boxes.weight_cls.tolist() == [1, 1]
    assert boxes.in_box.tolist() == [quality > 0.8] * 2
    assert found["stage_agreement/quality"] == pytest.approx(quality, abs=1e-5)
    assert torch.isfinite(total(found))


def test_agreement_without_weights_and_threshold_only_measures():
    hook = StageAgreementHook(weigh=False)
    found, step, _ = run("cascade_rcnn", hook, pseudo([[4, 4, 24, 24]], [0.9]))
    assert "in_box" not in step.pseudo[0] and step.pseudo[0].weight_box.tolist() == [1]
    assert 0 <= found["stage_agreement/quality"] <= 1


def test_late_stages_learn_sure_boxes_alone():
    found = {}
    for name, levels in dict(high=[HIGH] * 2, unsure=[AMBIGUOUS] * 2).items():
        boxes = pseudo(BOXES, [0.9, 0.8])
        boxes.level = torch.tensor(levels)
        hook = StageAgreementHook(weigh=False, max_stage_by_level={1: 1})
        torch.manual_seed(0)
        cfg = room_for_everything(small_config("cascade_rcnn"))
        found[name], step, _ = run("cascade_rcnn", hook, boxes, cfg=cfg)
        target = step.targets["unsup_student"][0].gt_instances
        assert target.max_stage.tolist() == ([ALL_STAGES] * 2 if name == "high" else [1, 1])
    for task in ("bbox", "cls"):
        key = f"unsup_s0.loss_{task}"
        torch.testing.assert_close(found["unsure"][key], found["high"][key])
        assert found["high"][key] > 0
    for stage in (1, 2):
        assert found["high"][f"unsup_s{stage}.loss_bbox"] > 0
        assert found["unsure"][f"unsup_s{stage}.loss_bbox"] == 0
        assert (
            found["unsure"][f"unsup_s{stage}.loss_cls"] < found["high"][f"unsup_s{stage}.loss_cls"]
        )


def test_pasted_boxes_keep_their_stages_and_annotated_ones_have_all():
    pasted, annotated = pseudo(BOXES, [0.9, 0.8]), instances(BOXES)
    pasted.level = torch.tensor([HIGH, AMBIGUOUS])
    StageAgreementHook(max_stage_by_level={1: 1})._limit_stages(pasted)
    assert pasted.max_stage.tolist() == [ALL_STAGES, 1]
    together = PseudoBoxes.cat([annotated, pasted])
    assert together.max_stage.tolist() == [ALL_STAGES, ALL_STAGES, ALL_STAGES, 1]


def test_masks_of_late_stages_follow(monkeypatch):
    name = "cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py"
    monkeypatch.setitem(detectors.CONFIGS, "cascade_mask_rcnn", name)
    boxes = pseudo(BOXES, [0.9, 0.8])
    boxes.level[:] = AMBIGUOUS
    hook = StageAgreementHook(0.0, max_stage_by_level={1: 1})
    cfg = room_for_everything(small_config("cascade_mask_rcnn"))
    found, _, model = run("cascade_mask_rcnn", hook, boxes, cfg=cfg)
    assert found["unsup_s0.loss_mask"] > 0
    assert found["unsup_s1.loss_mask"] == found["unsup_s2.loss_mask"] == 0
    total(found).backward()
    student = model.student.named_parameters()
    assert [name for name, p in student if p.requires_grad and p.grad is None] == []


# ---------------------------------------------------------------------------------- cascade heads


def test_a_cascade_of_one_stage_is_faster_rcnn():
    cfg = room_for_everything(small_config("faster_rcnn"))
    faster = pair("faster_rcnn", cfg=cfg)
    roi = cfg.roi_head.copy()
    roi.update(type="CascadeRoIHead", num_stages=1, stage_loss_weights=[1.0])
    cfg = cfg.copy()
    cfg.update(type="CascadeRCNN", roi_head=roi)
    cfg.train_cfg.rcnn = [cfg.train_cfg.rcnn]
    cascade = pair("cascade_rcnn", cfg=cfg)
    assert isinstance(cascade.student.roi_head, CascadeRoIHead)
    rename = {
        k: k.replace("bbox_head.", "bbox_head.0.").replace("extractor.", "extractor.0.")
        if k.startswith("roi_head")
        else k
        for k in faster.student.state_dict()
    }
    state = {rename[k]: v for k, v in faster.student.state_dict().items()}
    cascade.student.load_state_dict(state)
    cascade.copy_student()
    batch, found = multi_branch(sup=1, unsup=1, homography=FLIP), []
    hooks = [FixedThresholdHook(0.5, cls=0.85, rpn=0.7), BoxJitterHook(max_spread=9)]
    for model in (faster, cascade):
        weighted = pseudo(BOXES, [0.9, 0.8])
        weighted.weight_cls *= 0.3
        weighted.weight_box *= 0.6
        for hook in (Says(weighted), *hooks, BackgroundScoreHook()):
            model.attach(hook)
        torch.manual_seed(1)
        found.append(losses(model, batch))
    compared = 0
    for name, value in found[0].items():
        prefix, _, rest = name.partition("_")
        staged = f"{prefix}_s0.{rest}"
        if "loss" in name:
            other = found[1][staged] if staged in found[1] else found[1][name]
            torch.testing.assert_close(torch.as_tensor(other), torch.as_tensor(value))
            compared += staged in found[1]
    assert compared == 4


def test_the_last_stage_without_positives_is_zero_and_finite():
    model = build("cascade_rcnn")
    honor_weights(model)
    found = model.loss(torch.rand(1, 3, 64, 64), [sample([], weight_cls=[], weight_box=[])])
    assert found["s2.loss_bbox"] == 0 and torch.isfinite(found["s2.loss_cls"])


def test_stage_losses_have_their_weights():
    cfg = room_for_everything(small_config("cascade_rcnn"))
    found = []
    for weights in ([1, 0.5, 0.25], [1, 1, 1]):
        cfg.roi_head.stage_loss_weights = weights
        torch.manual_seed(0)
        found.append(run("cascade_rcnn", None, pseudo(BOXES, [0.9, 0.8]), cfg=cfg)[0])
    for stage, factor in enumerate((1, 0.5, 0.25)):
        for task in ("cls", "bbox"):
            name = f"unsup_s{stage}.loss_{task}"
            torch.testing.assert_close(found[0][name], found[1][name] * factor)


# ------------------------------------------------------------------------------------ task weight


def test_no_box_is_learned_from_pseudo_boxes():
    cfg, found = room_for_everything(small_config("faster_rcnn")), []
    for hook in (None, TaskWeightHook(box=0.0)):
        torch.manual_seed(0)
        found.append(run("faster_rcnn", hook, pseudo(BOXES, [0.9, 0.8]), cfg=cfg)[0])
    assert total({"loss": found[1]["unsup_loss_rpn_bbox"]}) == 0 == found[1]["unsup_loss_bbox"]
    torch.testing.assert_close(found[1]["unsup_loss_cls"], found[0]["unsup_loss_cls"])
    assert found[0]["unsup_loss_bbox"] > 0


# --------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("hook", "family", "says"),
    [
        (BoxJitterHook(), "gfl", "BoxJitterHook: .*not with a GFL"),
        (BackgroundScoreHook(), "fcos", "BackgroundScoreHook: .*not with a FCOS"),
        (StageAgreementHook(), "faster_rcnn", "RoI head of a FasterRCNN has 1"),
        (BoxSpreadHook(), "faster_rcnn", "not with a FasterRCNN"),
        (BoxSpreadHook(), "deformable_detr", "not with a DeformableDETR"),
        (FixedThresholdHook(cls=0.95), "deformable_detr", "FixedThresholdHook: .*DeformableDETR"),
        (FixedThresholdHook(rpn=0.95), "gfl", "a GFL has no RPN"),
    ],
)
def test_models_without_the_needed_heads_are_refused(hook, family, says):
    with pytest.raises(TypeError, match=says):
        pair(family, hook)


def test_box_heads_with_a_sigmoid_cannot_be_weighted_by_a_background():
    cfg = small_config("faster_rcnn")
    cfg.roi_head.bbox_head.loss_cls = dict(type="CrossEntropyLoss", use_sigmoid=True)
    with pytest.raises(TypeError, match="Shared2FCBBoxHead with CrossEntropyLoss cannot"):
        pair("faster_rcnn", BackgroundScoreHook(), cfg=cfg)


@pytest.mark.parametrize(
    "hook", [BoxJitterHook, BoxSpreadHook, BackgroundScoreHook, StageAgreementHook, TaskWeightHook]
)
def test_segmentors_are_refused(hook):
    with pytest.raises(TypeError, match=hook.__name__):
        build_seg().attach(hook())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: BoxJitterHook(1), r"BoxJitterHook: times=1 is not in \[2"),
        (lambda: BoxJitterHook(max_spread=-1), "max_spread=-1"),
        (lambda: BoxSpreadHook(min_iou=2), "min_iou=2"),
        (lambda: StageAgreementHook(1.5), "threshold=1.5"),
        (lambda: StageAgreementHook(max_stage_by_level={0: 1}), "level of max_stage_by_level=0"),
        (lambda: TaskWeightHook(box=-0.1), "box=-0.1"),
    ],
)
def test_settings_are_checked(make, says):
    with pytest.raises(ValueError, match=says):
        make()
