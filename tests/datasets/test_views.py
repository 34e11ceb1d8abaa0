"""Views: one decoding, right geometry, MultiBranch's batch format, independent random numbers."""

import copy

import cv2
import numpy as np
import pytest
from mmdet.datasets.transforms import MultiBranch
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.dataset import pseudo_collate
from mmengine.registry import TRANSFORMS, DefaultScope

from ssdet.datasets import ErasePatches, RecordGeometry, StrongPhotometric, WeakStrongViews, seeded
from ssdet.datasets.view_check import in_place

SEG = [
    {"type": "RandomResize", "scale": (60, 40), "ratio_range": (0.5, 2.0), "keep_ratio": True},
    {"type": "RandomCrop", "crop_size": (32, 48)},
    {"type": "RandomFlip", "prob": 0.8, "direction": ["horizontal", "vertical"]},
]


class Load:
    """Counts how often it decodes."""

    calls = 0

    def __call__(self, results):
        Load.calls += 1
        image = cv2.resize(
            np.random.RandomState(3).randint(0, 256, (10, 15, 3)).astype(np.uint8), (60, 40)
        )
        return {**results, "img": image, "img_shape": (40, 60), "ori_shape": (40, 60)}


@pytest.fixture(params=["mmdet", "mmseg"])
def scope(request):
    with DefaultScope.overwrite_default_scope(request.param):
        yield request.param


@pytest.fixture
def mmseg_scope():
    with DefaultScope.overwrite_default_scope("mmseg"):
        yield


def pack(scope):
    return {"type": "PackDetInputs" if scope == "mmdet" else "PackSegInputs"}


def views(scope, *strong, shared=(), **options):
    branches = {"unsup_teacher": [pack(scope)], "unsup_student": [*strong, pack(scope)]}
    return WeakStrongViews(views=branches, shared=[Load(), *shared], **options)


def test_an_image_is_decoded_once_for_all_views(scope):
    Load.calls = 0
    views(scope, {"type": "ErasePatches"})({"seg_fields": []})
    assert Load.calls == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_views_start_from_the_same_pixels_and_do_not_disturb_each_other(scope, dtype):
    def convert(results):
        return {**results, "img": results["img"].astype(dtype)}

    def scribble(results):
        results["img"][:] = 0
        return results

    sample = views(scope, scribble, shared=[convert])({"seg_fields": []})
    assert sample["inputs"]["unsup_student"].sum() == 0
    assert sample["inputs"]["unsup_teacher"].sum() > 0


def test_the_format_is_that_of_multibranch(scope):
    steps = {"unsup_teacher": [pack(scope)], "unsup_student": [pack(scope)]}
    field = ["sup", "unsup_teacher", "unsup_student"]
    results = Load()({"seg_fields": []})
    theirs = MultiBranch(field, **steps)(copy.deepcopy(results))
    ours = WeakStrongViews(views=steps, shared=[])(results)
    assert ours.keys() == theirs.keys()
    for key in ours:
        assert ours[key].keys() == theirs[key].keys()
        assert [type(v) for v in ours[key].values()] == [type(v) for v in theirs[key].values()]
    labeled = WeakStrongViews(views={"sup": [pack(scope)]}, shared=[Load()])({"seg_fields": []})
    batch = pseudo_collate([labeled, ours])
    assert batch["inputs"]["sup"][1] is None and batch["inputs"]["unsup_student"][0] is None
    assert batch["data_samples"]["unsup_teacher"][1].metainfo["homography_matrix"].shape == (3, 3)


def test_every_view_has_a_matrix_even_if_packing_would_drop_it(mmseg_scope):
    sample = views("mmseg", *SEG)({"seg_fields": []})
    weak, strong = (sample["data_samples"][b] for b in ("unsup_teacher", "unsup_student"))
    assert np.array_equal(weak.metainfo["homography_matrix"], np.eye(3))
    assert not np.array_equal(strong.metainfo["homography_matrix"], np.eye(3))


