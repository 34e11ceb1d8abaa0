"""Bidirectional copy-paste: patches, pairs, weights, burn-in; on pictures of one number each."""

import pytest
import torch
from mmengine.structures import PixelData

from ssdet.hooks import CopyPasteHook, LargestComponentHook, StepHook
from ssdet.losses import pixel_mean
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.step import PixelLabels, Step, Views

from ...helpers import build_pair, losses, total
from ...seg_helpers import build_seg, seg_batch, seg_sample

SIZE = (6, 9)  # the patch has 4 x 6 pixels
NAME = "unsup_student"


def step_of(labeled=2, unlabeled=2, iteration=0, reduction="valid"):
    """Labeled image i shows i + 1 and has this label, strong view i shows 11 + i."""
    model = build_seg(reduction=reduction)
    step = Step(model, iteration)
    shown = torch.arange(1.0, labeled + 1).view(-1, 1, 1).expand(labeled, *SIZE)
    step.sup = Views(shown[:, None].repeat(1, 3, 1, 1), [seg_sample(SIZE, gt=s) for s in shown])
    shown = torch.arange(11.0, unlabeled + 11).view(-1, 1, 1).expand(unlabeled, *SIZE)
    inputs = shown[:, None].repeat(1, 3, 1, 1)
    step.strong[NAME] = Views(inputs, [seg_sample(SIZE) for _ in range(unlabeled)])
    ones = torch.ones_like(shown)
    step.targets[NAME] = PixelLabels(shown.long(), ones * 0.5, ones, ones.bool())
    return step


def mixed(step, **settings):
    hook = CopyPasteHook("bidirectional", **settings)
    hook.on_attach(step.model)
    hook.before_student(step)
    return step.strong[NAME].inputs[:, 0], step.targets[NAME]


def test_half_get_a_labeled_patch_and_half_are_the_patch():
    shown, targets = mixed(step_of())
    first, second = (image.unique(return_counts=True) for image in shown)
    assert [part.tolist() for part in first] == [[1, 11], [24, 30]]
    assert [part.tolist() for part in second] == [[2, 12], [30, 24]]
    assert torch.equal(shown[0] == 1, shown[1] == 12), "one patch for the batch"
    assert torch.equal(targets.labels, shown.long())
    annotated = shown < 10
    assert (targets.scores[annotated] == 1).all() and (targets.scores[~annotated] == 0.5).all()
    assert targets.valid.all()


def test_a_patch_for_each_image():
    torch.manual_seed(0)
    shown, _ = mixed(step_of(), per_image=True)
    assert not torch.equal(shown[0] == 1, shown[1] == 12)


@pytest.mark.parametrize(("patch", "pixels"), [("grid", 9 * 1 * 2), ("strip", 2 * 9)])
def test_other_patches(patch, pixels):
    # Cells of 2 x 3 with patches of 1 x 2; a strip of 4/9 of 6 rows.
    shown, _ = mixed(step_of(), patch=patch)
    assert (shown[0] == 1).sum() == pixels


@pytest.mark.parametrize("alpha", [0.5, 1.0])
@pytest.mark.parametrize("reduction", ["valid", "kept"])
def test_every_part_has_its_own_mean(alpha, reduction):
    """Losses 1, 2, 3, 4 on the four parts, whatever their sizes and what is not kept of them."""
    step = step_of(reduction=reduction)
    step.targets[NAME].valid[0, :, :2] = False
    shown, targets = mixed(step, alpha=alpha)
    values = {1: 1.0, 11: 2.0, 12: 4.0, 2: 3.0}
    losses = torch.zeros_like(shown)
    for number, value in values.items():
        losses[shown == number] = value
    found = pixel_mean(losses, targets.weights, targets.valid, reduction)
    assert found == pytest.approx((1 + 3 + alpha * (2 + 4)) / (2 + 2 * alpha))


def test_what_a_threshold_has_dropped_counts_in_the_mean_or_not():
    for reduction, parts in (("valid", 3), ("kept", 2.5)):
        step = step_of(reduction=reduction)
        step.targets[NAME].weights[0] = 0.0  # the first strong view is not sure of anything
        shown, targets = mixed(step)
        losses = torch.zeros_like(shown)
        for number, value in {1: 1.0, 11: 2.0, 12: 4.0, 2: 3.0}.items():
            losses[shown == number] = value
        found = pixel_mean(losses, targets.weights, targets.valid, reduction)
        assert found == pytest.approx((1 + 3 + 0.5 * 4) / parts)


def test_what_is_annotated_as_ignored_is_not_valid():
    step = step_of()
    for sample in step.sup.samples:
        sample.gt_sem_seg = PixelData(data=torch.full((1, *SIZE), 255))
    shown, targets = mixed(step)
    assert torch.equal(targets.valid, shown > 10)
    assert (targets.labels[shown < 10] == 255).all() and not targets.weights[shown < 10].any()


def test_a_batch_of_one_takes_turns():
    first, _ = mixed(step_of(unlabeled=1, iteration=4))
    second, _ = mixed(step_of(unlabeled=1, iteration=5))
    assert (first == 1).sum() == 24 and (second == 11).sum() == 24


def test_labeled_images_are_used_in_turn_and_have_served():
    step = step_of(labeled=2, unlabeled=5)
    shown, _ = mixed(step)
    assert [int(image.min()) for image in shown] == [1, 2, 1, 2, 1]
    assert step.sup is None
    step = step_of()
    mixed(step, supervised=True)
    assert step.sup is not None


