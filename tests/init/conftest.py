"""Miniature data sets in several formats, made once for the room."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from ssdet.datasets import write_coco, write_voc
from tests.helpers import tiny_retinanet
from tests.seg_helpers import tiny_fcn


@pytest.fixture(scope="session")
def coco(tmp_path_factory):
    """`train/`, `val/`, `annotations/` of six labeled, six unlabeled and three other scenes."""
    root = tmp_path_factory.mktemp("data") / "coco"
    write_coco(root, train=12, val=3, labeled=6, image_size=64)
    return root


@pytest.fixture(scope="session")
def voc(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "voc"
    write_voc(root, train=8, val=3, labeled=5, image_size=64)
    return next(folder.parent for folder in root.rglob("Annotations"))


@pytest.fixture(scope="session")
def masks(tmp_path_factory):
    """`images/`, `masks/`, `classes.txt` of eight pictures in two parts, and `more/` without."""
    root = tmp_path_factory.mktemp("data") / "masks"
    draw = np.random.default_rng(0)
    for part, count in (("train", 8), ("val", 3)):
        for number in range(count):
            labels = np.zeros((48, 64), dtype=np.uint8)
            x, y = draw.integers(0, 30, 2)
            labels[y : y + 16, x : x + 20] = 1
            image = draw.integers(0, 60, (48, 64, 3)) + 150 * labels[..., None]
            for kind, array in (("images", image.astype(np.uint8)), ("masks", labels)):
                path = root / kind / part / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(path)
    (root / "classes.txt").write_text("ground\nbox\n")
    shutil.copytree(root / "images" / "train", root / "more")
    return root


@pytest.fixture
def change(coco, tmp_path):
    """A changed copy of one of the COCO files beside it."""

    def make(name, alter):
        content = json.loads((coco / "annotations" / f"instances_{name}.json").read_text())
        alter(content)
        path = coco / "annotations" / f"{tmp_path.name.replace('_', '-')}_{name}.json"
        path.write_text(json.dumps(content))
        return path

    return make


@pytest.fixture
def detector(tmp_path):
    path = tmp_path / "tiny_det.py"
    path.write_text(f"model = {tiny_retinanet()!r}\n")
    return str(path)


@pytest.fixture
def segmentor(tmp_path):
    path = tmp_path / "tiny_seg.py"
    path.write_text(f"model = {tiny_fcn()!r}\n")
    return str(path)
