"""`ssdet label`: what the model says, for every image, once, however often the job is killed."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector, init_detector
from mmengine.structures import PixelData
from mmseg.apis import inference_model, init_model
from mmseg.models import FCNHead
from PIL import Image
from pycocotools.coco import COCO

import ssdet
from ssdet.cli import main
from ssdet.exits import Exit, UsageError
from ssdet.formats import DataError, read
from ssdet.formats.labeled import LabeledImage, unpack_map
from ssdet.labeling.label import LabelingResult
from ssdet.labeling.labeler import Labeler
from ssdet.labeling.shards import Counts, ShardError, ShardFolder
from ssdet.labeling.views import views_of

from .conftest import CLASSES

UNREADABLE = {"broken.png", "cut.png"}


@pytest.fixture(scope="module")
def exported(detector, tmp_path_factory):
    """The teacher as a plain model of MMDetection."""
    out = tmp_path_factory.mktemp("exported") / "plain"
    assert main(["export", str(detector), "--out", str(out)]) == 0
    return out


def by_name(path):
    content = json.loads(path.read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    found = {name: [] for name in names.values()}
    for entry in content["annotations"]:
        found[names[entry["image_id"]]].append(entry)
    return found


def test_boxes_are_those_of_mmdetection(detector, exported, images, tmp_path, capsys):
    """Of every readable image, batched by size, with the threshold applied before suppression."""
    out = tmp_path / "labels.json"
    command = ["label", str(detector), str(images), "--out", str(out)]
    assert main([*command, "--threshold", "0.3", "--batch-size", "4"]) == 0
    text = capsys.readouterr().out
    assert "32 of 32 images" in text and "images: 32, 32 of them labeled now" in text
    assert "not labeled: 2 images" in text
    assert "broken.png: does not decode" in text and "cut.png: truncated image" in text
    found = by_name(out)
    assert len(found) == 30 and not UNREADABLE & set(found)
    model = init_detector(str(exported / "config.py"), str(exported / "model.pth"), device="cpu")
    total = 0
    for name, entries in found.items():
        one = inference_detector(model, str(images / name)).pred_instances
        one = one[one.scores >= 0.3]
        assert len(entries) == len(one)
        total += len(one)
        for entry, box, score in zip(entries, one.bboxes, one.scores, strict=True):
            x, y, w, h = entry["bbox"]
            size = Image.open(images / name).size
            inside = [min(max(v, 0), s) for v, s in zip(box.tolist(), size * 2, strict=True)]
            assert [x, y, x + w, y + h] == pytest.approx(inside, abs=2e-3)
            assert entry["score"] == pytest.approx(float(score), abs=1e-5)
    assert total > 30


def test_every_kind_of_checkpoint_gives_the_same(detector, exported, images, tmp_path):
    config, model = str(exported / "config.py"), exported / "model.pth"
    sources = {"run": (detector, {}), "folder": (exported, {}), "file": (model, {}),
               "config": (model, {"config": config})}  # fmt: skip
    texts = []
    for name, (checkpoint, more) in sources.items():
        out = tmp_path / f"{name}.json"
        found = ssdet.label(checkpoint, images, out, batch_size=4, **more)
        texts.append(by_name(out))
    assert texts[0] == texts[1] == texts[2] == texts[3]
    assert "<td style='text-align:left'>32, 32 of them" in found._repr_html_()
    student = ssdet.label(detector, images, tmp_path / "student.json", model="student")
    assert by_name(tmp_path / "student.json") != texts[0] and student.counts.images == 32


def test_killed_three_times_nothing_is_labeled_twice(detector, images, tmp_path, monkeypatch):
    seen, write = [], ShardFolder.write

    def killed(self, number, records):
        if number in (1, 3, 4) and number not in killed.times:
            killed.times.append(number)
            raise KeyboardInterrupt
        seen.extend(record.name for record in records)
        return write(self, number, records)

    killed.times = []
    monkeypatch.setattr(ShardFolder, "write", killed)
    arguments = {"shard_size": 6, "batch_size": 3, "threshold": 0.2}
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            ssdet.label(detector, images, tmp_path / "killed.json", **arguments)
        assert not (tmp_path / "killed.json").exists()
    found = ssdet.label(detector, images, tmp_path / "killed.json", **arguments)
    assert sorted(seen) == sorted(set(seen)) and len(seen) == 32
    assert found.labeled_now == 32 - 24  # the two shards from the fourth on
    again = ssdet.label(detector, images, tmp_path / "killed.json", **arguments)
    assert again.labeled_now == 0 and again.counts == found.counts
    ssdet.label(detector, images, tmp_path / "once.json", **arguments)
    assert by_name(tmp_path / "once.json") == by_name(tmp_path / "killed.json")


def test_another_job_in_the_same_folder_is_refused(detector, segmentor, images, tmp_path):
    out = tmp_path / "labels.json"
    ssdet.label(detector, images, out, threshold=0.5)
    with pytest.raises(UsageError, match=r"It differs in thresholds: \[0.5, 0.5, 0.5\], now \[0.4"):
        ssdet.label(detector, images, out, threshold=0.4)
    with pytest.raises(UsageError, match="differs in model"):
        ssdet.label(detector, images, out, threshold=0.5, model="student")
    with pytest.raises(UsageError, match="checkpoint"):
        ssdet.label(segmentor, images, out, threshold=0.5)
    with pytest.raises(UsageError, match="images"):
        ssdet.label(detector, images / "sub", out, threshold=0.5)
    assert ssdet.label(detector, images, out, threshold=0.4, force=True).labeled_now == 32
    (tmp_path / "mine.json").write_text("{}")
    with pytest.raises(DataError, match="file exists"):
        ssdet.label(detector, images, tmp_path / "mine.json")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(UsageError, match="is no job of"):
        ssdet.label(detector, images, tmp_path / "new.json", shards=tmp_path / "other")


def test_a_damaged_shard_is_named_and_labeled_again(detector, images, tmp_path):
    arguments = {"shard_size": 16}
    ssdet.label(detector, images, tmp_path / "a.json", **arguments)
    shard = tmp_path / "a.json.shards/shard-000001.jsonl"
    before = (tmp_path / "a.json").read_text()
    shard.write_text(shard.read_text()[:-100])
    with pytest.raises(ShardError, match=r"shard-000001\.jsonl is damaged; delete it"):
        ssdet.label(detector, images, tmp_path / "a.json", **arguments)
    shard.unlink()
    assert ssdet.label(detector, images, tmp_path / "a.json", **arguments).labeled_now == 16
    assert (tmp_path / "a.json").read_text() == before


def test_two_processes_share_the_shards(detector, images, tmp_path, monkeypatch):
    """Each does its half, and any later call merges; the file is that of one process."""
    arguments = {"shard_size": 6, "batch_size": 3}
    ssdet.label(detector, images, tmp_path / "one.json", **arguments)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    shares = []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        found = ssdet.label(detector, images, tmp_path / "two.json", merge=rank == "1", **arguments)
        shares.append(found.labeled_now)
    assert shares == [18, 14]
    monkeypatch.setenv("RANK", "0")
    assert ssdet.label(detector, images, tmp_path / "two.json", **arguments).labeled_now == 0
    assert (tmp_path / "two.json").read_text() == (tmp_path / "one.json").read_text()


def test_too_many_unreadable_images_end_the_job(detector, tmp_path, capsys):
    folder = tmp_path / "bad"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.jpg").write_bytes(b"")
    command = ["label", str(detector), str(folder), "--out", str(tmp_path / "l.json")]
    assert main(command) == Exit.DATA
    text = capsys.readouterr().err
    assert "12 images could not be labeled, more than max_errors=0.01 of 12" in text
    assert "11.jpg" in text and "0 bytes" in text
    assert main([*command, "--max-errors", "1", "--force"]) == 0


def test_one_image_that_fails_in_the_model_takes_no_other_with_it(
    detector, images, tmp_path, monkeypatch
):
    predict = Labeler._predict

    def failing(self, samples):
        if any(s["data_samples"].img_path.endswith("04.png") for s in samples):
            raise RuntimeError("no memory for it")
        return predict(self, samples)

    monkeypatch.setattr(Labeler, "_predict", failing)
    found = ssdet.label(detector, images, tmp_path / "l.json")
    assert ("04.png", "no memory for it") in found.errors and found.counts.errors == 3


def test_labels_of_a_flipped_image_are_flipped(detector, images, tmp_path):
    """Fused with their mirror image, an image and its mirror image have the same labels."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    with Image.open(images / "sub/01.png") as image:
        image.save(folder / "a.png")
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "b.png")
    ssdet.label(detector, folder, tmp_path / "l.json", tta=["hflip"], threshold=0.1)
    found = by_name(tmp_path / "l.json")
    assert len(found["a.png"]) == len(found["b.png"]) > 2
    mirrored = sorted(80 - e["bbox"][0] - e["bbox"][2] for e in found["b.png"])
    assert sorted(e["bbox"][0] for e in found["a.png"]) == pytest.approx(mirrored, abs=1e-2)
    ssdet.label(detector, folder, tmp_path / "plain.json", threshold=0.1)
    assert by_name(tmp_path / "plain.json") != found
    with pytest.raises(UsageError, match="tta 'rot90': allowed are hflip, vflip, and sizes"):
        ssdet.label(detector, folder, tmp_path / "x.json", tta=["rot90"])


