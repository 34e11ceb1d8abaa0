"""`ssdet rounds`: hand-made labels for the checks, and a run of two tiny rounds."""

import json
import tarfile

import fsspec
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ssdet import label
from ssdet.cli import main
from ssdet.datasets import LabeledImages, UnlabeledImages
from ssdet.datasets.demo.scene_files import write_coco
from ssdet.engine.configs import load_config
from ssdet.exits import Exit
from ssdet.formats.labeled import LabeledImage
from ssdet.labeling.label import shards_of
from ssdet.labeling.rounds import (
    Round,
    annotated_images,
    brings_nothing,
    check,
    compare,
    matched,
    unlabeled_images,
    with_labels,
)

from .conftest import CLASSES

BOX, MOVED, FAR = (0, 0, 10, 10), (0, 0, 10, 5), (50, 50, 60, 60)


def record(*rows):
    boxes, labels = zip(*rows, strict=True) if rows else ((), ())
    return LabeledImage("a.png", 100, 100, list(boxes), list(labels), [0.9] * len(boxes))


class Truth:
    def __init__(self, *images):
        self.images = images

    def get_data_info(self, number):
        return {"instances": self.images[number]}


def truth(box, label, ignored=0):
    return dict(bbox=list(box), bbox_label=label, ignore_flag=ignored)


def test_a_box_has_one_partner_of_its_class():
    assert matched([BOX, BOX, FAR], [0, 0, 1], [FAR, BOX, MOVED], [0, 0, 0]) == {0: 1, 1: 2}
    assert matched([], [], [BOX], [0]) == matched([BOX], [0], [], []) == {}


def test_precision_and_recall():
    """Of five labels two are right, one lies on a group; of four objects two are found."""
    first = record((BOX, 0), (MOVED, 0), (FAR, 1))  # right, no second one there, on a group
    second = record((BOX, 1), (FAR, 0))  # another class, right
    objects = [truth(BOX, 0), truth((0, 20, 9, 30), 0), truth(FAR, 0, ignored=1)]
    known = Truth(objects, [truth(BOX, 0), truth(FAR, 0)])
    assert check([first, second], known) == (0.5, 0.5)
    assert check([record()], Truth([])) == (None, None)


def test_agreement_and_drift():
    now, before = [record((BOX, 0), (FAR, 0)), record()], [record((BOX, 0), (FAR, 1)), record()]
    assert compare(now, before) == (0.5, 0.5)
    assert compare(now, now) == (1.0, 0.0)
    assert compare(now, [record(), record()]) == (None, None)


def test_when_a_round_brings_nothing():
    rounds = [Round(n, score, "box AP", "") for n, score in ((1, 40.0), (2, 42.0), (3, 42.1))]
    assert not brings_nothing(rounds[:1], 0.2) and not brings_nothing(rounds[:2], 0.2)
    assert brings_nothing(rounds, 0.2) and not brings_nothing(rounds, 0.05)


@pytest.mark.parametrize(
    ("batch", "expected"), [((4, 4), (2, 2, 4)), ((5, 1), (3, 2, 1)), ((1, 4), (1, 1, 4))]
)
def test_labels_take_half_of_the_labeled_batch(batch, expected):
    sources = [dict(type="CocoDataset", pipeline=[1], metainfo=dict(classes=("a",))),
               dict(type="UnlabeledImages", source="u")]  # fmt: skip
    loader = dict(dataset=dict(datasets=sources), sampler=dict(batch=batch), batch_size=sum(batch))
    total = tuple(2 * n for n in batch)
    config = Config(dict(train_dataloader=loader, total_batch=total))
    changed = with_labels(config, "labels.json", "photos")
    data = changed.train_dataloader
    assert tuple(data.sampler.batch) == expected and data.batch_size == sum(expected)
    assert data.dataset.labeled == 2 and tuple(changed.total_batch) == tuple(
        2 * n for n in expected
    )
    assert [one.type for one in data.dataset.datasets] == [
        "CocoDataset", "LabeledImages", "UnlabeledImages",
    ]  # fmt: skip
    assert data.dataset.datasets[1].pipeline == [1] and data.dataset.datasets[1].images == "photos"
    assert len(config.train_dataloader.dataset.datasets) == 2


@pytest.fixture(scope="module")
def config_file(tmp_path_factory):
    """The demo of the Mean Teacher on scenes in files: two iterations."""
    folder = tmp_path_factory.mktemp("rounds")
    data = write_coco(folder / "data", train=10, val=3, labeled=4, image_size=64)
    options = dict(iterations=2, burn_in=1, batch=(2, 2), num_workers=0)
    config = load_config("mean_teacher/gfl_demo.py", options)
    config.model.detector.test_cfg.score_thr = 0.0  # it will have learned next to nothing
    classes = dict(classes=("0", "1", "2"))
    labeled, unlabeled = config.train_dataloader.dataset.datasets
    notes = data / "annotations"
    for view in (labeled, unlabeled):
        view.pipeline[0].shared[0] = dict(type="LoadImageFromFile")
    val = config.val_dataloader.dataset
    pipeline = [dict(type="LoadImageFromFile"), *val.pipeline[1:]]
    config.train_dataloader.dataset.datasets = [
        dict(type="LabeledImages", source=str(notes / "instances_labeled.json"),
             images=str(data / "train"), metainfo=classes, pipeline=labeled.pipeline),
        dict(type="UnlabeledImages", source=str(data / "train"), pipeline=unlabeled.pipeline),
    ]  # fmt: skip
    config.val_dataloader.dataset = config.test_dataloader.dataset = dict(
        type="LabeledImages", source=str(notes / "instances_val.json"), images=str(data / "val"),
        metainfo=classes, pipeline=pipeline, test_mode=True,
    )  # fmt: skip
    config.dump(folder / "config.py")
    return folder / "config.py"


