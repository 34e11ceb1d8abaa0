"""The second projection: its labels, its loss, its fading weight, and whom it leaves alone."""

import math

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from torch import nn

from ssdet.hooks import CutMixHook, ExternalLabelsHook, FixedThresholdHook, StepHook
from ssdet.hooks.memory.external_labels import second_labels
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.schedules import annealed
from ssdet.teacher_student.step import Views

from ...helpers import build_pair, losses
from ...seg_helpers import build_seg, seg_batch, seg_sample, tiny_fcn

# Probabilities 1/8, 2/8, 5/8 everywhere.
ODDS = torch.tensor([1.0, 2.0, 5.0]).log()


def pair(num_classes=3, in_channels=8, **settings):
    torch.manual_seed(0)
    head = dict(type="ProjectionHead", in_channels=in_channels, num_classes=num_classes)
    model = build_seg(tiny_fcn(4), auxiliary=dict(second=head), **settings)
    if num_classes == 3:
        nn.init.zeros_(model.auxiliary.second.conv.weight)
        model.auxiliary.second.conv.bias.data = ODDS.clone()
    return model


def with_second(batch, **maps):
    """A batch whose samples carry second labels of their images: branch -> map of each image."""
    for branch, given in maps.items():
        present = [one for one in batch["data_samples"][branch] if one is not None]
        for sample, labels in zip(present, given, strict=True):
            sample.second_sem_seg = PixelData(data=torch.as_tensor(labels, dtype=torch.uint8)[None])
    for samples in batch["data_samples"].values():
        for sample in filter(None, samples):
            sample.set_metainfo(dict(homography_matrix=np.eye(3)))
    return batch


def full(label, size=(32, 32)):
    return torch.full(size, label)


class Spy(StepHook):
    phase = Phase.OBSERVE
    priority = "LOWEST"

    def after_loss(self, step):
        self.step = step


def step_of(model, batch, *hooks):
    spy = Spy()
    for hook in (*hooks, spy):
        if hook not in model.hooks:
            model.attach(hook)
    return losses(model, batch), spy.step


# ---------------------------------------------------------------------- the weight


@pytest.mark.parametrize(("t", "weight"), [(0, 0.1), (1, 0.09), (5, 0.05), (10, 0.0), (12, 0.0)])
def test_the_weight_fades_in_a_straight_line(t, weight):
    assert annealed(t, 10, 0.1, 0.0) == pytest.approx(weight)


def test_the_weight_follows_the_iterations():
    model, hook = pair(), ExternalLabelsHook(start=0.2, end=0.1, length=4)
    found = []
    for _ in range(6):
        _, step = step_of(model, seg_batch(unsup=0), hook)
        found.append(step.log["second/weight"])
    assert found == pytest.approx([0.2, 0.175, 0.15, 0.125, 0.1, 0.1])


def test_the_length_is_that_of_the_training_unless_it_is_given():
    class Runner:
        iter, max_iters = 0, 80

    given, open_end = ExternalLabelsHook(length=5), ExternalLabelsHook()
    for hook in (given, open_end):
        hook.before_train(Runner)
    assert (given.length, open_end.length) == (5, 80)
    with pytest.raises(ValueError, match=r"give length="):
        step_of(pair(), seg_batch(), ExternalLabelsHook())


# ---------------------------------------------------------------------- the loss


def test_the_loss_by_hand():
    """Half of each labeled map is unknown and does not count; the other half is class 0."""
    half = full(0)
    half[:, 16:] = 255
    batch = with_second(seg_batch(), sup=[half, half], unsup_teacher=[full(2), full(1)])
    found, step = step_of(pair(), batch, ExternalLabelsHook(start=0.3, length=10))
    labeled, others = math.log(8), (math.log(8 / 5) + math.log(8 / 2)) / 2
    assert step.log["second/labeled"].item() == pytest.approx(labeled, rel=1e-5)
    assert step.log["second/weak"].item() == pytest.approx(others, rel=1e-5)
    assert step.log["second/strong"].item() == pytest.approx(others, rel=1e-5)
    wanted = 0.3 / 3 * (labeled + others + others)
    assert found["second_loss"].item() == pytest.approx(wanted, rel=1e-5)
    assert step.log["second/known"].item() == pytest.approx(1.0)