def test_label_maps_are_those_of_mmsegmentation(segmentor, images, tmp_path):
    out = tmp_path / "exported"
    assert main(["export", str(segmentor), "--out", str(out)]) == 0
    found = ssdet.label(segmentor, images, tmp_path / "maps", format="masks", batch_size=4)
    assert found.counts.images == 32 and found.counts.errors == 2
    model = init_model(str(out / "config.py"), str(out / "model.pth"), device="cpu")
    for name in ("00.png", "sub/01.png", "sub/29.png"):
        sample = inference_model(model, str(images / name))
        expected = sample.pred_sem_seg.data[0].numpy()
        labels = np.asarray(Image.open(tmp_path / "maps/masks" / name))
        assert labels.shape == expected.shape and (labels == expected).mean() > 0.999
        best = torch.softmax(sample.seg_logits.data, 0).max(0).values.numpy() * 255
        scores = np.asarray(Image.open(tmp_path / "maps/scores" / name))
        assert np.abs(scores - best).max() < 1
    limit = [f"{name}=0.5" for name in CLASSES]
    ssdet.label(segmentor, images, tmp_path / "sure", format="masks", threshold=limit)
    sure = np.asarray(Image.open(tmp_path / "sure/masks/00.png"))
    scores = np.asarray(Image.open(tmp_path / "maps/scores/00.png"))
    assert ((sure == 255) == (scores < 127.5)).mean() > 0.999
    data = read(tmp_path / "maps/list.txt", "list", follow_links=True, classes=CLASSES)
    assert len(data.records) == 30