def test_a_second_strong_view_changes_no_other(scope):
    field = ("sup", "unsup_teacher", "unsup_student", "unsup_student_2")
    two = {"unsup_teacher": [pack(scope)], "unsup_student": [StrongPhotometric(), pack(scope)]}
    three = {**two, "unsup_student_2": [StrongPhotometric(), pack(scope)]}
    drawn = []
    for branches in (two, three):
        with seeded(8):
            view = WeakStrongViews(views=branches, shared=[Load()], branch_field=field)
            drawn.append(view({"seg_fields": []})["inputs"])
    assert (drawn[0]["unsup_student"] == drawn[1]["unsup_student"]).all()
    assert (drawn[1]["unsup_student_2"] != drawn[1]["unsup_student"]).any()


@pytest.mark.parametrize("where", ["shared", "view"])
def test_a_refusal_by_any_transform_refuses_the_sample(scope, where):
    refuse = [lambda results: None]
    view = views(scope, *(refuse if where == "view" else ()), shared=refuse * (where == "shared"))
    assert view({"seg_fields": []}) is None


def test_unknown_branches_are_refused():
    with pytest.raises(ValueError, match=r"\['weak'\].*branch_field=\('sup'"):
        WeakStrongViews(views={"weak": []})
    with pytest.raises(ValueError, match="at least one"):
        WeakStrongViews(views={})


# ---------------------------------------------------------------- recorded geometry


def follow(transforms, seed, extra=None):
    """The result of transforms on an image whose pixels hold their own places."""
    y, x = np.mgrid[:40, :60].astype(np.float32)
    image = np.stack([x, y, np.ones_like(x)], -1)
    results = {"img": image, "img_shape": (40, 60), "seg_fields": [], **(extra or {})}
    with seeded(seed):
        return RecordGeometry(transforms)(results)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("steps", [SEG[:1], SEG[1:2], SEG[2:], SEG])
def test_recorded_matrices_map_pixels_to_where_they_went(mmseg_scope, steps, seed):
    results = follow(steps, seed)
    height, width = results["img"].shape[:2]
    matrix = results.get("homography_matrix", np.eye(3))
    rows, columns = np.mgrid[2 : height - 2, 2 : width - 2]
    places = np.stack([columns + 0.5, rows + 0.5, np.ones_like(rows)], -1)
    origin = places @ np.linalg.inv(matrix).T
    told = results["img"][2 : height - 2, 2 : width - 2, :2] + 0.5
    assert np.abs(origin[..., :2] - told).max() < 0.02


def test_hand_computed_matrix_of_resize_crop_and_flip(mmseg_scope):
    resize = {"type": "Resize", "scale": (120, 80), "keep_ratio": True}  # 60x40 -> 120x80
    flip = {"type": "RandomFlip", "prob": 1.0}  # x -> 120 - x
    results = follow([resize, flip], 0)
    assert np.allclose(results["homography_matrix"], [[-2, 0, 120], [0, 2, 0], [0, 0, 1]])


def test_a_transform_that_records_itself_is_not_counted_twice():
    with DefaultScope.overwrite_default_scope("mmdet"):
        flip = {"type": "RandomFlip", "prob": 1.0}
        resize = {"type": "Resize", "scale": (120, 80), "keep_ratio": True}
        results = follow([flip, resize], 0)
    assert np.allclose(results["homography_matrix"], [[-2, 0, 120], [0, 2, 0], [0, 0, 1]])


@pytest.mark.parametrize("seed", range(4))
def test_random_affine_of_mmdetection_is_recorded(seed):
    texture = cv2.resize(
        np.random.RandomState(0).randint(0, 256, (40, 60, 3)).astype(np.uint8), (240, 160)
    )
    with DefaultScope.overwrite_default_scope("mmdet"):
        given = {"img": texture, "img_shape": (160, 240)}
        given["gt_bboxes"] = HorizontalBoxes(np.zeros((0, 4), np.float32))
        results = follow([{"type": "RandomAffine", "border": (0, 0)}], seed, given)
    assert in_place(texture, results["img"], results["homography_matrix"])
    assert not in_place(texture, results["img"], np.eye(3))