@pytest.mark.parametrize("on", ["labeled", "weak", "strong"])
def test_terms_can_be_chosen(on):
    batch = with_second(seg_batch(views=2), sup=[full(0)] * 2, unsup_teacher=[full(2)] * 2)
    found, step = step_of(pair(), batch, ExternalLabelsHook(start=0.5, length=10, on=[on]))
    wanted = 0.5 * (math.log(8) if on == "labeled" else math.log(8 / 5))
    assert found["second_loss"].item() == pytest.approx(wanted, rel=1e-5)
    assert sum(name in step.log for name in ("second/labeled", "second/weak", "second/strong")) == 1


def test_who_learns_and_who_does_not():
    batch = with_second(seg_batch(), unsup_teacher=[full(2), full(1)])
    model = pair(num_classes=4)
    found, _ = step_of(model, batch, ExternalLabelsHook(length=10))
    found["second_loss"].backward()
    for part in (model.auxiliary.second, model.student.backbone, model.student.decode_head.convs):
        assert any(p.grad is not None and p.grad.any() for p in part.parameters())
    untouched = [*model.student.decode_head.conv_seg.parameters(), *model.teacher.parameters()]
    assert all(p.grad is None for p in untouched)


def test_the_main_losses_and_the_answers_are_those_without():
    torch.manual_seed(5)
    batch = with_second(seg_batch(), sup=[full(0)] * 2, unsup_teacher=[full(2)] * 2)
    model = pair()
    answers = model.eval()(torch.rand(1, 3, 32, 32))
    alone = losses(model.train(), batch)
    model._set_iteration(0)
    found, _ = step_of(model, batch, ExternalLabelsHook(length=10))
    for name in ("sup_decode.loss_ce", "unsup_decode.loss_ce"):
        assert found[name].item() == alone[name].item() > 0
    assert answers.shape[1] == 4  # classes of the main head, not of the second source
    assert not any("second" in key for key in model.teacher.state_dict())


# ---------------------------------------------------------------------- the labels on their way


def test_second_labels_move_with_the_view():
    """A view of 4x3 pixels, 2 to the right and 1 down in an image of 6x4, then flipped."""
    labels = torch.arange(24).reshape(4, 6)
    shift = np.array([[1, 0, -2], [0, 1, -1], [0, 0, 1.0]])
    flip = np.array([[-1, 0, 4], [0, 1, 0], [0, 0, 1.0]])
    samples = [seg_sample((3, 4), matrix) for matrix in (shift, flip @ shift)]
    for sample in samples:
        sample.second_sem_seg = PixelData(data=labels.to(torch.uint8)[None])
    found = second_labels(Views(torch.zeros(2, 3, 4, 5), samples))
    # The batch is padded to 4x5: what lies outside of the image is unknown; what the preprocessor
    # padded is not valid anyway.
    assert found[0].tolist() == [
        [8, 9, 10, 11, 255],
        [14, 15, 16, 17, 255],
        [20, 21, 22, 23, 255],
        [255] * 5,
    ]
    assert found[1, 0].tolist() == [11, 10, 9, 8, 7]


def test_cutmix_mixes_them_like_the_pictures():
    batch = with_second(seg_batch(), unsup_teacher=[full(1), full(2)])
    for branch in ("unsup_teacher", "unsup_student"):
        images = batch["inputs"][branch]
        for value, image in zip((10, 200), (i for i in images if i is not None), strict=True):
            image[:] = value
    _, step = step_of(pair(), batch, CutMixHook(1.0), ExternalLabelsHook(length=10))
    second = step.targets["unsup_student"].extra_labels[:, -1]
    bright = step.strong["unsup_student"].inputs[:, 0] > 0
    assert bright[0].any() and not bright[0].all()
    assert torch.equal(second, torch.where(bright, 2, 1))


def test_unknown_is_not_invalid():
    batch = with_second(seg_batch(), unsup_teacher=[full(255), full(255)])
    found, step = step_of(pair(), batch, ExternalLabelsHook(length=10))
    assert step.pseudo.valid.all() and found["unsup_decode.loss_ce"] > 0
    assert found["second_loss"].item() == 0


class Networks(StepHook):
    """Puts labels for two further networks into the pseudo labels."""

    phase = Phase.LABEL

    def after_teacher(self, step):
        step.pseudo.extra_labels = torch.stack([step.pseudo.labels] * 2, dim=1)


