"""SemiCD-VL's decoder of each date: its labels, its contrast, and what it leaves alone."""

import math

import pytest
import torch
from mmengine.structures import PixelData
from torch import nn

from ssdet.hooks import CutMixHook, DateDecodersHook, ExternalLabelsHook, StepHook
from ssdet.losses import separated
from ssdet.teacher_student.phase import Phase

from ...helpers import build_pair, losses
from ...seg_helpers import PREPROCESSOR, build_seg, seg_batch, tiny_fcn
from .test_external_labels import full, step_of, with_second

ODDS = torch.tensor([1.0, 3.0]).log()  # probabilities 1/4 and 3/4 everywhere
HEAD = {**tiny_fcn(2)["decode_head"]}


def siamese(**settings):
    torch.manual_seed(0)
    pairs = {**PREPROCESSOR, "type": "PairDataPreProcessor"}
    network = {**tiny_fcn(2), "type": "SiameseSegmentor", "data_preprocessor": pairs}
    parts = dict(dates=HEAD, second=dict(type="ProjectionHead", in_channels=8, num_classes=2))
    model = build_seg(network, auxiliary=parts, **settings)
    for projection in (model.auxiliary.dates.conv_seg, model.auxiliary.second.conv):
        nn.init.zeros_(projection.weight)
        projection.bias.data = ODDS.clone()
    return model


def pairs(**options):
    batch = seg_batch(classes=2, **options)
    for images in batch["inputs"].values():
        images[:] = [None if i is None else torch.cat([255 - i, i]) for i in images]
    return with_second(batch)


def with_dates(batch, **maps):
    """Maps of both dates: branch -> (earlier, later), the same for each pair."""
    for branch, dates in maps.items():
        for sample in filter(None, batch["data_samples"][branch]):
            sample.date_sem_seg = PixelData(data=torch.stack(dates).to(torch.uint8))
    return batch


class Labels(StepHook):
    """The teacher says that everything changed, and is sure of the left quarter."""

    phase = Phase.WEIGHT

    def after_teacher(self, step):
        step.pseudo.labels[:] = 1
        step.pseudo.weights[..., 8:] = 0


