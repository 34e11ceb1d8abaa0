"""What a run prints is what pycocotools, MMDetection's VOC score and cityscapesScripts say.

Each data config is evaluated as in a training: its data set and its metrics, by the loop that asks
teacher and student in turn. Both answer from tests/evaluation/cases.py; the student's answers are
worse, so that a mix-up of the two shows.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.evaluation import eval_map
from mmdet.evaluation.functional import mean_ap
from mmengine.model import BaseModel
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData, PixelData
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ssdet.engine.configs import load_config

from ..formats import miniature
from ..formats.protocol import BASES, shrink
from . import cases

REFERENCES = json.loads((Path(__file__).parent / "references.json").read_text())
ROLES = ("teacher", "student")
COCO_CLASSES = tuple(miniature.COCO_IDS)  # the third has another id than its place


@MODELS.register_module()
class AnswersFromCases(BaseModel):
    """Its teacher predicts what the cases say; its student leaves out the best of each image."""

    predict_with = "teacher"

    def __init__(self, answers):
        super().__init__()
        self.answers, self.test_cfg = answers, {}
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, data_samples=None, mode="predict"):
        for sample in data_samples:
            found = self.answers(sample)
            if isinstance(found, PixelData):
                data = found.data.clone()
                if self.predict_with == "student":
                    data[:, ::5] = 0
                sample.pred_sem_seg = PixelData(data=data)
            elif self.predict_with == "student" and len(found):
                keep = torch.arange(len(found)) != int(found.scores.argmax())
                sample.pred_instances = found[keep]
            else:
                sample.pred_instances = found
        return data_samples


def run(place, name, answers, evaluator=None, scope="mmdet", **options):
    """The metrics of a validation with a data config: teacher/..., student/..."""
    options = {"num_workers": 0, **options}
    cfg = load_config(str(BASES / f"{name}.py"), options)
    shrink(cfg._cfg_dict)
    dataset = cfg.val_dataloader.dataset
    if name.startswith("coco"):
        dataset.metainfo = dict(classes=COCO_CLASSES)
    with DefaultScope.overwrite_default_scope(scope):
        runner = Runner(
            model=AnswersFromCases(answers),
            work_dir=str(place / "run"),
            val_dataloader=cfg.val_dataloader,
            val_evaluator=evaluator or cfg.val_evaluator,
            val_cfg=dict(type="TeacherStudentLoop"),
            default_scope=scope,
            experiment_name=f"parity-{place.name}",
            log_level="ERROR",
        )
        return runner.val()


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def instances(detections, with_masks=True):
    """Detections of the cases as a model gives them."""
    boxes = torch.tensor([d.get("box", (0, 0, 1, 1)) for d in detections], dtype=torch.float32)
    boxes = boxes.reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    found = InstanceData(
        bboxes=boxes,
        labels=torch.tensor([d["label"] for d in detections], dtype=torch.long),
        scores=torch.tensor([d["score"] for d in detections]),
    )
    if with_masks:
        masks = [d["mask"] for d in detections]
        found.masks = torch.from_numpy(np.stack(masks) if masks else np.zeros((0, 1, 1), bool))
    return found


def encode(mask):
    code = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": code["size"], "counts": code["counts"].decode()}


def coco_files(root, scenes):
    """val2017 of the scenes, and the detections as a COCO result file."""
    images, annotations, results = [], [], []
    ids = list(miniature.COCO_IDS.values())
    for number, scene in enumerate(scenes, start=1):
        height, width = scene.size
        name = f"{scene.name}.jpg"
        images.append(dict(id=number, file_name=name, height=height, width=width))
        miniature.picture(root / "val2017" / name, scene.size)
        for each in scene.objects:
            annotations.append(
                dict(id=len(annotations) + 1, image_id=number, category_id=ids[each["label"]],
                     bbox=list(each["box"]), area=float(each["mask"].sum()),
                     iscrowd=int(each["crowd"]), segmentation=encode(each["mask"]))
            )  # fmt: skip
        for each in scene.detections:
            results.append(
                dict(image_id=number, category_id=ids[each["label"]], bbox=list(each["box"]),
                     score=float(np.float32(each["score"])), segmentation=encode(each["mask"]))
            )  # fmt: skip
    categories = [dict(id=i, name=n) for n, i in miniature.COCO_IDS.items()]
    content = dict(info={}, images=images, annotations=annotations, categories=categories)
    path = miniature.write_json(root / "annotations" / "instances_val2017.json", content)
    return path, results


def by_pycocotools(path, results, kind):
    """The twelve numbers of pycocotools with its own settings."""
    truth = COCO(str(path))
    mine = [dict(r) for r in results]
    for result in mine:
        result.pop("segmentation" if kind == "bbox" else "bbox")
    evaluation = COCOeval(truth, truth.loadRes(mine), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_coco_as_pycocotools(place, kind, monkeypatch):
    scenes = cases.scenes()
    path, results = coco_files(place / "data" / "coco", scenes)
    assert sum(r["image_id"] == 6 for r in results) > 130  # of which 100 of a class count
    expected = by_pycocotools(path, results, kind)
    seen = []
    summarize = COCOeval.summarize

    def overheard(self):
        summarize(self)
        if self.params.iouType == kind:
            seen.append(self.stats.copy())

    monkeypatch.setattr(COCOeval, "summarize", overheard)
    by_name = {scene.name: instances(scene.detections) for scene in scenes}
    found = run(place, "coco_inst_semi", lambda s: by_name[Path(s.img_path).stem].clone())
    # The loop asks for the teacher's numbers first; all twelve, before they are rounded.
    assert seen[0] == pytest.approx(expected, abs=1e-6)
    assert seen[1][0] < expected[0] - 0.01
    names = ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l")
    for name, value in zip(names, expected, strict=False):
        assert found[f"teacher/coco/{kind}_{name}"] == round(float(value), 3)


def voc_files(root, scenes):
    """VOC2007 test of the scenes; what is a crowd there is difficult here."""
    names = ("aeroplane", "bicycle", "bird")
    for scene in scenes:
        miniature.picture(root / "JPEGImages" / f"{scene.name}.jpg", scene.size)
        objects = [
            (names[o["label"]], (x + 1, y + 1, x + w, y + h), int(o["crowd"]))
            for o in scene.objects
            for x, y, w, h in [o["box"]]
        ]
        miniature.voc_xml(root / "Annotations" / f"{scene.name}.xml", objects, scene.size)
    miniature.write_list(root / "ImageSets/Main/test.txt", [scene.name for scene in scenes])


def by_eval_map(scenes, mode):
    """MMDetection's own function on arrays that are made from the cases directly."""
    truth, detections = [], []
    for scene in scenes:
        boxes = np.array([o["box"] for o in scene.objects], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2] - 1  # the last pixel included, as in the xml files
        labels = np.array([o["label"] for o in scene.objects], int)
        hard = np.array([o["crowd"] for o in scene.objects], bool)
        truth.append(
            dict(bboxes=boxes[~hard], labels=labels[~hard], bboxes_ignore=boxes[hard],
                 labels_ignore=labels[hard])
        )  # fmt: skip
        found = instances(scene.detections, with_masks=False)
        rows = torch.cat([found.bboxes, found.scores[:, None]], 1).numpy()
        detections.append([rows[found.labels.numpy() == k] for k in range(20)])
    options = dict(iou_thr=0.5, dataset="voc", use_legacy_coordinate=True, logger="silent")
    return eval_map(detections, truth, eval_mode=mode, **options)[0]


