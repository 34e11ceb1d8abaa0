"""Pairs of images: the data set, its issues, what is drawn for each image and what for both."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ssdet.datasets import (
    DigitScenePairs,
    ImagePairs,
    LabeledUnlabeledDataset,
    LoadDigitPair,
    LoadImagePair,
    PerImage,
    SeededIndex,
    ViewGeometryError,
    WeakStrongViews,
    check_views,
)
from ssdet.datasets.seeding import BatchSlot, seeded
from ssdet.doctor.config_sources import of_config
from ssdet.doctor.findings import Findings
from ssdet.engine.configs import load_config
from ssdet.formats import DataError
from ssdet.registry import TRANSFORMS

SIZE = (24, 32)


@pytest.fixture(autouse=True)
def _scope():
    with DefaultScope.overwrite_default_scope("mmseg"):
        yield


@pytest.fixture
def pairs(tmp_path):
    """Three pairs; the label map of each is a square of 255."""
    dice = np.random.RandomState(0)
    for folder in ("A", "B", "label"):
        (tmp_path / folder).mkdir()
    for name in ("one", "three", "two"):
        label = np.zeros(SIZE, np.uint8)
        label[4:12, 6:18] = 255
        cv2.imwrite(str(tmp_path / "label" / f"{name}.png"), label)
        for folder in ("A", "B"):
            image = cv2.resize(dice.randint(0, 255, (6, 8, 3), np.uint8), SIZE[::-1])
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), image)
    return tmp_path


@pytest.fixture
def logged(monkeypatch):
    """What is logged while data are read."""
    heard = []
    for place in ("formats.issues.warn", "datasets.labeled_unlabeled.print_log"):
        name = f"ssdet.{place}"
        monkeypatch.setattr(name, lambda message, **_: heard.append(message))
    return heard


def labeled(folder, *steps, **options):
    load = [LoadImagePair(), dict(type="LoadMask"), *steps]
    return ImagePairs(str(folder), values=(0, 255), pipeline=load, **options)


def names(dataset):
    return [Path(dataset.get_data_info(n)["img_path"]).stem for n in range(len(dataset))]


def test_a_pair_is_one_picture_of_six_channels(pairs):
    dataset = labeled(pairs)
    sample = dataset[1]
    assert names(dataset) == ["one", "three", "two"]
    assert dataset.metainfo["classes"] == ("unchanged", "changed")
    for number, folder in enumerate("AB"):
        image = cv2.imread(str(pairs / folder / "three.png"))
        assert np.array_equal(sample["img"][..., 3 * number : 3 * number + 3], image)
    assert sample["ori_shape"] == sample["img_shape"] == SIZE
    assert sample["gt_seg_map"].sum() == 8 * 12 and set(np.unique(sample["gt_seg_map"])) == {0, 1}


def test_lists_of_names_and_those_of_ssdet_split(pairs):
    file = pairs / "some.txt"
    for text in ("two\none.png\n", "A/two.png label/two.png\nA/one.png label/one.png\n"):
        file.write_text(text)
        assert names(labeled(pairs, only=str(file))) == ["two", "one"]
    file.write_text("A/two.png\nA/one.png\n")
    unlabeled = ImagePairs(str(pairs), only=str(file), labeled=False, pipeline=[LoadImagePair()])
    assert unlabeled.unlabeled and names(unlabeled) == ["two", "one"]
    assert "gt_seg_map" not in unlabeled[0] and "seg_map_path" not in unlabeled[0]


def test_a_missing_partner_is_named_counted_and_left_out(pairs, logged):
    (pairs / "B" / "two.png").unlink()
    (pairs / "A" / "three.png").unlink()
    assert names(labeled(pairs)) == ["one"]
    assert logged[0].startswith("2 x pair that is not whole, left out; first: ")
    with pytest.raises(DataError, match=re.escape("no " + str(Path("A", "three.png")))):
        labeled(pairs, strict=True)
    (pairs / "label" / "one.png").unlink()
    with pytest.raises(DataError, match="no pair of images"):
        labeled(pairs)
    assert names(ImagePairs(str(pairs), labeled=False)) == ["one"]


def test_a_list_cannot_lead_out_of_the_data(pairs):
    (pairs / "bad.txt").write_text("../../secret.png\n")
    with pytest.raises(DataError, match=r"bad.txt, line 1.*leads out"):
        labeled(pairs, only=str(pairs / "bad.txt"))


def test_images_of_different_size_are_named(pairs):
    cv2.imwrite(str(pairs / "B" / "one.png"), np.zeros((9, 7, 3), np.uint8))
    with pytest.raises(DataError, match=r"B/one.png: .*differ in size: found 7x9; allowed: 32x24"):
        labeled(pairs)[0]


def test_a_damaged_partner_is_named_or_skipped(pairs, logged):
    damaged = pairs / "B" / "one.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    with pytest.raises(OSError, match=r"B/one.png: truncated image"):
        labeled(pairs)[0]
    pack = dict(type="PackSegInputs")
    view = WeakStrongViews(shared=[LoadImagePair()], views=dict(unsup_teacher=[pack]))
    source = ImagePairs(str(pairs), labeled=False, pipeline=[view])
    dataset = LabeledUnlabeledDataset([source], labeled=0)
    sample = dataset[SeededIndex(0, 5, BatchSlot(0, 1))]
    assert sample["inputs"]["unsup_teacher"].shape == (6, *SIZE)
    assert len(dataset.bad_files()) == 1 and "B/one.png" in logged[-1]


def test_the_doctor_reads_their_label_maps(pairs):
    options = dict(type="ImagePairs", data_root=str(pairs), values=(0, 255))
    (source,) = of_config(Config(dict(train_dataloader=dict(dataset=options))), Findings())
    assert [Path(image.path).stem for image in source.images] == ["one", "three", "two"]
    assert source.data.encoding.labels_in(pairs / "label" / "one.png") == {0, 1}


def test_wrong_arguments_are_named(pairs):
    with pytest.raises(ValueError, match=r"as many\s+values as classes"):
        ImagePairs(str(pairs), values=(0, 1, 255))
    with pytest.raises(ValueError, match="folders"):
        ImagePairs(str(pairs), folders=("A", "B"))


class AddNoise:
    """One random number for a whole image, and nothing about the others."""

    def __call__(self, results):
        results["img"] = results["img"] + np.random.randint(1, 1000, dtype=np.int32)
        return results


def test_colors_change_for_each_image_alone():
    pair = {"img": np.zeros((4, 4, 6), np.int32), "gt_seg_map": np.ones((4, 4))}
    with seeded(3):
        wanted = np.random.randint(1, 1000, dtype=np.int32), np.random.randint(1, 1000)
    with seeded(3):
        found = PerImage([AddNoise()])(pair)["img"]
    assert wanted[0] != wanted[1]
    assert (found[..., :3] == wanted[0]).all() and (found[..., 3:] == wanted[1]).all()


def test_geometry_is_refused_within_it():
    picture = {"img": np.zeros((8, 8, 6), np.uint8), "img_shape": (8, 8)}
    with pytest.raises(ValueError, match="RandomFlip moves pixels, and would move those of one"):
        PerImage([dict(type="RandomApply", transforms=[dict(type="RandomFlip", prob=1.0)])])
    for records in (dict(type="mmdet.Rotate", prob=1.0, level=5), dict(type="Pad", size=(9, 9))):
        with pytest.raises(ValueError, match="moves pixels, and would move those of one"):
            PerImage([records])(dict(picture))
    with pytest.raises(ValueError, match=r"shape \(8, 8, 4\) does not hold images of 3"):
        PerImage([AddNoise()])({"img": np.zeros((8, 8, 4), np.uint8)})


def of_levir(pairs, config):
    """The unlabeled source of a config, on the little data."""
    cfg = load_config(config).train_dataloader.dataset.datasets[-1]
    cfg.update(data_root=str(pairs), only=None)
    cfg.pop("type")
    return ImagePairs(**cfg)


def test_the_views_of_the_config_are_followed(pairs):
    source = of_levir(pairs, "change_detection/siamese-deeplabv3plus_r50_levir.py")
    check_views(source)
    with seeded(1):
        sample = source[0]
    weak, strong = (sample["inputs"][f"unsup_{name}"] for name in ("teacher", "student"))
    assert weak.shape == strong.shape and len(weak) == 6
    metas = [sample["data_samples"][f"unsup_{n}"].homography_matrix for n in ("teacher", "student")]
    assert np.array_equal(*metas) and not np.array_equal(metas[0], np.eye(3))
    # Both images are flipped and cropped as one: undo it, and it is the later one again.
    earlier, later = weak[:3].numpy(), weak[3:].numpy()
    whole = np.concatenate([cv2.imread(str(pairs / f / "one.png")) for f in "AB"], axis=2)
    seen = cv2.warpPerspective(whole[..., 3:], centerd(metas[0]), later.shape[:0:-1])
    first = cv2.warpPerspective(whole[..., :3], centerd(metas[0]), earlier.shape[:0:-1])
    for found, wanted in ((later, seen), (earlier, first)):
        assert np.abs(found.transpose(1, 2, 0).astype(int) - wanted)[16:-16, 16:-16].mean() < 3


def centerd(matrix):
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return np.linalg.inv(half) @ matrix @ half


@TRANSFORMS.register_module()
class TurnInSilence:
    """Turns an image by any angle and tells nobody."""

    def __call__(self, results):
        angle = np.random.uniform(20, 160)
        image = results["img"]
        turn = cv2.getRotationMatrix2D((16, 12), angle, 1.0)
        return {**results, "img": cv2.warpAffine(image, turn, image.shape[1::-1])}


def test_what_moves_single_images_in_silence_is_found(pairs):
    cfg = load_config("change_detection/siamese-deeplabv3plus_r50_levir.py")
    cfg = cfg.train_dataloader.dataset.datasets[-1]
    cfg.update(data_root=str(pairs), only=None)
    cfg.pipeline[0].views.unsup_student[0].transforms = [dict(type="TurnInSilence")]
    cfg.pop("type")
    with pytest.raises(ViewGeometryError, match="unsup_student: PerImage moves pixels without"):
        check_views(ImagePairs(**cfg))


def test_digits_come_and_go():
    options = dict(count=12, labeled=4, image_size=64, digits=(0, 3), objects=(1, 2))
    dataset = DigitScenePairs(split="train", pipeline=[LoadDigitPair()], **options)
    order = []
    for number in range(12):
        sample, scene = dataset[number], dataset.get_data_info(number)["pair"]
        changed = sample["gt_seg_map"] > 0
        earlier, later = sample["img"][..., :3].astype(int), sample["img"][..., 3:].astype(int)
        difference = np.abs(earlier - later).sum(-1)
        # Light and clutter differ, too, but a digit is bright, and there only once.
        assert np.median(difference[changed]) > 1.4 * np.median(difference[~changed])
        common = scene.open()[0]
        assert np.array_equal(common, sample["img"])  # the same pair each time
        order.append(later[changed].mean() > earlier[changed].mean())
    assert 0 < sum(order) < 12  # some appear, some disappear
    assert dataset.get_cat_ids(0) == [1]
    unlabeled = DigitScenePairs(split="unlabeled", pipeline=[LoadDigitPair()], **options)
    assert "gt_seg_map" not in unlabeled[0] and unlabeled.get_cat_ids(0) == []
    assert dataset.metainfo["classes"] == ("unchanged", "changed")