def test_parts_of_containers_are_recorded(mmseg_scope):
    inner = {"type": "RandomChoice", "transforms": [[{"type": "RandomFlip", "prob": 1.0}]]}
    results = follow([{"type": "RandomApply", "transforms": [inner], "prob": 1.0}], 0)
    assert np.allclose(results["homography_matrix"], [[-1, 0, 60], [0, 1, 0], [0, 0, 1]])


# ---------------------------------------------------------------- photometric


@pytest.fixture
def picture():
    return np.random.RandomState(1).randint(0, 256, (48, 64, 3)).astype(np.uint8)


def changed(transform, picture, seed=0):
    with seeded(seed):
        return transform({"img": picture})["img"]


def test_no_jitter_is_the_identity(picture):
    nothing = StrongPhotometric(jitter_prob=0.0, gray_prob=0.0, blur_prob=0.0)
    assert np.array_equal(changed(nothing, picture), picture)
    neutral = StrongPhotometric(
        brightness=0, contrast=0, saturation=0, hue=0, jitter_prob=1.0, gray_prob=0, blur_prob=0
    )
    # Only the detour through 8-bit hues may round.
    assert np.abs(changed(neutral, picture).astype(int) - picture).max() <= 8


def test_parts_of_the_jitter_do_what_they_are_called(picture):
    off = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0}
    off |= {"jitter_prob": 0, "gray_prob": 0, "blur_prob": 0}
    gray = changed(StrongPhotometric(**{**off, "gray_prob": 1.0}), picture)
    assert (gray.max(-1) == gray.min(-1)).all()
    soft = changed(StrongPhotometric(**{**off, "blur_prob": 1.0, "sigma": (2, 2)}), picture)
    assert soft.std() < 0.5 * picture.std()
    bright = StrongPhotometric(**{**off, "brightness": 0.5, "jitter_prob": 1.0})
    means = [changed(bright, picture, seed).mean() / picture.mean() for seed in range(40)]
    assert min(means) < 0.75 and 1.1 < max(means) < 1.5
    stretch = StrongPhotometric(**{**off, "contrast": 0.5, "jitter_prob": 1.0})
    spreads = [changed(stretch, picture, seed).std() / picture.std() for seed in range(40)]
    assert min(spreads) < 0.7 and max(spreads) > 1.05


def test_a_turned_hue_stays_on_the_circle(picture):
    turn = StrongPhotometric(brightness=0, contrast=0, saturation=0, hue=0.5)
    for seed in range(5):
        with seeded(seed):
            turned = turn._turn(picture)
        with seeded(seed):
            shift = round(np.random.uniform(-0.5, 0.5) * 180)
        hue, *rest = cv2.split(cv2.cvtColor(picture, cv2.COLOR_BGR2HSV))
        hue = ((hue.astype(int) + shift) % 180).astype(np.uint8)
        expected = cv2.cvtColor(cv2.merge([hue, *rest]), cv2.COLOR_HSV2BGR)
        assert np.array_equal(turned, expected)


def test_floating_point_images_are_taken_too(picture):
    assert changed(StrongPhotometric(), picture.astype(np.float32)).dtype == np.uint8


def test_erased_area_is_as_asked(picture):
    erase = ErasePatches(count=(1, 1), size=(0.5, 0.5))
    after = changed(erase, picture)
    share = (after != picture).any(-1).mean()
    assert 0.23 < share <= 0.25
    assert np.array_equal(changed(ErasePatches(prob=0.0), picture), picture)


@pytest.mark.parametrize(
    ("cls", "options", "words"),
    [
        (StrongPhotometric, {"hue": 0.6}, r"hue=0.6 is not in \[0, 0.5\]"),
        (StrongPhotometric, {"blur_prob": 1.5}, "blur_prob=1.5"),
        (ErasePatches, {"size": (0.1, 2)}, r"size=\(0.1, 2\)"),
        (ErasePatches, {"count": (3, 1)}, r"count=\(3, 1\)"),
    ],
)
def test_values_out_of_range_are_refused(cls, options, words):
    with pytest.raises(ValueError, match=words):
        cls(**options)


def test_names_are_known_to_any_scope(scope):
    built = TRANSFORMS.build({"type": "RecordGeometry", "transforms": [{"type": "ErasePatches"}]})
    assert isinstance(built, RecordGeometry)
