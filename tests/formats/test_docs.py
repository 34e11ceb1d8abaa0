"""Every `ssdet split` and `ssdet convert` of docs/datasets.md works as it stands, in order."""

import re
import shlex
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from PIL import Image

from ssdet.cli import main
from ssdet.engine.configs import load_config

from . import miniature

DOCS = Path(__file__).parents[2] / "docs" / "datasets.md"


def commands():
    blocks = re.findall(r"```bash\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", "").splitlines()
    return [fewer(shlex.split(line, comments=True)[1:]) for line in lines]


def fewer(command):
    """A miniature has no 10,105 images: counts become 1, 2, 3, ..."""
    start = command.index("--count") + 1 if "--count" in command else len(command)
    numbers = list(takewhile(str.isdigit, command[start:]))
    command[start : start + len(numbers)] = map(str, range(1, len(numbers) + 1))
    return command


def label_maps(root, values, colors=False):
    for n in range(8):
        miniature.picture(root / "images" / f"{n}.jpg", (8, 8), seed=n)
        labels = np.array(values)[np.add.outer(np.arange(8), np.arange(8)) // 4 % len(values)]
        path = root / "masks" / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(labels.astype(np.uint8)).save(path)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    miniature.write_json(data / "own" / "train.json", miniature.coco_records(20))
    miniature.yolo_data(data / "yolo", count=8)
    miniature.voc_data(data / "voc")
    miniature.labelme_data(data / "labelme")
    miniature.labelme_data(data / "polygons")
    for path in (data / "polygons").glob("*.json"):  # boxes cannot become label maps
        path.write_text(path.read_text().replace('"rectangle"', '"line"'))
    miniature.cvat_data(data / "cvat")
    label_maps(data / "seg", [0, 1])
    (data / "seg" / "classes.txt").write_text("background\ncell\n")
    label_maps(data / "binary", [0, 255])
    label_maps(data / "colors", [(70, 130, 180), (0, 0, 0)])
    (data / "colors" / "colors.txt").write_text("sky 70 130 180\nground 0 0 0\n")
    scans = miniature.coco_records(20)
    for n, image in enumerate(scans["images"]):
        image.update(file_name=f"patient{n // 4}_{n}.png", patient=n // 4)
    miniature.write_json(data / "scans" / "slices.json", scans)
    halves = [np.full((8, 8), value, np.uint8) for value in (0, 1)]
    for n, folder in enumerate("aabbb"):
        for kind in ("images", "masks"):
            miniature.gray_png(data / "frames" / kind / folder / f"{n}.png", halves[n % 2])
    names = [f"patient{n // 4}_{n}.png" for n in range(20)]
    for where, listed in (("scans", "all"), ("acdc", "train")):
        for n, name in enumerate(names):
            miniature.gray_png(data / where / name, halves[n % 2])
        miniature.write_list(data / where / f"{listed}.txt", [f"{x} {x}" for x in names])
    miniature.coco(data / "coco", train=100, val=2, unlabeled=2)
    miniature.cityscapes(data / "cityscapes")
    miniature.voc_masks(data / "VOCdevkit" / "VOC2012")
    miniature.ade(data / "ade" / "ADEChallengeData2016", training=8)
    return tmp_path


def test_the_commands_of_the_documentation(place, capsys):
    ran = 0
    for command in commands():
        if command[0] in ("split", "convert") and not {"FORMAT", "FOLDER"} & set(command):
            assert main(command) == 0, (command, capsys.readouterr().err)
            ran += 1
    assert ran >= 18
    semi = place / "data" / "coco" / "semi_anns"
    assert len(list(semi.iterdir())) == 4 * 5 * 2
    lists = {path.name for path in (place / "data/VOCdevkit/VOC2012/semi_lists").iterdir()}
    assert {"classic.1@1_16.txt", "classic.1@1_1-unlabeled.txt", "blender.1@1_2.txt"} <= lists
    made = "data/cityscapes/gtFine/val/aachen/aachen_000000_000019_gtFine_labelTrainIds.png"
    assert (place / made).is_file()


def test_own_data_from_the_split_to_a_batch(place):
    """The documentation's `ssdet init`, as far as a batch."""
    own, val = place / "data" / "own", miniature.coco_records(20)
    for image in miniature.coco_records(20)["images"]:
        miniature.picture(own / "images" / image["file_name"])
    for image in val["images"]:
        image["file_name"] = f"val-{image['file_name']}"
        miniature.picture(own / "images" / image["file_name"])
    miniature.write_json(own / "val.json", val)
    lines = commands()
    assert main(next(c for c in lines if c[:3] == ["split", "coco", "data/own/train.json"])) == 0
    assert main(next(c for c in lines if c[0] == "init")) == 0
    with DefaultScope.overwrite_default_scope("mmdet"):
        cfg = load_config("config.py", {"num_workers": 0})
        batch = next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0)))
    assert [len(s.gt_instances) > 0 for s in batch["data_samples"]["sup"][:2]] == [True, True]
    assert len(batch["data_samples"]["unsup_teacher"][2].gt_instances) == 0


def test_lists_of_own_label_maps_from_the_split_to_a_batch_and_a_score(place):
    for part, count in (("train", 5), ("val", 3)):
        command = f"split masks data/seg --count {count} --name {part} --out data/seg/splits"
        assert main(shlex.split(command)) == 0
    path = DOCS.parents[1] / "configs" / "_base_" / "datasets" / "lists_semi.py"
    splits = "data/seg/splits"
    options = dict(
        data_root="data/seg/", classes="data/seg/classes.txt", num_workers=0, crop_size=(8, 8),
        image_scale=(16, 16), labeled_list=f"{splits}/train.1@5images.txt",
        unlabeled_list=f"{splits}/train.1@5images-unlabeled.txt",
        val_list=f"{splits}/val.1@3images.txt",
    )  # fmt: skip
    with DefaultScope.overwrite_default_scope("mmseg"):
        cfg = load_config(str(path), options)
        batch = next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0)))
        assert [x is not None for x in batch["inputs"]["sup"]] == [True, True, False, False]
        val = Runner.build_dataloader(cfg.val_dataloader, seed=0)
        assert val.dataset.metainfo["classes"] == ("background", "cell")
        evaluator = Evaluator(cfg.val_evaluator)
        evaluator.dataset_meta = val.dataset.metainfo
        for data in val:
            sample = data["data_samples"][0]
            sample.pred_sem_seg = sample.gt_sem_seg
            evaluator.process([sample], {})
        assert evaluator.evaluate(3)["mIoU"] == 100.0


def test_the_configs_that_the_documentation_names_exist():
    folder = DOCS.parents[1] / "configs"
    for name in re.findall(r"`(\w+_semi\.py)", DOCS.read_text(encoding="utf-8")):
        assert (folder / "_base_" / "datasets" / name).is_file(), name
