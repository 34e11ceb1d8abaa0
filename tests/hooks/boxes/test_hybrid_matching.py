"""Hybrid matching: which stage, what learns in it, and that the second stage is the detector's."""

from types import SimpleNamespace

import pytest
import torch

from ssdet.hooks import HybridMatchingHook
from ssdet.losses import OneToManyLoss
from ssdet.models.staged_matching import weights_of

from ...families.detectors import initialized, sample, small_config
from ...families.hugging_face import hf_config
from ...helpers import build_pair, losses, multi_branch, total

FAMILIES = ("dino", "deformable_detr")


def pair(cfg, *hooks):
    torch.manual_seed(0)
    model = initialized(build_pair(cfg))
    for hook in hooks:
        model.attach(hook)
    return model


@pytest.fixture(scope="module", params=FAMILIES)
def models(request):
    """The same detector without the hook, and with it."""
    cfg = small_config(request.param)
    return pair(cfg), pair(cfg, HybridMatchingHook(switch=2))


def step_of(model, iteration, seed=3):
    torch.manual_seed(seed)
    batch = multi_branch()
    model.iteration = iteration
    torch.manual_seed(seed)
    return losses(model, batch)


def test_the_second_stage_of_labeled_images_is_that_of_the_detector(models):
    plain, staged = models
    one, other = (step_of(model, 2) for model in models)
    for name in (name for name in one if name.startswith("sup_")):
        assert torch.equal(torch.as_tensor(one[name]), torch.as_tensor(other[name])), name
    assert one.keys() - {"pseudo/kept"} <= other.keys() | {"matching/queries"}
    assert staged.student.state_dict().keys() == plain.student.state_dict().keys()


def test_the_first_stage_has_the_losses_of_several_queries(models):
    """Those of the last layer, computed once more from the queries of the student."""
    _, staged = models
    head = staged.student.bbox_head
    seen = []
    rule = OneToManyLoss(weights_of(head))

    class Spy:
        def __call__(self, *args):
            found = rule(*args)
            seen.append((args, found))
            return found

    staged.hooks[0]._enter(0)
    assert head.one_to_many == rule and staged.teacher.bbox_head.one_to_many == rule
    boxes = [sample([(4, 4, 40, 40), (30, 20, 60, 60)]), sample([])]
    head.one_to_many = Spy()
    found = staged.student.loss(torch.randn(2, 3, 64, 64), boxes)
    layers = 2 + ("enc_loss_cls" in found)
    assert len(seen) == layers and torch.isfinite(total(found))
    last = seen[len(seen) - 1 - ("enc_loss_cls" in found)]
    assert found["loss_cls"] is last[1]["cls"] and found["loss_iou"] is last[1]["iou"]
    (_, _, targets, _), _ = last
    assert targets[0].boxes[0].tolist() == pytest.approx([22 / 64, 22 / 64, 36 / 64, 36 / 64])
    matched = rule.match(*last[0][:3])
    assert len(matched[0][0]) > 2 and len(matched[1][0]) == 0


def test_the_stages_follow_the_iteration(models):
    _, staged = models
    heads = staged.student.bbox_head, staged.teacher.bbox_head
    for iteration, queries in ((0, 13), (1, 13), (2, 1), (0, 13)):
        found = step_of(staged, iteration)
        assert found["matching/queries"] == queries and torch.isfinite(total(found))
        assert all((head.one_to_many is not None) == (queries > 1) for head in heads)
        assert all((head.suppress is not None) == (queries > 1) for head in heads)


def test_denoising_learns_from_labels_alone_at_first(monkeypatch):
    staged = pair(small_config("dino"), HybridMatchingHook(switch=2))
    monkeypatch.setattr(staged, "label", confident(staged.label))
    early, late = (step_of(staged, iteration) for iteration in (0, 2))
    assert early["sup_dn_loss_cls"] > 0 and late["unsup_dn_loss_cls"] > 0
    assert early["unsup_dn_loss_cls"] == 0 and early["unsup_loss_cls"] > 0
    assert early["unsup_d0.dn_loss_bbox"] == 0


def confident(label):
    def surely(*args, **kwargs):
        found = label(*args, **kwargs)
        for boxes in found:
            boxes.scores = 0.9 + 0.1 * boxes.scores
        return found

    return surely