@pytest.mark.parametrize("mode", ["11points", "area"])
def test_voc_as_mmdetection(place, mode):
    scenes = cases.scenes()
    voc_files(place / "data/VOCdevkit/VOC2007", scenes)
    by_name = {scene.name: instances(scene.detections, with_masks=False) for scene in scenes}
    metrics = [dict(type="VOCMetric", metric="mAP", eval_mode=mode), dict(type="CocoMetric")]
    found = run(
        place, "voc07_voc12_semi", lambda s: by_name[Path(s.img_path).stem].clone(), metrics
    )
    expected = by_eval_map(scenes, mode)
    assert found["teacher/pascal_voc/mAP"] == pytest.approx(expected, abs=1e-6)
    assert found["student/pascal_voc/mAP"] < expected - 0.01
    assert found["teacher/pascal_voc/AP50"] == pytest.approx(expected, abs=5.1e-4)


def street_files(root, streets):
    """gtFine as it is downloaded, with the labelTrainIds of `ssdet convert`."""
    raw = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
    for street in streets:
        city = street.stem.partition("_")[0]
        image = root / f"leftImg8bit/val/{city}/{street.stem}_leftImg8bit.png"
        miniature.picture(image, street.truth.shape)
        base = root / f"gtFine/val/{city}/{street.stem}_gtFine"
        table = np.array([*raw, *[0] * 237], np.uint8)
        miniature.gray_png(base.with_name(f"{base.name}_labelIds.png"), table[street.truth])
        trained = street.truth.astype(np.uint8)
        miniature.gray_png(base.with_name(f"{base.name}_labelTrainIds.png"), trained)


