"""The demo configs as MMEngine builds them: batches, views, metrics, loops."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData, PixelData
from pycocotools import mask as rle

from ssdet.datasets import check_views

BASES = Path(__file__).parents[2] / "configs" / "_base_" / "datasets"


def config(name):
    """The demo config, made small."""
    cfg = Config.fromfile(BASES / f"{name}.py")
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers, loader.persistent_workers = 0, False
    for source in cfg.train_dataloader.dataset.datasets:
        source.update(count=12, labeled=5)
    cfg.val_dataloader.dataset.update(count=6)
    return cfg


@pytest.fixture(params=["det", "seg"])
def task(request):
    scope = {"det": "mmdet", "seg": "mmseg"}[request.param]
    with DefaultScope.overwrite_default_scope(scope):
        yield request.param


def annotation(task, sample):
    return len(sample.gt_instances) if task == "det" else "gt_sem_seg" in sample


def test_a_batch_of_the_semi_supervised_config(task):
    cfg = config(f"digits_{task}")
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    check_views(loader.dataset)
    sup, unsup = cfg.batch
    batch = next(iter(loader))
    inputs, samples = batch["inputs"], batch["data_samples"]
    present = {branch: [x is not None for x in column] for branch, column in inputs.items()}
    assert present["sup"] == [True] * sup + [False] * unsup
    assert present["unsup_teacher"] == present["unsup_student"] == [False] * sup + [True] * unsup
    assert all(annotation(task, sample) for sample in samples["sup"][:sup])
    for weak, strong in zip(samples["unsup_teacher"], samples["unsup_student"], strict=True):
        if weak is not None:
            assert weak.metainfo["img_path"] == strong.metainfo["img_path"]
            assert not annotation(task, weak) and not annotation(task, strong)
            assert weak.metainfo["homography_matrix"].shape == (3, 3)
    assert all(x.dtype == torch.uint8 or x.is_floating_point() for x in inputs["sup"][:sup])
    matrices = [s.metainfo["homography_matrix"] for s in samples["unsup_student"] if s is not None]
    assert not all(np.array_equal(matrix, np.eye(3)) for matrix in matrices)


def test_the_supervised_config_gives_plain_batches_of_the_same_labeled_scenes(task):
    cfg = config(f"digits_{task}_supervised")
    plain = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    semi = Runner.build_dataloader(config(f"digits_{task}").train_dataloader, seed=0)
    for _, first, second in zip(range(3), plain, semi, strict=False):
        assert isinstance(first["inputs"], list) and len(first["inputs"]) == cfg.batch[0]
        assert all(annotation(task, sample) for sample in first["data_samples"])
        paths = [sample.img_path for sample in first["data_samples"]]
        assert paths == [
            sample.img_path for sample in second["data_samples"]["sup"][: cfg.batch[0]]
        ]


def test_perfect_detections_score_one():
    with DefaultScope.overwrite_default_scope("mmdet"):
        cfg = config("digits_det")
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
        evaluator = Evaluator({"type": "CocoMetric", "metric": ["bbox", "segm"]})
        evaluator.dataset_meta = dataset.metainfo
        for index in range(len(dataset)):
            sample = dataset[index]["data_samples"]
            masks = [decode(instance["mask"]) for instance in sample.instances]
            sample.pred_instances = InstanceData(
                bboxes=torch.tensor([instance["bbox"] for instance in sample.instances]),
                labels=torch.tensor([instance["bbox_label"] for instance in sample.instances]),
                scores=torch.ones(len(masks)),
                masks=torch.from_numpy(np.stack(masks)),
            )
            evaluator.process([sample])
        scores = evaluator.evaluate(len(dataset))
    assert scores["coco/bbox_mAP"] == scores["coco/segm_mAP"] == 1.0


def decode(code):
    return rle.decode(code).astype(bool)


def test_perfect_label_maps_score_a_hundred():
    with DefaultScope.overwrite_default_scope("mmseg"):
        cfg = config("digits_seg")
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
        evaluator = Evaluator(cfg.val_evaluator)
        evaluator.dataset_meta = dataset.metainfo
        for index in range(len(dataset)):
            sample = dataset[index]["data_samples"]
            sample.pred_sem_seg = PixelData(data=sample.gt_sem_seg.data)
            evaluator.process([sample])
        scores = evaluator.evaluate(len(dataset))
    assert scores["mIoU"] == 100.0


class Listener(BaseModel):
    """Remembers which images each iteration brought."""

    seen: list = []  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, data_samples=None, mode="loss"):
        columns = data_samples.values()
        Listener.seen.append([s.img_path for column in columns for s in column if s is not None])
        return {"loss": self.weight.sum()}


def train(tmp_path, loop, epoch_length=None, done=0):
    Listener.seen = []
    cfg = config("digits_det")
    cfg.train_dataloader.sampler.epoch_length = epoch_length
    runner = Runner(
        Listener(),
        str(tmp_path),
        train_dataloader=cfg.train_dataloader,
        train_cfg=loop,
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}},
        custom_hooks=[{"type": "ViewCheckHook"}],
        default_scope="mmdet",
        randomness={"seed": 3},
        default_hooks={"checkpoint": None},
        experiment_name=tmp_path.name,
    )
    runner._train_loop = runner.build_train_loop(loop)
    runner.train_loop._iter = done  # what resuming from a checkpoint does
    runner.train()
    return Listener.seen


def test_both_loops_bring_the_same_images_and_a_resumed_run_continues(tmp_path):
    by_iter = {"type": "IterBasedTrainLoop", "max_iters": 6, "val_interval": 100}
    straight = train(tmp_path / "straight", by_iter)
    assert len(straight) == 6
    by_epoch = {"type": "EpochBasedTrainLoop", "max_epochs": 3}
    assert train(tmp_path / "epochs", by_epoch, epoch_length=2) == straight
    assert train(tmp_path / "resumed", by_iter, done=4) == straight[4:]
    assert train(tmp_path / "finite", by_iter, epoch_length=5, done=4) == straight[4:]


def test_the_soft_teacher_pipeline_of_mmdetection_works_unchanged():
    field = ["sup", "unsup_teacher", "unsup_student"]
    meta = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "homography_matrix")
    resize = {"type": "RandomResize", "scale": (150, 120), "ratio_range": (0.5, 1.5)}
    resize["keep_ratio"] = True
    geometry = [[{"type": name}] for name in ("Rotate", "ShearX", "TranslateY")]
    color = [[{"type": name}] for name in ("AutoContrast", "Solarize", "Posterize")]
    weak = [
        resize,
        {"type": "RandomFlip", "prob": 0.5},
        {"type": "PackDetInputs", "meta_keys": meta},
    ]
    strong = [
        resize,
        {"type": "RandomFlip", "prob": 0.5},
        {
            "type": "RandomOrder",
            "transforms": [
                {"type": "RandAugment", "aug_space": color, "aug_num": 1},
                {"type": "RandAugment", "aug_space": geometry, "aug_num": 1},
            ],
        },
        {"type": "RandomErasing", "n_patches": (1, 5), "ratio": (0, 0.2)},
        {"type": "PackDetInputs", "meta_keys": meta},
    ]
    load = [{"type": "LoadDigitScene"}, {"type": "LoadEmptyAnnotations"}]
    branches = {"unsup_teacher": weak, "unsup_student": strong}
    cfg = config("digits_det")
    unlabeled = cfg.train_dataloader.dataset.datasets[1]
    unlabeled.pipeline = [*load, {"type": "MultiBranch", "branch_field": field, **branches}]
    with DefaultScope.overwrite_default_scope("mmdet"):
        loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
        check_views(loader.dataset)
        batch = next(iter(loader))
        again = next(iter(loader))
    sup, unsup = cfg.batch
    strong, repeated = (b["inputs"]["unsup_student"] for b in (batch, again))
    assert [x is None for x in strong] == [True] * sup + [False] * unsup
    assert all(torch.equal(a, b) for a, b in zip(strong[sup:], repeated[sup:], strict=True))
