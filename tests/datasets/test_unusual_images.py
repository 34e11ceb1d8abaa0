"""What becomes of images that are not 8-bit RGB of a usual size: loaded right, or named."""

import os
import time
import zlib

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from ssdet.datasets import LoadDeepImage, bad_images, check_views
from ssdet.datasets.bad_images import keeps_depth, unfit, unreadable
from ssdet.formats import DataError

from ..doctor import damage, place
from ..doctor.place import picture


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return place.build(tmp_path_factory.mktemp("unusual") / "data")


@pytest.fixture
def root(original, tmp_path):
    return place.copied(original, tmp_path / "data")


def load(path, **options):
    return LoadImageFromFile(**options)({"img_path": str(path)})


UPRIGHT = {  # how a stored picture is turned to be seen upright, by its EXIF orientation
    1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: lambda a: np.rot90(a),
}  # fmt: skip


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_bright_square_lies_under_its_box(tmp_path, orientation, suffix):
    """Boxes of the stored frame need `color_ignore_orientation`, those of the shown one `color`."""
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[8:24, 40:56] = 255
    path = tmp_path / f"a.{suffix}"
    tags = Image.Exif()
    tags[0x0112] = orientation
    Image.fromarray(stored).save(path, exif=tags)
    shown = UPRIGHT[orientation](stored)
    for frame, color_type in ((stored, "color_ignore_orientation"), (shown, "color")):
        rows, columns = np.nonzero(frame[..., 0])
        box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
        loaded = load(path, color_type=color_type)["img"]
        assert loaded.shape == frame.shape
        assert loaded[box].mean() > 245
        loaded[box] = 0
        assert loaded.mean() < 6, "there is something bright outside of the box"


RED = (250, 10, 20)


def save(path, mode):
    image = Image.new("RGB", (64, 48), RED)
    if mode == "hidden":
        image.putalpha(0)
        image.save(path, "PNG")
    elif mode == "P":
        image.quantize(4).save(path, "PNG")
    else:
        image.convert(mode).save(path, "JPEG" if mode == "CMYK" else "PNG")


@pytest.mark.parametrize(
    "mode, expected",
    [("RGB", RED), ("P", RED), ("RGBA", RED), ("hidden", RED), ("CMYK", RED), ("L", (83,) * 3)],
)
def test_the_rule_of_channels(tmp_path, mode, expected):
    """Three channels of 8 bits in BGR, whatever the file: alpha is dropped, gray is repeated."""
    path = tmp_path / "a.png"
    save(path, mode)
    loaded = load(path)["img"]
    assert loaded.dtype == np.uint8 and loaded.shape == (48, 64, 3)
    np.testing.assert_allclose(loaded[20, 30, ::-1], expected, atol=8)


def deep(path, values):
    path.write_bytes(cv2.imencode(path.suffix, np.asarray(values, np.uint16))[1].tobytes())
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_deep_images_are_scaled_by_what_white_is(tmp_path, suffix):
    path = deep(tmp_path / f"a{suffix}", np.tile([0, 2048, 4095], (4, 1)))
    assert load(path)["img"].max() <= 16, "what plain loading makes of 12 bits: black"
    found = LoadDeepImage(bit_depth=12)({"img_path": str(path)})
    assert found["img"][0].tolist() == [[0] * 3, [128] * 3, [255] * 3]
    assert found["img_shape"] == found["ori_shape"] == (4, 3)
    with pytest.raises(DataError, match=r"a\.\w+: .*found uint16 up to 4095; .* up to 1023"):
        LoadDeepImage(bit_depth=10)({"img_path": str(path)})


def test_a_deep_loader_leaves_8_bits_as_they_are(tmp_path):
    path = picture(tmp_path / "a.jpg", 3)
    info = {"img_path": str(path)}
    assert (LoadDeepImage(bit_depth=12)(info)["img"] == load(path)["img"]).all()
    with pytest.raises(ValueError, match=r"bit_depth=8 is not in 9 \.\.\. 16"):
        LoadDeepImage(bit_depth=8)