def pack(folder, archive):
    with tarfile.open(archive, "w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    return str(archive)


@pytest.fixture
def archives(config_file, tmp_path):
    """The same config with all images in archives, beside other files."""
    config = Config.fromfile(config_file)
    labeled, unlabeled = config.train_dataloader.dataset.datasets
    data = config_file.parent / "data"
    labeled.images = unlabeled.source = pack(data / "train", tmp_path / "train.tar")
    config.val_dataloader.dataset.images = pack(data / "val", tmp_path / "val.tar")
    config.test_dataloader = config.val_dataloader
    config.dump(tmp_path / "config.py")
    return tmp_path / "config.py"


@pytest.mark.parametrize("where", ["archive", "address", "list", "val"])
def test_labels_of_images_that_have_addresses(detector, images, tmp_path, monkeypatch, where):
    """What a round labels, the next one finds; a list of addresses is labeled in its order."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    for name in ("00.png", "sub/01.png"):
        memory.pipe(f"/{tmp_path.name}/{name}", (images / name).read_bytes())
    memory.pipe(f"/{tmp_path.name}/list.txt", b"sub/01.png\n")
    address = f"memory://{tmp_path.name}"
    source = {"list": f"{address}/list.txt", "archive": str(tmp_path / "0.tar")}.get(where, address)
    pack(images / "sub", tmp_path / "0.tar")
    (tmp_path / "beside.png").touch()
    files = dict(type="UnlabeledImages", source=source, pipeline=[])
    datasets = [dict(type="LabeledImages"), files]
    config = Config(dict(model=dict(detector={}), val_dataloader=dict(dataset=files),
                         train_dataloader=dict(dataset=dict(datasets=datasets))))  # fmt: skip
    listed, root, place = unlabeled_images(config)
    if where == "val":
        listed, root, _ = annotated_images(config)
        listed.reverse()
    said = dict(root=root, threshold=0, max_errors=1.0)
    label(detector, listed, tmp_path / "labels.json", **said)
    wanted = [info["img_path"] for info in UnlabeledImages(source)]
    names = [one.name for one in shards_of(tmp_path / "labels.json", len(wanted))]
    with DefaultScope.overwrite_default_scope("mmdet"):
        labels = LabeledImages(str(tmp_path / "labels.json"), images=place)
    found = [info["img_path"] for info in labels]
    assert labels.metainfo["classes"] == CLASSES
    if where == "val":
        assert names == ["sub/01.png", "00.png"] and found == wanted[::-1]
    else:
        assert len(found) == len(wanted) and found == wanted


@pytest.mark.long
@pytest.mark.parametrize("where", ["files", "archives"])
def test_two_rounds_and_on(where, request, tmp_path, capsys, monkeypatch):
    config_file = request.getfixturevalue("config_file" if where == "files" else where)
    folder = tmp_path / "rounds"
    command = ["rounds", str(config_file), "--work-dir", str(folder), "--threshold", "0"]
    assert main([*command, "--rounds", "2", "--min-gain", "-100"]) == 0
    text = capsys.readouterr().out
    state = json.loads((folder / "rounds.json").read_text())["rounds"]
    assert [one["number"] for one in state] == [1, 2] and state[0]["images"] == 10
    assert state[0]["boxes"] > 0 and state[0]["agreement"] is None
    assert "round 2:" in text and (folder / "report.html").stat().st_size > 10_000
    second = Config.fromfile(folder / "round-2/config.py")
    sources = second.train_dataloader.dataset.datasets
    assert sources[1].source == str(folder / "round-1/labels.json")
    assert tuple(second.train_dataloader.sampler.batch) == (1, 1, 2)
    monkeypatch.setattr("ssdet.notebook.train", None)  # what is done is not done again
    assert main([*command, "--rounds", "3", "--min-gain", "100"]) == 0
    assert "round 2 brought less than 100 points: no more rounds" in capsys.readouterr().out
    assert main([*command, "--seed", "7"]) == Exit.USAGE
    assert "rounds with other settings (seed)" in capsys.readouterr().err


def test_what_has_no_files_to_label(tmp_path, capsys):
    assert main(["rounds", "mean_teacher/gfl_demo.py", "--work-dir", str(tmp_path)]) == Exit.USAGE
    assert "one unlabeled source of type UnlabeledImages" in capsys.readouterr().err
