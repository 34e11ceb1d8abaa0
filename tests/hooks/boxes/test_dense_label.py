"""Dense labels: what the student learns, from which places, and which views and detectors fit."""

import pytest
import torch

from ssdet.hooks import DenseLabelHook, EraseHook, PseudoMixupHook, StepHook
from ssdet.losses import dense_classes, richest
from ssdet.registry import MODELS

from ...families.detectors import initialized, sample, small_config
from ...helpers import build_pair, losses, multi_branch, total
from ...seg_helpers import build_seg

SHIFT = [[1, 0, 2], [0, 1, 0], [0, 0, 1]]


class Keeps(StepHook):
    """Keeps the step."""

    def after_loss(self, step):
        self.step = step


def pair(family="retinanet", *hooks, **settings):
    cfg = dict(type="TeacherStudentDetector", detector=small_config(family), **settings)
    model = initialized(MODELS.build(cfg)).train()
    for hook in hooks:
        model.attach(hook)
    return model


@pytest.mark.parametrize("family", ["retinanet", "fcos", "atss", "gfl", "rtmdet"])
def test_a_student_that_says_the_same_has_no_box_loss_and_learns_the_classes_down(family):
    """Teacher and student have the same weights; the strong view has the same pixels."""
    hook = DenseLabelHook(ratio=0.1)
    model = pair(family, hook)
    model.eval()  # batch statistics would set the student apart
    batch = multi_branch(sup=0, unsup=2)
    batch["inputs"]["unsup_student"] = [each.clone() for each in batch["inputs"]["unsup_teacher"]]
    found = losses(model, batch)
    assert found["unsup_loss_dense_box"].item() == pytest.approx(0, abs=1e-5)
    assert ("unsup_loss_dense_quality" in found) == (family in ("fcos", "atss"))
    # Inside of the region nothing is left to learn: the loss is that of the places outside.
    assert found["unsup_loss_dense_cls"] > 0 and torch.isfinite(total(found))
    assert "unsup_loss_cls" not in found


def test_the_losses_are_those_of_the_head_outputs():
    hook, keeps = DenseLabelHook(ratio=0.1, cls=3.0, gamma=1.5), Keeps()
    model = pair("retinanet", hook, keeps, unsup_weight=2.0)
    found = losses(model, multi_branch(sup=1, unsup=2))
    step = keeps.step
    with torch.no_grad():
        student = model.forward_outputs(step.strong["unsup_student"]).flatten()[0].flatten(0, 1)
    teacher = step.teacher_outputs["unsup_teacher"].flatten()[0].sigmoid().flatten(0, 1)
    region = richest(teacher.amax(-1), 0.1)
    expected = 2 * 3 * dense_classes(student, teacher, region, 1.5)
    assert found["unsup_loss_dense_cls"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert found["dense/score"].item() == pytest.approx(
        teacher.amax(-1)[region].mean().item(), rel=1e-5
    )
    total(found).backward()
    assert all(p.grad is not None for p in model.student.bbox_head.parameters())
    assert all(p.grad is None for p in model.teacher.parameters())


def test_a_region_of_each_image_or_of_the_batch():
    scores = torch.tensor([[0.9, 0.8, 0.7, 0.6], [0.5, 0.4, 0.3, 0.2]])
    valid = torch.ones_like(scores).bool()
    of_batch = DenseLabelHook(ratio=0.5)._region(scores, valid)
    of_image = DenseLabelHook(ratio=0.5, per_image=True)._region(scores, valid)
    assert of_batch.sum(1).tolist() == [4, 0] and of_image.sum(1).tolist() == [2, 2]


def test_places_in_the_padding_learn_nothing():
    """Two images of different height: the rows below the smaller one get no gradient."""
    model = pair("fcos", DenseLabelHook(ratio=1.0))
    batch = multi_branch(sup=0, unsup=2)
    for branch in batch["inputs"]:
        batch["inputs"][branch][1] = batch["inputs"][branch][1][:, :32]
        batch["data_samples"][branch][1].set_metainfo(dict(img_shape=(32, 64), pad_shape=(32, 64)))
    seen = []
    handle = model.student.bbox_head.register_forward_hook(
        lambda _, __, maps: seen.extend(one.retain_grad() or one for one in maps[0])
    )
    total(losses(model, batch)).backward()
    handle.remove()
    first = seen[0].grad  # (2, 3, 8, 8): cells of 8 pixels
    assert (
        (first[1, :, 4:] == 0).all()
        and (first[1, :, :4] != 0).any()
        and (first[0, :, 4:] != 0).any()
    )


def test_views_of_other_geometry_are_refused_even_during_the_burn_in():
    model = pair("retinanet", DenseLabelHook(), burn_in=9)
    losses(model, multi_branch())
    with pytest.raises(ValueError, match=r"differ in their geometry.*2\.0.*Put all transforms"):
        losses(model, multi_branch(homography=SHIFT))


def test_a_hook_that_mixes_images_is_refused_and_one_that_erases_is_not():
    losses(pair("retinanet", DenseLabelHook(), EraseHook()), multi_branch())
    mixed = pair("retinanet", PseudoMixupHook(), DenseLabelHook())
    with pytest.raises(ValueError, match="PseudoMixupHook moves what is seen"):
        losses(mixed, multi_branch())


@pytest.mark.parametrize("family", ["tood", "yolox", "faster_rcnn", "dino"])
def test_other_heads_are_refused_by_name(family):
    model = MODELS.build(dict(type="TeacherStudentDetector", detector=small_config(family)))
    with pytest.raises(TypeError, match=r"DenseLabelHook: compares .* not with a \w+ \("):
        model.attach(DenseLabelHook())


def test_a_segmentor_and_a_foreign_teacher_are_refused():
    with pytest.raises(TypeError, match="compares dense heads"):
        build_seg().attach(DenseLabelHook())
    other = build_pair(teacher=dict(model=small_config("gfl")))
    with pytest.raises((TypeError, ValueError), match="DenseLabelHook"):
        other.attach(DenseLabelHook())


def test_a_joint_pass_compares_the_same_places():
    """Labeled images are larger here, so that the strong views of the pass are padded."""
    model = pair("retinanet", DenseLabelHook(ratio=0.1), joint_pass=True)
    batch = multi_branch(sup=1, unsup=1)
    batch["inputs"]["sup"][0] = torch.randint(0, 255, (3, 96, 128), dtype=torch.uint8)
    batch["data_samples"]["sup"][0] = sample(size=(96, 128))
    assert torch.isfinite(total(losses(model, batch)))