def test_the_loader_decides_whether_deep_images_are_refused(root):
    damage.sixteen_colors(root / "labeled" / "002.jpg")
    config = place.detection(root)
    source = config.train_dataloader.dataset.datasets[0]
    with DefaultScope.overwrite_default_scope("mmdet"):
        assert not keeps_depth(DATASETS.build(source).pipeline)
        repeated = dict(type="RepeatDataset", dataset=source, times=2)
        assert not keeps_depth(DATASETS.build(repeated))
        source.pipeline[0].shared[0] = dict(type="LoadDeepImage", bit_depth=16)
        config.val_dataloader.dataset.pipeline[0] = dict(type="LoadDeepImage", bit_depth=16)
        assert keeps_depth(DATASETS.build(source).pipeline)
    assert place.train(config)[0] == []


def test_one_pixel_is_trained_on(root):
    picture(root / "unlabeled" / "200.jpg", 1, (1, 1))
    assert place.train(place.detection(root))[0] == []


def text_bomb(path):
    """A PNG whose comment unpacks to 256 MB."""
    data = bytearray(path.read_bytes())
    chunk = b"zTXtbomb\0\0" + zlib.compress(bytes(1 << 28))
    size = (len(chunk) - 4).to_bytes(4, "big")
    data[33:33] = size + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    path.write_bytes(data)


def test_bombs_end_by_their_header(tmp_path):
    path = picture(tmp_path / "a.png", 1)
    damage.bomb(path)
    start = time.process_time()
    assert "image too large" in unfit(path) and "image too large" in unreadable(path)
    picture(path, 1)
    text_bomb(path)
    unfit(path)
    unreadable(path)
    assert time.process_time() - start < 5


def test_a_bomb_is_not_decoded(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    damage.bomb(path)
    monkeypatch.setattr(bad_images.cv2, "imdecode", None)
    assert "image too large" in unreadable(path)


@pytest.mark.parametrize("name", ["labeled", "val"])
def test_a_link_of_a_labeled_image_out_of_the_data_is_not_followed(root, tmp_path, name):
    number = "002" if name == "labeled" else "101"
    path = root / name / f"{number}.jpg"
    secret = picture(tmp_path / "elsewhere" / "secret.jpg", 9)
    path.unlink()
    path.symlink_to(secret)
    with pytest.raises(bad_images.BadImageError, match=rf"{number}\.jpg: leads out of .*secret"):
        place.train(place.detection(root))
    path.unlink()
    path.symlink_to(picture(root / "other" / "a.jpg", 9))
    assert place.train(place.detection(root))[0] == []


def test_a_linked_folder_is_where_the_data_are(root, tmp_path):
    os.rename(root / "labeled", tmp_path / "far")
    (root / "labeled").symlink_to(tmp_path / "far")
    config = place.detection(root)
    source = config.train_dataloader.dataset.datasets[0]
    with pytest.raises(bad_images.BadImageError, match="leads out of"):
        place.train(config)
    place.change(root, "labeled", lambda c: [i.update(file_name=i["file_name"][8:]) for i in c["images"]])  # fmt: skip  # noqa: E501
    source.data_prefix = dict(img="labeled/")
    assert place.train(config)[0] == []


@pytest.mark.parametrize("size", [(30000, 12), (1, 1), (3000, 2000)])
def test_the_check_of_views_does_not_blame_transforms_for_the_first_image(root, size):
    picture(root / "unlabeled" / "200.jpg", 1, size)
    config = place.detection(root)
    source = config.train_dataloader.dataset.datasets[1]
    more = [dict(type="Resize", scale=(1333, 800), keep_ratio=True), dict(type="RandomFlip", prob=0.5)]  # fmt: skip  # noqa: E501
    for steps in source.pipeline[0].views.values():
        steps[:0] = more
    with DefaultScope.overwrite_default_scope("mmdet"):
        start = time.process_time()
        check_views(DATASETS.build(config.train_dataloader.dataset))
    assert time.process_time() - start < 8