# Three queries of one object, the second one a little beside, and one of another object.
LOGITS = torch.tensor([[2.0, -9, -9], [1.0, -9, -9], [0.0, 3.0, -9]])
BOXES = torch.tensor([[0.3, 0.3, 0.4, 0.4], [0.32, 0.3, 0.4, 0.4], [0.7, 0.7, 0.2, 0.2]])
META = dict(img_shape=(50, 100), scale_factor=(0.5, 0.5))


def test_duplicates_are_suppressed_by_class(models, monkeypatch):
    head = models[1].student.bbox_head
    head.suppress = None
    monkeypatch.setitem(head.test_cfg, "max_per_img", 9)
    plain = head._predict_by_feat_single(LOGITS, BOXES, META, rescale=True)
    head.suppress = (0.01, 0.6)
    found = head._predict_by_feat_single(LOGITS, BOXES, META, rescale=True)
    assert len(plain) == 9  # every class of every query
    assert found.labels.tolist() == [1, 0, 0]
    assert found.scores.tolist() == pytest.approx([0.9525741, 0.8807971, 0.5])
    assert found.bboxes[1].tolist() == pytest.approx([20, 10, 100, 50])
    assert torch.allclose(found.bboxes, plain.bboxes[[0, 1, 3]])
    head.suppress = (0.9, 0.6)
    assert len(head._predict_by_feat_single(LOGITS, BOXES, META, rescale=False)) == 1


def test_labels_have_no_duplicates_in_any_stage(models):
    _, staged = models
    hook = staged.hooks[0]
    head = staged.teacher.bbox_head
    for iteration in (0, 2):
        hook._enter(iteration)
        before = head.suppress
        with hook.teacher_pass(SimpleNamespace(iteration=iteration)):
            assert head.suppress == (0.01, 0.6)
        assert head.suppress == before == (None if iteration else (0.01, 0.6))
    staged.iteration = 1
    hook.before_val_epoch(None)
    assert head.suppress is not None
    staged.iteration = 2
    hook.before_test_epoch(None)
    assert head.suppress is None


@pytest.mark.parametrize("family", ["rt_detr_v2", "deformable_detr"])
def test_detectors_of_hugging_face(family):
    model = build_pair(hf_config(family, nms=0.7))
    model.attach(HybridMatchingHook(switch=2))
    model.label = confident(model.label)
    early, late = (step_of(model, iteration) for iteration in (0, 2))
    assert torch.isfinite(total(early)) and torch.isfinite(total(late))
    assert early.keys() == late.keys() and model.student.limits.nms == 0.7
    if family == "rt_detr_v2":
        assert early["unsup_dn_d0.loss_cls"] == 0 < late["unsup_dn_d0.loss_cls"]
        assert early["sup_dn_d0.loss_cls"] > 0
    model.hooks[0]._enter(1)
    criterion = model.student.network.loss_function
    assert (
        criterion.one_to_many.weights == criterion.loss.weights and model.teacher.limits.nms == 0.6
    )


def test_others_are_refused_by_name():
    for cfg, says in (
        (small_config("retinanet"), "not with a RetinaNet"),
        (hf_config("detr"), r"not with a HFDetector \(detr\)"),
        (small_config("faster_rcnn"), "not with a FasterRCNN"),
    ):
        with pytest.raises(TypeError, match=f"HybridMatchingHook: matches boxes .*{says}"):
            build_pair(cfg).attach(HybridMatchingHook(switch=1))


def test_a_training_that_ends_too_early_is_told(monkeypatch, models):
    said = []
    monkeypatch.setattr(
        "ssdet.hooks.boxes.hybrid_matching.print_log", lambda text, **_: said.append(text)
    )
    for length in (1, 2):
        models[1].hooks[0].before_train(SimpleNamespace(max_iters=length, iter=0, cfg={}))
    assert len(said) == 1 and "ends at 1, before switch=2" in said[0]


def test_settings_are_checked():
    for settings, says in (
        (dict(switch=-1), "switch=-1"),
        (dict(switch=1, topk=0), "topk=0"),
        (dict(switch=1, nms=1.5), "nms=1.5"),
    ):
        with pytest.raises(ValueError, match=says):
            HybridMatchingHook(**settings)