class Apart(nn.Module):
    """A head that finds (0, 0) at the earlier date and (0.3, 0.4) at the later one."""

    align_corners = False

    def __init__(self):
        super().__init__()
        self.conv_seg = nn.Conv2d(2, 2, 1)

    def forward(self, features):
        found = torch.zeros(len(features[0]), 2, 4, 4)
        found[len(found) // 2 :] = torch.tensor([0.3, 0.4])[:, None, None]
        return self.conv_seg(found)


def test_the_loss_of_the_external_labels_by_hand():
    """Earlier all 0; later 1 on the left, and unknown on the right, which does not count."""
    half = full(1)
    half[:, 16:] = 255
    batch = with_dates(pairs(), sup=(full(0), half), unsup_teacher=(full(1), full(1)))
    hook = DateDecodersHook(start=0.3, length=10, contrast=0.0)
    found, step = step_of(siamese(), batch, hook)
    labeled, others = (math.log(4) + math.log(4 / 3)) / 2, math.log(4 / 3)
    for name, wanted in (("labeled", labeled), ("weak", others), ("strong", others)):
        assert step.log[f"date/{name}"].item() == pytest.approx(wanted, rel=1e-5)
    wanted = 0.3 / 3 * (labeled + others + others)
    assert found["date_loss"].item() == pytest.approx(wanted, rel=1e-5)
    assert "sup_loss_dates" not in found and "unsup_loss_dates" not in found


@pytest.mark.parametrize(("mean", "share"), [("known", 1.0), ("all", 0.5)])
def test_the_mean_in_unlabeled_views_is_over_known_or_all_pixels(mean, share):
    half = full(1)
    half[:, 16:] = 255
    batch = with_dates(pairs(), sup=(half, half), unsup_teacher=(half, half))
    for sample in filter(None, batch["data_samples"]["unsup_teacher"]):
        sample.second_sem_seg = PixelData(data=half[None].to(torch.uint8))
    hooks = [kind(length=10, mean=mean) for kind in (DateDecodersHook, ExternalLabelsHook)]
    _, step = step_of(siamese(), batch, *hooks)
    assert step.log["date/labeled"].item() == pytest.approx(math.log(4 / 3), rel=1e-5)
    for name in ("date/weak", "date/strong", "second/weak", "second/strong"):
        assert step.log[name].item() == pytest.approx(share * math.log(4 / 3), rel=1e-5)


def test_the_distance_that_is_asked_for_by_hand():
    distances = torch.tensor([0.5, 0.5, 3.0, 3.0])
    changed = torch.tensor([False, True, False, True])
    assert separated(distances, changed, 2.0).tolist() == [0.25, 2.25, 9.0, 0.0]


def test_the_contrast_by_hand():
    """The dates are 0.5 apart: 0.25 where nothing changed, and (2 - 0.5)^2 = 2.25 elsewhere."""
    model = siamese(sup_weight=0.5, unsup_weight=0.8)
    model.auxiliary["dates"] = Apart()
    batch = pairs()
    for number, sample in enumerate(filter(None, batch["data_samples"]["sup"])):
        labels = full(0)
        labels[: 8 * number] = 1  # of one pair nothing, of the other one a quarter
        labels[16:] = 255
        sample.gt_sem_seg = PixelData(data=labels[None])
    found, _ = step_of(model, batch, Labels(), DateDecodersHook(length=10, contrast=0.1))
    # Both kinds of pixels count as much, however many there are.
    assert found["sup_loss_dates"].item() == pytest.approx(0.5 * 0.1 * (0.25 + 2.25), rel=1e-4)
    # Pixels that the teacher is not sure of count in the mean.
    assert found["unsup_loss_dates"].item() == pytest.approx(0.8 * 0.1 * 2.25 / 4, rel=1e-4)


def test_each_image_is_seen_for_itself():
    """The decoder gets what the backbone finds in one image, before the difference is taken."""
    model, seen = siamese(), []
    model.auxiliary.dates.register_forward_pre_hook(lambda _, args: seen.append(args[0][-1]))
    batch = pairs(unsup=0)
    step_of(model, batch, DateDecodersHook(length=10))
    given = torch.stack(batch["inputs"]["sup"]).float()
    images = torch.cat(((given - 127) / 64).chunk(2, dim=1))
    torch.testing.assert_close(seen[0], model.student.backbone(images)[-1])


def test_who_learns_and_who_does_not():
    batch = with_dates(pairs(), sup=(full(0), full(1)), unsup_teacher=(full(0), full(1)))
    model = siamese()
    found, _ = step_of(model, batch, DateDecodersHook(length=10))
    (found["date_loss"] + found["sup_loss_dates"] + found["unsup_loss_dates"]).backward()
    dates = model.auxiliary.dates
    for part in (dates.conv_seg, dates.convs, model.student.backbone):
        assert any(p.grad is not None and p.grad.any() for p in part.parameters())
    untouched = [*model.student.decode_head.parameters(), *model.teacher.parameters()]
    assert all(p.grad is None or not p.grad.any() for p in untouched)


def test_both_hooks_share_the_pass_of_the_weak_view():
    model, seen = siamese(), []
    model.student.backbone.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    batch = with_dates(pairs(), unsup_teacher=(full(0), full(1)))
    for sample in filter(None, batch["data_samples"]["unsup_teacher"]):
        sample.second_sem_seg = PixelData(data=full(1)[None].to(torch.uint8))
    _, step = step_of(model, batch, ExternalLabelsHook(length=10), DateDecodersHook(length=10))
    assert len(seen) == 3  # labeled, strong, weak
    assert {"second/weak", "date/weak", "second/strong", "date/strong"} <= set(step.log)
    assert step.targets["unsup_student"].extra_labels.shape[1] == 3


def test_cutmix_mixes_both_maps_like_the_pictures():
    batch = with_dates(pairs(), unsup_teacher=(full(0), full(1)))
    second = [s for s in batch["data_samples"]["unsup_teacher"] if s is not None][1]
    second.date_sem_seg = PixelData(data=torch.stack([full(1), full(0)]).to(torch.uint8))
    for branch in ("unsup_teacher", "unsup_student"):
        images = batch["inputs"][branch]
        for value, image in zip((10, 200), (i for i in images if i is not None), strict=True):
            image[:] = value
    _, step = step_of(siamese(), batch, CutMixHook(1.0), DateDecodersHook(length=10))
    earlier, later = step.targets["unsup_student"].extra_labels.unbind(1)
    bright = step.strong["unsup_student"].inputs[:, 0] > 0
    assert bright[0].any() and not bright[0].all()
    assert torch.equal(earlier, bright.long()) and torch.equal(later, 1 - bright.long())


def test_without_maps_the_decoder_is_still_part_of_the_step():
    for batch in (pairs(), pairs(unsup=0)):
        model = siamese()
        losses_of, _ = step_of(model, batch, DateDecodersHook(length=10, contrast=0.0))
        assert losses_of["date_loss"].item() == 0
        losses_of["date_loss"].backward()
        assert all(p.grad is not None for p in model.auxiliary.dates.parameters())


def test_the_main_losses_are_those_without():
    batch = with_dates(pairs(), sup=(full(0), full(1)), unsup_teacher=(full(0), full(1)))
    model = siamese()
    alone = losses(model, batch)
    model._set_iteration(0)
    found, _ = step_of(model, batch, DateDecodersHook(length=10))
    for name in ("sup_decode.loss_ce", "unsup_decode.loss_ce"):
        assert found[name].item() == alone[name].item() > 0


def test_models_and_settings_it_cannot_work_with():
    with pytest.raises(TypeError, match="compares two dates and works with a Teacher"):
        build_pair().attach(DateDecodersHook())
    with pytest.raises(TypeError, match=r"EncoderDecoder sees one image; use type='SiameseSegm"):
        build_seg(auxiliary=dict(dates=HEAD)).attach(DateDecodersHook())
    with pytest.raises(ValueError, match=r"no decode head 'other'.*\['dates', 'second'\]"):
        siamese().attach(DateDecodersHook("other"))
    for settings in (dict(contrast=-1), dict(margin=0), dict(mean="kept"), dict(on=["sup"])):
        with pytest.raises(ValueError, match=next(iter(settings))):
            DateDecodersHook(**settings)


def test_annotations_of_changes_are_not_mixed_in():
    """They would become the label map of each date."""
    hooks = CutMixHook(source="labeled"), DateDecodersHook(length=10)
    with pytest.raises(ValueError, match=r"CutMixHook pastes annotations of 2 .* of each date"):
        step_of(siamese(), pairs(), *hooks)
