"""Mixup and mosaic of pseudo-labeled images."""

import io

import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from ssdet.hooks import EraseHook, GalleryHook, PseudoMixupHook, PseudoMosaicHook, StepHook
from ssdet.hooks._parts.cached_images import CachedImage, ImageCache, as_views, batch_views, compose
from ssdet.hooks.mixing import pseudo_mixup as mixup_module
from ssdet.hooks.mixing import pseudo_mosaic as mosaic_module
from ssdet.mixing.canvas import CanvasBox
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.pseudo_boxes import LOW
from ssdet.teacher_student.step import Step, Views

from ...families import test_detectors as families
from ...helpers import build_pair, losses, multi_branch, pseudo, sample, total
from ...seg_helpers import build_seg

MODEL = build_pair()


def step_of(
    *values, size=(32, 48), pad=(32, 64), boxes=((8, 8, 24, 24),), views=("unsup_student",)
):
    """A step in which image i shows the value i, with one box of score i / 100."""
    step = Step(MODEL, 0)
    for name in views:
        samples = []
        for value in values:
            one = sample(size)
            one.gt_instances = pseudo(boxes, [value / 100] * len(boxes))
            one.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
            samples.append(one)
        inputs = torch.zeros(len(values), 3, *pad)
        for image, value in zip(inputs, values, strict=True):
            image[:, : size[0], : size[1]] = value
        step.strong[name] = Views(inputs, samples)
        step.targets[name] = samples
        step.shares[name] = 1 / len(views)
    return step


def scores(target):
    return sorted(round(float(s) * 100) for s in target.gt_instances.scores)


# ------------------------------------------------------------------ mixup


def test_mixes_with_the_step_before_by_hand(monkeypatch):
    def places(own, other, limit, flip):
        assert (own, other, limit, flip) == ((32, 48), (32, 48), (32, 64), 1.0)
        return CanvasBox(0, 0, *own), CanvasBox(4, 0, *other, True), (32, 52)

    monkeypatch.setattr(mixup_module, "mixup_places", places)
    hook, first, second = PseudoMixupHook(share=0.75), step_of(8), step_of(4)
    hook.before_student(first)
    assert first.log["mixup/skipped"] == 1
    assert scores(first.targets["unsup_student"][0]) == [8]
    hook.before_student(second)
    assert second.log == {"mixup/skipped": 0, "mixup/boxes": 2}
    views, (target,) = second.strong["unsup_student"], second.targets["unsup_student"]
    row = views.inputs[0, 0, 0]
    # The own image alone: 0.75 * 4; both: 0.75 * 4 + 0.25 * 8; the other one alone: 0.25 * 8.
    assert row[:4].tolist() == [3] * 4
    assert row[4:48].tolist() == [5] * 44
    assert row[48:52].tolist() == [2] * 4
    assert not row[52:].any()
    # 8 to 24 of 48, mirrored: 24 to 40, moved by 4
    assert target.gt_instances.bboxes.tolist() == [[8, 8, 24, 24], [28, 8, 44, 24]]
    assert target.gt_instances.scores.tolist() == pytest.approx([0.04, 0.08])
    assert target.img_shape == (32, 52)
    assert target.pad_shape == target.batch_input_shape == (32, 64)
    assert second.shares == {"unsup_student": 1}


def test_the_partner_is_the_image_as_it_came():
    hook = PseudoMixupHook(cache=1)
    for value in (8, 4):
        hook.before_student(step_of(value))
    third = step_of(2)
    hook.before_student(third)
    assert scores(third.targets["unsup_student"][0]) == [2, 4], "and not the mixture with 8"


def test_own_image_keeps_its_geometry():
    torch.manual_seed(1)
    hook = PseudoMixupHook()
    hook.before_student(step_of(8, size=(60, 20), pad=(64, 32)))
    step = step_of(4)
    target = step.targets["unsup_student"][0]
    target.set_metainfo(dict(homography_matrix=[[2.0, 0, 3], [0, 2, 5], [0, 0, 1]], img_id=7))
    hook.before_student(step)
    mixed = step.targets["unsup_student"][0]
    x, y = mixed.gt_instances.bboxes[0, :2].tolist()  # was at (8, 8)
    expected = [[2.0, 0, 3 + x - 8], [0, 2, 5 + y - 8], [0, 0, 1]]
    assert mixed.homography_matrix.tolist() == expected
    assert mixed.img_id == 7


