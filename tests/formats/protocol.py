"""What tests of data configs share: from a miniature to a batch and to a score."""

import shlex
from pathlib import Path

import torch
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from mmengine.structures import InstanceData, PixelData

from ssdet.cli import main
from ssdet.datasets import check_views
from ssdet.engine.configs import load_config

BASES = Path(__file__).parents[2] / "configs" / "_base_" / "datasets"


def ssdet(command):
    assert main(shlex.split(command)) == 0


def config(name, **options):
    options = {"num_workers": 0, **options}
    return load_config(str(BASES / f"{name}.py"), options)


def shrink(node):
    """Views of 100 pixels in place of 1333: the same steps, a tenth of the time."""
    if isinstance(node, list):
        for item in node:
            shrink(item)
    elif isinstance(node, dict):
        if node.get("type") in ("RandomResize", "Resize"):
            node["scale"] = (100, 60)
            node.update({"ratio_range": (0.8, 1.2)} if node["type"] == "RandomResize" else {})
        for item in node.values():
            shrink(item)
    return node


def first_batch(cfg):
    shrink(cfg._cfg_dict)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    check_views(loader.dataset)
    return loader.dataset, next(iter(loader))


def branches(batch):
    return {branch: sum(x is not None for x in xs) for branch, xs in batch["inputs"].items()}


def score(cfg, predict, evaluator=None):
    """The metrics of a model that answers with the truth."""
    shrink(cfg._cfg_dict)
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    evaluator = Evaluator(evaluator or cfg.val_evaluator)
    evaluator.dataset_meta = dataset.metainfo
    for index in range(len(dataset)):
        sample = dataset[index]["data_samples"]
        predict(sample, dataset.get_data_info(index))
        evaluator.process([sample.cpu()], {})
    return evaluator.evaluate(len(dataset))


def true_boxes(sample, info):
    """Every object that counts, with full score; ignored ones are not found."""
    counted = [i for i in info["instances"] if not i["ignore_flag"]]
    boxes = torch.tensor([i["bbox"] for i in counted], dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor([i["bbox_label"] for i in counted], dtype=torch.long)
    scores = torch.ones(len(counted))
    sample.pred_instances = InstanceData(bboxes=boxes, labels=labels, scores=scores)


def true_pixels(sample, info):
    labels = sample.gt_sem_seg.data.clone()
    labels[labels == 255] = 0
    sample.pred_sem_seg = PixelData(data=labels)
