"""UnlabeledImages: any kind of source, nothing from outside its root, no annotation ever."""

import json
import os

import cv2
import numpy as np
import pytest

from ssdet.datasets import UnlabeledImages


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "data"
    for name in ("b.png", "a.JPG", "deep/er/c.bmp"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((4, 6, 3), np.uint8))
    (root / "notes.txt").write_text("no image")
    return root


def names(dataset, root):
    return [
        os.path.relpath(dataset.get_data_info(i)["img_path"], root) for i in range(len(dataset))
    ]


def test_a_folder_is_searched_recursively_and_sorted(root):
    assert names(UnlabeledImages(root), root) == ["a.JPG", "b.png", "deep/er/c.bmp"]


@pytest.mark.parametrize(
    ("pattern", "found"), [("*.png", ["b.png"]), ("**/*.bmp", ["deep/er/c.bmp"]), ("[ab]*", 2)]
)
def test_a_glob_pattern(root, pattern, found):
    dataset = UnlabeledImages(f"{root}/{pattern}")
    assert names(dataset, root) == (found if isinstance(found, list) else ["a.JPG", "b.png"])


def test_a_list_file_keeps_its_order_and_ignores_mask_columns(root):
    (root / "list.txt").write_text("\ufeffdeep/er/c.bmp masks/c.png\n\nb.png\n", encoding="utf-8")
    assert names(UnlabeledImages(root / "list.txt"), root) == ["deep/er/c.bmp", "b.png"]
    elsewhere = UnlabeledImages(root / "list.txt", data_root=root)
    assert names(elsewhere, root) == ["deep/er/c.bmp", "b.png"]
    assert len(UnlabeledImages(["er/c.bmp"], data_root=root, img_prefix="deep")) == 1


def test_names_with_blanks_and_other_alphabets(root):
    for name in ("an image.png", "größe.png", "图.png"):
        (root / name).write_bytes((root / "b.png").read_bytes())
    (root / "list.txt").write_text("an image.png\ngröße.png\n图.png\n", encoding="utf-8")
    assert names(UnlabeledImages(root / "list.txt"), root) == [
        "an image.png",
        "größe.png",
        "图.png",
    ]


def coco(root, **content):
    images = [{"id": 5, "file_name": "b.png", "height": 4, "width": 6}, {"file_name": "a.JPG"}]
    (root / "u.json").write_text(json.dumps({"images": images, **content}))
    return root / "u.json"


def test_a_coco_file_needs_neither_categories_nor_annotations(root):
    dataset = UnlabeledImages(coco(root))
    assert names(dataset, root) == ["b.png", "a.JPG"]
    assert dataset.get_data_info(0)["img_id"] == 5
    assert dataset.image_size(0) == (4, 6) == dataset.image_size(1)  # from the file, the header


@pytest.mark.parametrize(
    "poison",
    [
        {"annotations": [{"id": 1, "image_id": 5, "category_id": -7, "bbox": ["x", None, -1e9]}]},
        {"annotations": "absurd", "categories": [{"id": 1, "name": "cat"}]},
        {"annotations": {"no": "list"}, "categories": None},
    ],
)
def test_annotations_are_never_read(root, poison):
    clean = UnlabeledImages(coco(root))
    clean = [clean.get_data_info(i) for i in range(2)]
    poisoned = UnlabeledImages(coco(root, **poison))
    assert [poisoned.get_data_info(i) for i in range(2)] == clean
    assert all(info["instances"] == [] for info in clean)


def test_samples_suit_detection_and_segmentation(root):
    info = UnlabeledImages(root).get_data_info(0)
    assert info["instances"] == [] and info["seg_fields"] == [] and info["label_map"] is None
    assert info["reduce_zero_label"] is False
    assert "seg_map_path" not in info
    again = UnlabeledImages(root)
    again.get_data_info(0)["seg_fields"].append("gt_seg_map")
    assert again.get_data_info(1)["seg_fields"] == []


def test_a_whole_folder_behind_a_link_is_refused_and_a_loop_ends(root, tmp_path):
    (root / "deep" / "loop").symlink_to(root)
    assert len(UnlabeledImages(root)) == 3
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.png").write_bytes((root / "b.png").read_bytes())
    (root / "linked").symlink_to(outside)
    with pytest.raises(ValueError, match=r"linked/x\.png.*leads out of"):
        UnlabeledImages(root)
    assert len(UnlabeledImages(root, data_root=tmp_path)) == 4


@pytest.mark.parametrize(
    "name", ["../secret.png", "{tmp}/secret.png", "link.png", "deep/../../secret.png"]
)
def test_paths_out_of_the_root_are_refused_before_anything_is_opened(root, tmp_path, name):
    (tmp_path / "secret.png").write_bytes((root / "b.png").read_bytes())
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    name = name.format(tmp=tmp_path)
    (root / "list.txt").write_text(f"b.png\n{name}\n")
    (root / "u.json").write_text(json.dumps({"images": [{"file_name": name}]}))
    with pytest.raises(ValueError, match=r"list\.txt, line 2.*leads out of"):
        UnlabeledImages(root / "list.txt")
    with pytest.raises(ValueError, match=r"images\[0\].*leads out of"):
        UnlabeledImages(root / "u.json")


def test_a_link_inside_the_root_and_a_linked_root_are_fine(root, tmp_path):
    (root / "link.png").symlink_to(root / "b.png")
    (tmp_path / "data2").symlink_to(root)
    assert len(UnlabeledImages(tmp_path / "data2")) == 4


@pytest.mark.parametrize(
    ("lines", "error", "words"),
    [
        ("gone.png", FileNotFoundError, r"line 1.*gone\.png.*does not exist"),
        ("notes.txt", ValueError, r"line 1.*notes\.txt.*not an image file"),
        ("deep", ValueError, r"'.*deep' is not an image file"),
        ("", ValueError, "no image in"),
        ("a\0.png", ValueError, "not an image file"),
    ],
)
def test_useless_lists_are_refused_by_name(root, lines, error, words):
    (root / "list.txt").write_text(lines)
    with pytest.raises(error, match=words):
        UnlabeledImages(root / "list.txt")


def test_useless_sources_are_refused_by_name(root, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no image in '.*empty'"):
        UnlabeledImages(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"no image in '.*\*\.gif'"):
        UnlabeledImages(f"{root}/*.gif")
    with pytest.raises(FileNotFoundError, match=r"'.*nowhere' does not exist"):
        UnlabeledImages(tmp_path / "nowhere")
    (root / "bad.json").write_text("[]")
    with pytest.raises(ValueError, match=r"bad\.json: not a JSON object: found a list"):
        UnlabeledImages(root / "bad.json")
    (root / "bad.json").write_text("{}")
    with pytest.raises(ValueError, match="no list 'images'"):
        UnlabeledImages(root / "bad.json")
    (root / "bad.json").write_text('{"images": [{"id": 3}]}')
    with pytest.raises(ValueError, match=r"images\[0\] \(id 3\) has file_name=None"):
        UnlabeledImages(root / "bad.json")
    (root / "bad.json").write_text('{"images": [7]}')
    with pytest.raises(ValueError, match=r"images\[0\] \(id None\) has file_name=None"):
        UnlabeledImages(root / "bad.json")