def test_labeled_images_of_another_size():
    step = step_of()
    step.sup.inputs = step.sup.inputs[:, :, :, :5]
    for sample in step.sup.samples:
        sample.gt_sem_seg = PixelData(data=sample.gt_sem_seg.data[..., :5])
    shown, targets = mixed(step)
    assert torch.equal(targets.valid, shown > 0), "beyond the labeled image nothing is valid"
    assert not (shown[:, :, 5:] == 1).any()


def test_labeled_images_are_mixed_among_themselves_in_the_burn_in():
    step = step_of(labeled=4)
    step.model.burn_in = 3
    before = step.sup
    hook = CopyPasteHook("bidirectional")
    hook.on_attach(step.model)
    hook.before_teacher(step)
    shown = step.sup.inputs[:, 0]
    assert [image.unique().tolist() for image in shown] == [[1, 3], [2, 4], [1, 3], [2, 4]]
    assert (shown[0] == 3).sum() == 24 and torch.equal(shown[0] == 3, shown[2] == 1)
    labels = torch.stack([sample.gt_sem_seg.data[0] for sample in step.sup.samples])
    assert torch.equal(labels, shown)
    assert (before.inputs[0] == 1).all() and (before.samples[0].gt_sem_seg.data == 1).all()
    step.iteration, step.sup = 3, before
    hook.before_teacher(step)
    assert step.sup is before, "after the burn-in they are mixed with unlabeled ones"


def test_one_labeled_image_has_no_partner():
    step = step_of(labeled=1)
    step.model.burn_in = 1
    hook = CopyPasteHook("bidirectional")
    hook.on_attach(step.model)
    hook.before_teacher(step)
    assert step.log["copy_paste/skipped"] == 1


def test_training_with_soft_labels_several_views_and_a_burn_in():
    model = build_seg(burn_in=1)
    asking = StepHook()
    asking.needs = {"soft_targets"}
    model.attach(asking)
    model.attach(CopyPasteHook("bidirectional", patch="grid"))
    batch = seg_batch(views=2)
    assert set(losses(model, batch)) >= {"sup_decode.loss_ce"}
    found = losses(model, batch)
    assert {"unsup_decode.loss_ce", "unsup_2_decode.loss_ce"} <= set(found)
    assert not any(key.startswith("sup_") for key in found)
    total(found).backward()
    assert all(p.grad is not None for p in model.student.parameters() if p.requires_grad)


def test_other_modes_and_reductions_are_refused():
    with pytest.raises(ValueError, match="mode='unlabeled' pastes objects"):
        build_seg().attach(CopyPasteHook("unlabeled"))
    with pytest.raises(ValueError, match="prob is not for a TeacherStudentSegmentor"):
        build_seg().attach(CopyPasteHook(prob=0.5))
    with pytest.raises(ValueError, match="reduction='image'"):
        build_seg(reduction="image").attach(CopyPasteHook())


# ---------------------------------------------------------------------- the largest component


def cleaned(rows, **settings):
    labels = torch.tensor([[int(sign) for sign in row] for row in rows])[None]
    labels = labels.where(labels != 9, 255)
    ones = torch.ones(labels.shape)
    step = Step(None, 0, pseudo=PixelLabels(labels, ones, ones, labels != 255))
    LargestComponentHook(**settings).after_teacher(step)
    return ["".join(str(min(v, 9)) for v in row) for row in step.pseudo.labels[0].tolist()], step


def test_the_largest_component_of_each_class_stays():
    found, step = cleaned([
        "110020",
        "100222",
        "000001",
        "900001",
    ])  # fmt: skip
    # Three pixels of class 1 hang together, two more do not; class 2 is whole.
    assert found == ["110020", "100222", "000000", "900000"]
    assert step.log["components/removed"] == pytest.approx(2 / 23)


def test_diagonal_neighbors_hang_together():
    assert cleaned(["100", "010", "001"])[0] == ["100", "010", "001"]


def test_small_components_go_altogether():
    assert cleaned(["1100", "0002"], min_area=2)[0] == ["1100", "0000"]


def test_another_background():
    assert cleaned(["0110", "0112"], background=1)[0] == ["0111", "0112"]


def test_nothing_but_background_or_nothing_valid():
    assert cleaned(["000"])[0] == ["000"]
    assert cleaned(["999"])[0] == ["999"]


def test_a_wrong_model_or_class_is_refused():
    with pytest.raises(TypeError, match="not with a TeacherStudentDetector"):
        build_pair().attach(LargestComponentHook())
    with pytest.raises(ValueError, match="background=4, but the model has 4 classes"):
        build_seg().attach(LargestComponentHook(background=4))


def test_the_cleaned_labels_reach_the_student():
    class Says(StepHook):
        phase = Phase.LABEL

        def after_teacher(self, step):
            step.pseudo.labels[:] = 0
            step.pseudo.labels[:, 4:20, 4:20] = 1
            step.pseudo.labels[:, 28, 28] = 1

        def after_loss(self, step):
            self.targets = step.targets[NAME]

    model, says = build_seg(), Says()
    model.attach(says)
    model.attach(LargestComponentHook())
    losses(model, seg_batch())
    assert says.targets.labels.sum() == 2 * 16 * 16