def test_an_extra_view_leaves_the_plain_one():
    hook = PseudoMixupHook(extra=0.5)
    hook.before_student(step_of(8))
    step, plain = step_of(4, views=("unsup_student", "unsup_student_2")), step_of(4)
    hook.before_student(step)
    assert list(step.strong) == [
        "unsup_student", "unsup_student_2", "unsup_student_mixup", "unsup_student_2_mixup",
    ]  # fmt: skip
    assert step.shares["unsup_student_mixup"] == step.shares["unsup_student_2_mixup"] == 0.25
    inputs = step.strong["unsup_student"].inputs
    assert torch.equal(inputs, plain.strong["unsup_student"].inputs)
    assert scores(step.targets["unsup_student_2_mixup"][0]) == [4, 8]
    assert batch_views(step) == ["unsup_student", "unsup_student_2"]


@pytest.mark.parametrize("batch", [1, 3, 11])
def test_any_batch_and_cache_work_together(batch):
    mixup, mosaic = PseudoMixupHook(cache=5), PseudoMosaicHook(cache=5, size=(8, 16), images=3)
    for number in range(6):
        step = step_of(*range(number * batch + 1, number * batch + batch + 1))
        mosaic.before_student(step)
        mixup.before_student(step)
        kept = min((number + 1) * batch, 5)
        assert len(mixup.cache) == len(mosaic.cache) == kept
        newest = range((number + 1) * batch - kept + 1, (number + 1) * batch + 1)
        assert [int(p.image[0, 0, 0]) for p in mosaic.cache.images] == list(newest)
        assert len(step.targets["unsup_student"]) == batch
        assert ("unsup_student_mosaic" in step.strong) == (number * batch >= 4)


def test_empty_images_are_mixed_too():
    hook = PseudoMixupHook()
    hook.before_student(step_of(8, boxes=()))
    step = step_of(4)
    hook.before_student(step)
    assert scores(step.targets["unsup_student"][0]) == [4]
    empty = step_of(2, boxes=())
    hook.cache.images = hook.cache.images[:1]
    hook.before_student(empty)
    assert len(empty.targets["unsup_student"][0].gt_instances) == 0


# ------------------------------------------------------------------ mosaic


def test_a_mosaic_by_hand(monkeypatch):
    monkeypatch.setattr(
        mosaic_module.torch, "randint", lambda low, high, size: torch.tensor([16, 24])
    )
    hook = PseudoMosaicHook(flip=0.0, weight=0.5, cache=4)
    hook.cache.draw = lambda count: hook.cache.images[:count]
    first, second = step_of(10, 20, 30, 40), step_of(5)
    hook.before_student(first)
    assert list(first.strong) == ["unsup_student"]
    assert first.log == {"mosaic/skipped": 1}
    hook.before_student(second)
    # Pieces of 32 x 48 in cells of 16 x 24: half as large, 32 x 48 together, padded to 32 x 64.
    views, (target,) = second.strong["unsup_student_mosaic"], second.targets["unsup_student_mosaic"]
    assert views.inputs.shape == (1, 3, 32, 64)
    quarters = views.inputs[0, 0, ::16, ::24].round().tolist()
    assert [row[:2] for row in quarters] == [[10, 20], [30, 40]]
    assert not views.inputs[..., 48:].any()
    assert target.img_shape == (32, 48)
    assert target.gt_instances.bboxes.tolist() == [
        [4, 4, 12, 12], [28, 4, 36, 12], [4, 20, 12, 28], [28, 20, 36, 28],
    ]  # fmt: skip
    assert second.shares == {"unsup_student": 1, "unsup_student_mosaic": 0.5}
    assert second.log == {"mosaic/skipped": 0, "mosaic/boxes": 4, "mosaic/small": 1}
    assert scores(second.targets["unsup_student"][0]) == [5]


def test_size_sets_the_balance_of_small_and_large():
    shares = []
    for size in ((32, 32), (160, 160)):
        hook = PseudoMosaicHook(size=size, cache=4)
        large = dict(size=(64, 64), pad=(64, 64), boxes=((0, 0, 20, 20), (0, 0, 60, 60)))
        hook.before_student(step_of(1, 2, 3, 4, **large))
        step = step_of(5, **large)
        hook.before_student(step)
        shares.append(float(step.log["mosaic/small"]))
    # Halved: 10 x 10 and 30 x 30. Times 2.5: 50 x 50 and 150 x 150.
    assert shares == [1.0, 0.0]