def street_answers(streets):
    found = {s.stem: torch.from_numpy(s.prediction.astype(np.int64))[None] for s in streets}

    def answers(sample):
        return PixelData(data=found[Path(sample.img_path).stem.removesuffix("_leftImg8bit")])

    return answers


def test_pixels_of_cityscapes_as_its_own_scripts(place, monkeypatch):
    streets, expected = cases.streets(), REFERENCES["streets"]
    assert expected["cases"] == cases.checksum(streets)
    street_files(place / "data/cityscapes", streets)
    seen = []
    metric = "ssdet.evaluation.segmentation.SegmentationMetric._print"
    monkeypatch.setattr(metric, lambda self, found, means: seen.append((self, found)))
    found = run(place, "cityscapes_semi", street_answers(streets), scope="mmseg")
    (teacher, classes), (_, student) = seen
    iou = dict(zip(teacher.dataset_meta["classes"], classes["IoU"], strict=True))
    judged = {name: value for name, value in iou.items() if not np.isnan(value)}
    assert judged == pytest.approx(expected["classes"], abs=1e-6)
    assert np.nanmean(classes["IoU"]) == pytest.approx(expected["mean"], abs=1e-6)
    assert found["teacher/mIoU"] == round(100 * expected["mean"], 2)
    assert np.nanmean(student["IoU"]) < expected["mean"] - 0.01


def traffic_files(root, traffic):
    """Truth of the cases in the layout of Cityscapes, and the official json made from it."""
    from ssdet.cli import main

    for case in traffic:
        city = case.stem.partition("_")[0]
        shape = case.instances.shape
        miniature.picture(root / f"leftImg8bit/val/{city}/{case.stem}_leftImg8bit.png", shape)
        truth = root / f"gtFine/val/{city}/{case.stem}_gtFine_instanceIds.png"
        miniature.gray_png(truth, case.instances.astype(np.uint16))
    out = root / "annotations/instancesonly_filtered_gtFine_val.json"
    convert = ["convert", "cityscapes-instances", str(root), "--split", "val", "--to", "coco"]
    assert main([*convert, "--out", str(out)]) == 0


def test_instances_of_cityscapes_as_its_own_scripts(place):
    pytest.importorskip("cityscapesscripts")
    traffic, expected = cases.traffic(), REFERENCES["traffic"]
    assert expected["cases"] == cases.checksum(traffic)
    traffic_files(place / "data/cityscapes", traffic)
    by_stem = {case.stem: instances(case.detections) for case in traffic}

    def answers(sample):
        return by_stem[Path(sample.img_path).stem.removesuffix("_leftImg8bit")].clone()

    found = run(place, "cityscapes_inst_semi", answers)
    assert found["teacher/cityscapes/mAP"] == pytest.approx(expected["AP"], abs=1e-6)
    assert found["teacher/cityscapes/AP@50"] == pytest.approx(expected["AP50"], abs=1e-6)
    # Both write files: in one folder the student would get the teacher's score.
    assert found["student/cityscapes/mAP"] < expected["AP"] - 0.01


def test_an_evaluation_waits_for_its_processes():
    pool = mean_ap.Pool(1)
    pool.close()
    assert not any(process.is_alive() for process in pool._pool)