def test_labels_of_further_networks_stay_where_they_are():
    batch = with_second(seg_batch(), unsup_teacher=[full(2)] * 2)
    found, step = step_of(pair(), batch, Networks(), ExternalLabelsHook(length=10, on=["strong"]))
    others = step.targets["unsup_student"].extra_labels
    assert others.shape[1] == 3 and (others[:, 2] == 2).all()
    assert torch.equal(others[:, 0], step.targets["unsup_student"].labels)
    assert found["second_loss"].item() == pytest.approx(0.1 * math.log(8 / 5), rel=1e-5)


def test_it_is_learned_where_the_teacher_is_sure_of_nothing():
    batch = with_second(seg_batch(), unsup_teacher=[full(2)] * 2)
    hooks = FixedThresholdHook(1.0), ExternalLabelsHook(length=10)
    found, step = step_of(pair(), batch, *hooks)
    assert step.log["pseudo/empty_batch"] == 1
    assert found["second_loss"].item() == pytest.approx(0.1 * math.log(8 / 5), rel=1e-5)


def test_the_burn_in_is_left_to_labeled_images():
    maps = dict(sup=[full(0)] * 2, unsup_teacher=[full(2)] * 2)
    model = pair(burn_in=1)
    hook = ExternalLabelsHook(length=10)
    found, _ = step_of(model, with_second(seg_batch(), **maps), hook)
    assert found["second_loss"].item() == pytest.approx(0.1 * math.log(8), rel=1e-5)
    found, _ = step_of(model, with_second(seg_batch(), **maps), hook)
    wanted = 0.09 / 3 * (math.log(8) + 2 * math.log(8 / 5))
    assert found["second_loss"].item() == pytest.approx(wanted, rel=1e-5)


def test_without_labels_or_weight_the_projection_is_still_part_of_the_step():
    for batch, length in ((seg_batch(), 10), (with_second(seg_batch(), sup=[full(0)] * 2), 1)):
        model = pair()
        if length == 1:
            model._set_iteration(1)
        found, _ = step_of(model, batch, ExternalLabelsHook(length=length))
        assert found["second_loss"].item() == 0
        found["second_loss"].backward()
        assert all(p.grad is not None for p in model.auxiliary.second.parameters())


# ---------------------------------------------------------------------- what is refused


def test_models_it_cannot_work_with():
    with pytest.raises(TypeError, match="learns labels of pixels and works with a Teacher"):
        build_pair().attach(ExternalLabelsHook())
    with pytest.raises(ValueError, match=r"no projection 'other' of 8 channels.*in_channels=8"):
        pair().attach(ExternalLabelsHook("other"))
    with pytest.raises(ValueError, match=r"no projection 'second' of 8 channels"):
        pair(in_channels=16).attach(ExternalLabelsHook())
    model = pair()
    model.student.decode_head.conv_seg = nn.Identity()
    with pytest.raises(TypeError, match="does not end in a projection"):
        model.attach(ExternalLabelsHook())


def test_a_head_that_does_not_use_its_projection():
    model = pair()
    model.student.decode_head.cls_seg = lambda features: features[:, :4]
    batch = with_second(seg_batch(), unsup_teacher=[full(2)] * 2)
    with pytest.raises(TypeError, match="FCNHead has a projection `conv_seg` that it does not use"):
        step_of(model, batch, ExternalLabelsHook(length=10))


def test_annotations_of_other_classes_are_not_mixed_in():
    hooks = CutMixHook(source="labeled"), ExternalLabelsHook(length=10)
    with pytest.raises(ValueError, match=r"CutMixHook pastes annotations of 4 classes.*with 3"):
        step_of(pair(), seg_batch(), *hooks)
    step_of(pair(num_classes=4), seg_batch(), *hooks)


def test_settings_and_samples_that_do_not_fit():
    for settings in (dict(start=-0.1), dict(length=0), dict(on=[]), dict(on=["sup"])):
        with pytest.raises(ValueError, match=next(iter(settings))):
            ExternalLabelsHook(**settings)
    batch = with_second(seg_batch(), unsup_teacher=[full(2)] * 2)
    del batch["data_samples"]["unsup_teacher"][-1].second_sem_seg
    with pytest.raises(ValueError, match="Pack all samples of a branch with PackExternalLabels"):
        step_of(pair(), batch, ExternalLabelsHook(length=10))
    with pytest.raises(ValueError, match=r"num_classes=1 is below 2"):
        pair(num_classes=1)