def test_a_mosaic_after_a_replacing_mixup_is_refused():
    model = build_pair()
    model.attach(PseudoMixupHook(extra=1.0))
    model.attach(PseudoMosaicHook())
    model.attach(PseudoMixupHook())
    with pytest.raises(ValueError, match=r"List PseudoMosaicHook first"):
        model.attach(PseudoMosaicHook())


# ------------------------------------------------------------------ pictures


def test_regions_and_low_boxes_and_masks_move_along():
    boxes = pseudo([(2, 2, 6, 6)], [0.9])
    drawn = torch.zeros(1, 8, 8, dtype=torch.uint8)
    drawn[0, 2:6, 2:6] = 1
    boxes.masks = BitmapMasks(drawn.numpy(), 8, 8)
    picture = CachedImage(torch.ones(3, 8, 8), boxes, torch.tensor([[0.0, 0, 4, 4]]))
    parts = [(picture, CanvasBox(0, 0, 8, 8), 1.0), (picture, CanvasBox(8, 4, 4, 4, True), 1.0)]
    _, target = compose(parts, (8, 12), torch.zeros(1, 3, 8, 8))
    assert target.ignored_instances.bboxes.tolist() == [[0, 0, 4, 4], [10, 4, 12, 6]]
    assert target.gt_instances.bboxes.tolist() == [[2, 2, 6, 6], [9, 5, 11, 7]]
    masks = torch.as_tensor(target.gt_instances.masks.masks)
    assert masks.shape == (2, 8, 12)
    for mask, (x1, y1, x2, y2) in zip(masks, [(2, 2, 6, 6), (9, 5, 11, 7)], strict=True):
        assert mask[y1:y2, x1:x2].all()
        assert mask.sum() == (x2 - x1) * (y2 - y1)


def test_a_field_that_only_some_have_gets_its_default():
    one, other = pseudo([(2, 2, 6, 6)], [0.9]), pseudo([(1, 1, 3, 3)], [0.8])
    other.spread = torch.ones(1)
    none = torch.zeros(0, 4)
    parts = [
        (CachedImage(torch.ones(3, 8, 8), boxes, none), CanvasBox(0, 0, 8, 8), 0.5)
        for boxes in (one, other)
    ]
    _, target = compose(parts, (8, 8), torch.zeros(1, 3, 8, 8))
    assert target.gt_instances.scores.tolist() == pytest.approx([0.9, 0.8])
    assert target.gt_instances.spread.tolist() == [0, 1]


def test_drawing_repeats_nothing_before_all_have_come():
    cache = ImageCache(3)
    boxes = pseudo([], [])
    cache.add(CachedImage(torch.full((1, 2, 2), float(v)), boxes, boxes.bboxes) for v in range(5))
    for _ in range(10):
        drawn = [int(p.image[0, 0, 0]) for p in cache.draw(7)]
        assert sorted(drawn[:3]) == sorted(drawn[3:6]) == [2, 3, 4]


def test_notes_of_the_loss_do_not_get_into_the_cache():
    cache, boxes = ImageCache(2), pseudo([], [])
    cache.add([CachedImage(torch.zeros(3, 4, 4), boxes, boxes.bboxes)])
    boxes.set_metainfo(dict(background_weight=0.01))
    assert cache.images[0].boxes.metainfo == {}


def test_views_are_padded_like_a_batch():
    samples = [sample((20, 40)), sample((33, 30))]
    views = as_views([torch.ones(3, 20, 40), torch.ones(3, 33, 30)], samples, 32)
    assert views.inputs.shape == (2, 3, 64, 64)
    assert [s.pad_shape for s in samples] == [(32, 64), (64, 32)]
    assert samples[0].batch_input_shape == (64, 64)
    assert views.inputs.sum() == 3 * (20 * 40 + 33 * 30)


# ------------------------------------------------------------------ in training


class Spy(StepHook):
    phase = Phase.OBSERVE

    def after_loss(self, step):
        self.step = step


def trained(hooks, steps=3, **batch):
    model, spy = build_pair(), Spy()
    for hook in (*hooks, spy):
        model.attach(hook)
    for _ in range(steps):
        found = losses(model, multi_branch(**batch))
    return model, spy.step, found


