"""The check before training: silent movers are named, everything honest passes."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmengine.registry import DefaultScope
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

from ssdet.datasets import (
    DigitScenes,
    DigitScenesSeg,
    LabeledUnlabeledDataset,
    LabeledUnlabeledSampler,
    UnlabeledImages,
    ViewCheckHook,
    ViewGeometryError,
    check_views,
)
from ssdet.datasets.view_check import _AGREEMENT, _test_picture, in_place

FIELD = ["sup", "unsup_teacher", "unsup_student"]
META = ("img_path", "img_shape", "homography_matrix")


def view(type, **options):
    return {"type": type, **options}


def dataset(*strong, scope="mmdet", multibranch=False, meta_keys=None, shared=()):
    """Unlabeled scenes whose strong view has the given transforms."""
    pack = view("PackDetInputs" if scope == "mmdet" else "PackSegInputs")
    if meta_keys:
        pack["meta_keys"] = meta_keys
    load = [view("LoadDigitScene"), *shared]
    if scope == "mmdet":
        load.append(view("LoadEmptyAnnotations"))
    branches = {"unsup_teacher": [pack], "unsup_student": [*strong, pack]}
    if multibranch:
        last = [*load, view("mmdet.MultiBranch", branch_field=FIELD, **branches)]
    else:
        last = [view("WeakStrongViews", shared=load, views=branches)]
    with DefaultScope.overwrite_default_scope(scope):
        cls = DigitScenes if scope == "mmdet" else DigitScenesSeg
        size = {"count": 4, "labeled": 2, "image_size": (96, 128)}
        return cls(split="unlabeled", pipeline=last, **size)


def refusal(*args, **options):
    with pytest.raises(ViewGeometryError) as error:
        check_views(dataset(*args, **options))
    return str(error.value)


MOVERS = [
    view("Expand", prob=0.1),
    view("MinIoURandomCrop"),
    view("RandomShift", prob=0.1),
    view("RandomCenterCropPad", crop_size=(64, 64), ratios=(0.9, 1.0), mean=[0] * 3, std=[1] * 3,
         to_rgb=True, test_pad_mode=None),
    view("Mosaic"),
    view("CachedMosaic"),
    view("MixUp"),
    view("CopyPaste"),
    view("mmseg.RandomRotate", prob=0.1, degree=20.0),
    view("mmcv.CenterCrop", crop_size=60),
]  # fmt: skip


@pytest.mark.parametrize("mover", MOVERS, ids=lambda m: m["type"])
def test_what_moves_pixels_in_silence_is_refused_by_name(mover):
    mover = {**mover, "type": mover["type"].removeprefix("mmcv.")}
    text = refusal(mover)
    assert f"unsup_student: {mover['type'].split('.')[-1]} " in text
    assert "unsup_teacher" not in text


def test_an_own_transform_is_refused_by_name_too():
    class Roll:
        def __call__(self, results):
            results["img"] = np.roll(results["img"], 5, axis=1)
            return results

    assert "unsup_student: Roll moves pixels without recording it" in refusal(Roll())


def test_a_wrongly_recorded_flip_is_refused():
    class WrongFlip:
        def __call__(self, results):
            results["img"] = results["img"][::-1]
            results["homography_matrix"] = np.diag([1.0, 1.0, 1.0])
            return results

    assert "WrongFlip moves pixels" in refusal(WrongFlip())


def test_a_mover_inside_a_container_is_named():
    text = refusal(view("RandomApply", transforms=[view("Expand", prob=1.0)], prob=0.05))
    assert "unsup_student: Expand moves" in text


def test_a_mover_shared_by_both_views_is_refused():
    text = refusal(shared=[view("mmseg.RandomRotate", prob=1.0, degree=20.0)])
    assert "unsup_teacher: RandomRotate" in text and "unsup_student: RandomRotate" in text


HONEST = {
    "mmdet": [
        view("RandomResize", scale=(120, 100), ratio_range=(0.3, 1.5), keep_ratio=True),
        view("RandomFlip", prob=0.5, direction=["horizontal", "vertical", "diagonal"]),
        view("RandomCrop", crop_size=(60, 60), allow_negative_crop=True),
        view("RandomAffine"),
        *(view(name) for name in ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")),
        *(view(name) for name in ("AutoContrast", "Equalize", "Solarize", "Color", "Contrast")),
        *(view(name) for name in ("Brightness", "Sharpness", "Posterize", "Invert")),
        view("YOLOXHSVRandomAug"),
        view("PhotoMetricDistortion"),
        view("RandomErasing", n_patches=(1, 5), ratio=(0, 0.2)),
        view("CutOut", n_holes=(5, 10), cutout_ratio=(0.2, 0.2)),
        view("Pad", size_divisor=32),
        view("StrongPhotometric"),
        view("ErasePatches", size=(0.1, 0.3)),
        view("NoisePatch", prob=1.0),
    ],
    "mmseg": [
        view("RandomResize", scale=(128, 96), ratio_range=(0.5, 2.0), keep_ratio=True),
        view("RandomCrop", crop_size=(64, 64)),
        view("RandomFlip", prob=0.5),
        view("ResizeToMultiple", size_divisor=32),
        view("PhotoMetricDistortion"),
        view("RandomCutOut", prob=0.5, n_holes=3, cutout_ratio=(0.2, 0.2)),
        view("Pad", size=(160, 160)),
        view("CLAHE"),
        view("AdjustGamma"),
        view("StrongPhotometric"),
    ],
}


@pytest.mark.parametrize("scope", HONEST)
@pytest.mark.parametrize("number", range(25))
def test_honest_and_photometric_transforms_pass(scope, number):
    if number < len(HONEST[scope]):
        check_views(dataset(HONEST[scope][number], scope=scope))


@pytest.mark.parametrize("moved, expected", [(0, True), (5, False)])
def test_a_large_patch_over_the_middle_of_a_large_image_does_not_decide(moved, expected):
    """A fifth of the area, as Unbiased Teacher erases it, hides 400 pixels around the center."""
    before = _test_picture(np.zeros((1200, 900, 3), np.uint8))
    after = np.roll(before, moved, axis=1)
    after[370:830, 215:685] = np.random.RandomState(0).randint(0, 256, (460, 470, 3))
    assert in_place(before, after, np.eye(3)) == expected


def test_tiles_that_are_not_compared_would_change_nothing(monkeypatch):
    """The first five that agree end it; the verdict is that of the quantile of all."""
    draw = np.random.RandomState(0)
    before, after = np.zeros((2, 64, 64, 3), np.uint8)
    after[0] = 1
    verdicts, compared = [], 0
    for _ in range(500):
        values = np.where(draw.rand(16) < 0.3, np.nan, _AGREEMENT + 0.25 - draw.rand(16)).tolist()
        values = [None if np.isnan(value) else value for value in values]
        left = iter(values)
        monkeypatch.setattr("ssdet.datasets.view_check._agreement", lambda *_, v=left: next(v))
        shown = [value for value in values if value is not None]
        verdicts.append(in_place(before, after, np.eye(3)))
        assert verdicts[-1] == (not shown or np.quantile(shown, 0.75) > _AGREEMENT)
        compared += 16 - len(list(left))
    assert 50 < sum(verdicts) < 450 and compared < 500 * 16


def test_transforms_of_mmsegmentation_are_refused_where_nothing_records_them():
    text = refusal(*HONEST["mmseg"][:3], scope="mmseg", multibranch=True)
    assert all(f"unsup_student: {mover['type']} moves" in text for mover in HONEST["mmseg"][:3])
    record = view("RecordGeometry", transforms=HONEST["mmseg"][:3])
    check_views(dataset(record, scope="mmseg", multibranch=True, meta_keys=META))


def test_packing_that_drops_the_matrix_is_refused():
    flip = view("RandomFlip", prob=0.05)
    text = refusal(flip, multibranch=True)
    assert "unsup_student: PackDetInputs drops homography_matrix" in text
    assert "'homography_matrix')" in text
    check_views(dataset(flip, multibranch=True, meta_keys=META))
    check_views(dataset(view("ErasePatches"), multibranch=True))  # no geometry, nothing to keep


def test_what_fails_on_unlabeled_samples_is_named():
    text = refusal(view("RandomCrop", crop_size=(64, 64), cat_max_ratio=0.75), scope="mmseg")
    assert "RandomCrop fails on an unlabeled sample: KeyError('gt_seg_map')" in text
    text = refusal(view("RandomCrop", crop_size=(60, 60)))
    assert "RandomCrop refused an unlabeled sample" in text and "allow_negative_crop" in text


def test_random_states_are_left_alone():
    np.random.seed(4)
    expected = np.random.random(3)
    np.random.seed(4)
    check_views(dataset(view("RandomFlip", prob=0.5)))
    assert np.array_equal(np.random.random(3), expected)


def test_an_unreadable_first_image_does_not_matter(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((64, 64, 3), np.uint8))
    steps = view("WeakStrongViews", shared=[view("LoadImageFromFile")], views={})
    for strong, refused in ((view("RandomFlip", prob=0.5), False), (view("Expand"), True)):
        steps["views"] = {"unsup_student": [strong, view("PackDetInputs")]}
        with DefaultScope.overwrite_default_scope("mmdet"):
            images = UnlabeledImages(tmp_path, pipeline=[steps])
        if refused:
            with pytest.raises(ViewGeometryError, match="Expand"):
                check_views(images)
        else:
            check_views(images)


@pytest.mark.parametrize("shift", [4, 8, 16])
def test_shifts_are_seen_and_true_shifts_accepted(shift):
    picture = _test_picture(np.zeros((400, 500, 3), np.uint8))
    moved = np.roll(picture, shift, axis=0)
    matrix = np.array([[1.0, 0, 0], [0, 1, shift], [0, 0, 1]])
    assert in_place(picture, moved, matrix)
    assert not in_place(picture, moved, np.eye(3))
    assert not in_place(picture, picture, matrix)


# ---------------------------------------------------------------- the hook


def runner(batch_size=6, loop=object, **options):
    both = LabeledUnlabeledDataset([dataset(), dataset()])
    sampler = LabeledUnlabeledSampler(both, (2, 4), seed=0, **options)
    loop = loop.__new__(loop) if loop is not object else SimpleNamespace()
    loop.dataloader = DataLoader(both, batch_size, sampler=sampler)
    return SimpleNamespace(train_loop=loop)


def test_the_hook_passes_what_fits_and_refuses_movers():
    ViewCheckHook().before_train(runner())
    wrong = runner()
    wrong.train_loop.dataloader = DataLoader(dataset(view("Expand")))
    with pytest.raises(ViewGeometryError, match="Expand"):
        ViewCheckHook().before_train(wrong)


def test_the_hook_compares_batch_sizes():
    with pytest.raises(ValueError, match=r"batch_size=5.*batches of 6 \(batch=\(2, 4\)\)"):
        ViewCheckHook().before_train(runner(batch_size=5))


def test_an_endless_sampler_in_an_epoch_based_loop_is_refused():
    with pytest.raises(ValueError, match="epoch_length=1 is one pass"):
        ViewCheckHook().before_train(runner(loop=EpochBasedTrainLoop))
    ViewCheckHook().before_train(runner(loop=EpochBasedTrainLoop, epoch_length=1))