ONE_CHANNEL = dict(
    in_channels=4, channels=4, num_classes=2, out_channels=1, threshold=0.3,
    loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=True),
)  # fmt: skip


@pytest.mark.parametrize(
    ("head", "output", "labels", "scores"),
    [
        # One that matches masks gives shares, and no logits.
        (torch.nn.Identity(), torch.tensor([0.6, 0.1, 0.1]).view(3, 1, 1), [[0]], [[0.6]]),
        # One with a single channel has a threshold of its own.
        (ONE_CHANNEL, torch.tensor([0.4, 0.2]).logit().view(1, 1, 2), [[1, 0]], [[0.4, 0.8]]),
    ],
)
def test_labels_and_scores_are_those_of_the_head(head, output, labels, scores):
    labeler = Labeler.__new__(Labeler)
    built = FCNHead(**head) if isinstance(head, dict) else head
    labeler.model, labeler.views = SimpleNamespace(decode_head=built), views_of([])
    labeler.thresholds = torch.full((3,), 0.35)
    record = LabeledImage("a.png")
    labeler._add_map(record, [SimpleNamespace(seg_logits=PixelData(data=output))])
    assert record.label_map().tolist() == labels
    expected = np.multiply(scores, 255).round().tolist()
    assert unpack_map(record.map_scores).tolist() == expected


def test_one_job_in_several_formats(detector, images, tmp_path):
    """The shards of the first call are written again; each format is opened by our reader."""
    targets = {"coco": "a.json", "voc": "voc", "yolo": "yolo", "cvat": "a.xml",
               "labelstudio": "ls.json", "labelme": "labelme"}  # fmt: skip
    for form, name in targets.items():
        arguments = {"format": form, "shards": tmp_path / "shards", "threshold": 0.3}
        found = ssdet.label(detector, images, tmp_path / name, **arguments)
        assert found.labeled_now == (32 if form == "coco" else 0)
        options = {"follow_links": True} if form in ("voc", "labelme") else {"images": images}
        if form == "yolo":
            continue  # two images of its folder are not readable
        if form == "labelstudio":
            options["predictions"] = True
        data = read(tmp_path / name, form, classes=() if form == "coco" else CLASSES, **options)
        assert len(data.records) == 30
        assert sum(len(record.instances) for record in data.records) == found.counts.boxes
    assert (tmp_path / "yolo/data.yaml").is_file()


def test_ids_of_a_coco_source_are_kept(detector, images, tmp_path, capsys):
    listed = [{"id": 70 + n, "file_name": name} for n, name in enumerate(["02.png", "00.png"])]
    categories = [{"id": 10 * n, "name": name} for n, name in enumerate(CLASSES, start=1)]
    source = images.parent / "coco.json"
    source.write_text(json.dumps(dict(images=listed, annotations=[], categories=categories)))
    out = tmp_path / "l.json"
    found = ssdet.label(detector, source, out, root=str(images), format="coco-results",
                        threshold=0.2)  # fmt: skip
    results = COCO(str(tmp_path / "l.images.json")).loadRes(str(out))
    assert {a["image_id"] for a in results.anns.values()} == {70, 71}
    assert {a["category_id"] for a in results.anns.values()} <= {10, 20, 30}
    assert len(results.anns) == found.counts.boxes


@pytest.mark.parametrize(
    ("form", "counts", "told"),
    [
        ("coco", Counts(images=3, errors=1), True),
        ("coco", Counts(images=3, boxes=1, of_class={0: 1}), False),
        ("masks", Counts(images=3), False),
        ("coco", Counts(images=3, maps=3), False),
    ],
)
def test_no_object_at_all_is_said_with_what_to_do(form, counts, told):
    found = LabelingResult(None, form, ("cat",), counts, 1.0, 3)
    hint = "objects: none reached its threshold; a lower --threshold shows more"
    assert (hint in repr(found)) == told