def test_mixpl_trains_and_weighs_its_views():
    hooks = [EraseHook(), PseudoMosaicHook(size=(16, 40)), PseudoMixupHook()]
    model, step, found = trained(hooks, views=2)
    assert list(step.targets) == ["unsup_student", "unsup_student_2", "unsup_student_mosaic"]
    again = model.student_losses(
        step.strong["unsup_student_mosaic"], step.targets["unsup_student_mosaic"]
    )
    expected = [0.5 * value for value in again["loss_cls"]]
    torch.testing.assert_close(found["unsup_mosaic_loss_cls"], expected)
    total(found).backward()
    assert all(value.isfinite().all() for k, v in found.items() if "loss" in k for value in v)


def test_the_gallery_shows_views_of_fewer_images(tmp_path):
    gallery = GalleryHook(interval=1, images=2)
    gallery.open(tmp_path)
    trained([PseudoMosaicHook(size=(16, 40)), gallery], steps=3)
    shown = sorted(path.stem for path in tmp_path.rglob("*mosaic.jpg"))
    assert shown == ["000003_0_strong_mosaic"], "of two images one, and none before four were kept"


def test_low_boxes_become_regions_of_the_mixture():
    class Lower(StepHook):
        phase = Phase.LABEL

        def after_teacher(self, step):
            for boxes in step.pseudo_boxes:
                boxes.level[1:] = LOW

    _, step, _ = trained([Lower(), PseudoMixupHook()], unsup=1)
    target = step.targets["unsup_student"][0]
    assert len(target.gt_instances) == 2
    assert len(target.ignored_instances) == 8


@pytest.mark.parametrize("kind", [PseudoMixupHook, PseudoMosaicHook])
def test_state_round_trip_continues_exactly(kind):
    settings = dict(size=(16, 40)) if kind is PseudoMosaicHook else {}
    hook, other = kind(**settings), kind(**settings)
    assert hook.state_dict() == {}
    model, _, _ = trained([hook], steps=2)
    file = io.BytesIO()
    torch.save(hook.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    batch, random = multi_branch(), torch.get_rng_state()
    expected = total(losses(model, batch))
    other.on_attach(model)
    model.hooks = [other]
    torch.set_rng_state(random)
    assert torch.equal(expected, total(losses(model, batch)))


@pytest.mark.parametrize("kind", [PseudoMixupHook, PseudoMosaicHook])
def test_a_segmentor_is_refused_by_name(kind):
    with pytest.raises(TypeError, match=rf"{kind.__name__}: .*not with a TeacherStudentSegm"):
        build_seg().attach(kind())


@pytest.mark.parametrize(
    ("kind", "setting", "says"),
    [
        (PseudoMixupHook, dict(cache=0), "cache=0"),
        (PseudoMixupHook, dict(share=1.2), "share=1.2"),
        (PseudoMixupHook, dict(flip=-1), "flip=-1"),
        (PseudoMixupHook, dict(extra=-1), "extra=-1"),
        (PseudoMosaicHook, dict(cache=3), "cache=3"),
        (PseudoMosaicHook, dict(size=(80, 40)), r"size=\(80, 40\)"),
        (PseudoMosaicHook, dict(images=0), "images=0"),
        (PseudoMosaicHook, dict(weight=-1), "weight=-1"),
        (PseudoMosaicHook, dict(flip=2), "flip=2"),
    ],
)
def test_settings_are_checked_when_built(kind, setting, says):
    with pytest.raises(ValueError, match=f"{kind.__name__}: {says}"):
        kind(**setting)


@pytest.mark.parametrize("family", ["mask_rcnn", "fcos", "dino", "fam3d"])
def test_detectors_of_all_kinds_learn_from_mixtures(family):
    model, batch = families.pair(family), families.batch(family)
    hooks = [EraseHook(), PseudoMosaicHook(size=(32, 48)), PseudoMixupHook()]
    for hook in hooks:
        model.attach(hook)
    for _ in range(3):
        found = losses(model, batch)
    mosaic = {k: v for k, v in found.items() if k.startswith("unsup_mosaic_") and "loss" in k}
    plain = {k for k in found if k.startswith("sup_") and "loss" in k}
    assert {k.replace("unsup_mosaic_", "sup_") for k in mosaic} == plain
    assert total(found).isfinite()
    assert total(mosaic) > 0
    total(mosaic).backward()
