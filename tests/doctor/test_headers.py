"""Headers and ends of image files, and the data sets that look at them while training."""

import io
import json
import zlib

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.registry import DATASETS, DefaultScope
from mmengine.structures import InstanceData
from PIL import Image

from ssdet import doctor
from ssdet.datasets import BadImageError
from ssdet.datasets.named_errors import name_bad_images
from ssdet.datasets.sample_check import mismatch
from ssdet.doctor.parallel import each
from ssdet.formats.image_header import ImageFlaw, cut_off, read_header

from . import place


@pytest.fixture
def root(tmp_path):
    return place.build(tmp_path / "data")


def jpeg(size=(64, 48), **save):
    pixels = np.random.RandomState(0).randint(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **save)
    return file.getvalue()


def with_thumbnail():
    """A JPEG with a whole JPEG in its EXIF block, as cameras write them."""
    small, data = jpeg((16, 12)), jpeg()
    block = b"Exif\0\0" + small
    return data[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + data[2:]


@pytest.mark.parametrize("extra", [b"", b"\0" * 3, b"\0" * 5000], ids=len)
def test_data_behind_the_end_are_no_fault(tmp_path, extra):
    path = tmp_path / "a.jpg"
    for whole in (jpeg(), jpeg(progressive=True), with_thumbnail()):
        path.write_bytes(whole + extra)
        assert cut_off(path) is None
        header = read_header(path)
        assert (header.width, header.height, header.bits) == (64, 48, 8)
        assert header.size == len(whole + extra)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.999])
def test_the_end_of_a_thumbnail_is_not_that_of_the_image(tmp_path, share):
    path = tmp_path / "a.jpg"
    for whole in (jpeg(), jpeg(progressive=True), with_thumbnail()):
        start = whole.index(b"\xff\xda") if whole != with_thumbnail() else len(jpeg((16, 12))) + 12
        path.write_bytes(whole[: start + int((len(whole) - start) * share) - 2])
        assert "no end marker" in str(cut_off(path))
        with pytest.raises(ImageFlaw, match=r"truncated|not an image"):
            read_header(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_shown_size_is_that_of_opencv(tmp_path, orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    path = place.picture(tmp_path / "a.jpg", 0, exif=tags)
    height, width = cv2.imread(str(path)).shape[:2]
    assert read_header(path).shown == (width, height)


def test_an_image_that_is_too_large_is_refused_by_its_header(tmp_path):
    path = place.picture(tmp_path / "a.png", 0)
    data = bytearray(path.read_bytes())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(ImageFlaw, match="image too large"):
        read_header(path)


def test_a_damaged_middle_is_found_by_full_decoding_only(root):
    path = root / "labeled" / "002.jpg"
    Image.open(path).save(path, "PNG")
    data = bytearray(path.read_bytes())
    data[300:400] = bytes(100)
    path.write_bytes(data)
    config = place.detection(root)
    assert not doctor.examine_config(config).of("error")
    found = doctor.examine_config(config, full=True).of("error")
    assert [f.what for f in found] == ["image that does not decode"]
    with pytest.raises(BadImageError, match=r"002\.jpg.*does not decode"):
        place.train(config)


def test_processes_keep_the_order_and_report_progress():
    seen = []
    items = list(range(5000))
    results = each(
        abs, items, what="numbers", workers=2, progress=lambda *told: seen.append(told), alone=100
    )
    assert list(results) == items
    assert seen[-1] == ("numbers", 5000, 5000) and len(seen) > 10


def test_what_leads_out_is_not_opened_even_without_the_quick_check(root):
    """MMDetection joins paths blindly, and its own tools/train.py runs no doctor."""
    place.picture(root.parent / "secret.jpg", 1)
    edit = lambda c: c["images"][0].update(file_name="../secret.jpg")  # noqa: E731
    place.change(root, "labeled", edit)
    place.change(root, "val", edit)
    config = place.detection(root)
    with DefaultScope.overwrite_default_scope("mmdet"):
        train = DATASETS.build(config.train_dataloader.dataset)
        val = DATASETS.build(config.val_dataloader.dataset)
    name_bad_images(val)
    for dataset in (train, val):
        with pytest.raises(BadImageError, match=r"secret\.jpg: leads out of .*does not open it"):
            dataset[0]
        dataset[1]


def test_a_box_of_nan_is_named():
    """`CocoDataset` drops it by luck; data sets that read other formats do not."""
    for good, boxes in ((True, [[1.0, 2.0, 3.0, 4.0]]), (False, [[1.0, float("nan"), 4.0, 4.0]])):
        sample = DetDataSample(gt_instances=InstanceData(bboxes=torch.tensor(boxes)))
        batch = {"data_samples": {"sup": sample, "unsup_teacher": None}}
        found = mismatch(batch, {"img_path": "a.jpg"}, ())
        assert found is None if good else "a.jpg: a box that is not finite: [[1.0, nan" in found


def test_strict_makes_an_error_of_what_is_skipped(root):
    (root / "unlabeled" / "203.jpg").write_bytes(b"")
    config = place.detection(root)
    assert len(place.train(config)[0]) == 1
    with pytest.raises(BadImageError, match=r"1 of 8 images cannot be read, allowed: 0"):
        place.train(config, strict=True)


def test_strict_makes_an_error_of_a_warning(root):
    place.change(root, "labeled", lambda c: c["annotations"][0].update(category_id=9))
    config = place.detection(root)
    assert [f.what for f in place.train(config)[1].of("warning")] == ["unknown category (left out)"]
    with pytest.raises(ValueError, match="unknown category: found category_id 9"):
        place.train(config, strict=True)


def test_readers_are_made_strict_too(root):
    (root / "seg" / "masks" / "301.png").unlink()
    config = place.by_reader(root)
    assert len(place.train(config)[0]) == 0
    with pytest.raises(ValueError, match=r"image without its label map"):
        place.train(place.by_reader(root), strict=True)


def test_an_unlabeled_json_may_lack_everything_but_names(root):
    images = [dict(file_name=f"unlabeled/{200 + n}.jpg") for n in range(3)]
    (root / "u.json").write_text(json.dumps(dict(images=images)))
    config = place.detection(root)
    config.train_dataloader.dataset.datasets[1].source = str(root / "u.json")
    assert not doctor.examine_config(config).found
