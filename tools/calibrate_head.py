"""Teach the last layer of a trained detector about rare classes, with features that are drawn.

python tools/calibrate_head.py work_dirs/RUN --out work_dirs/RUN/calibrated.pth

Inspired by RCAL (representation calibration for long tails with wrong labels, ICCV 2023), of
which the contrastive training and the removal of outliers are left out. The features of labeled
boxes are fitted by a normal distribution for each class; a rare class takes the spread of the
nearest frequent ones. Then `fc_cls` learns from the features and from drawn ones of rare classes,
as many as the frequent class in the middle has. Everything else stays as it is. The distributions
are those of the labeled images as the training shows them.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BACKGROUND = 32  # boxes of an image that hold no object
OVERLAP = 0.3


def main(argv: Sequence[str] | None = None) -> int:
    """Read, learn, write."""
    import ssdet

    ssdet.register()
    from ssdet.engine.checkpoint_file import read_checkpoint, write_checkpoint
    from ssdet.labeling.network import load_network

    args = _arguments().parse_args(argv)
    network = load_network(args.checkpoint, args.config, args.model)
    model: Any = network.build(args.device)
    features, labels = labeled_features(model, network.run_config, args.passes, args.device)
    layer = model.roi_head.bbox_head.fc_cls
    counts = torch.bincount(labels, minlength=layer.out_features)
    learned = relearned(layer, features, labels, enough=args.enough, steps=args.steps)
    prefix = f"{network.role}." if network.role else ""
    saved = read_checkpoint(network.path)
    for name, value in learned.state_dict().items():
        saved["state_dict"][f"{prefix}roi_head.bbox_head.fc_cls.{name}"] = value.cpu()
    write_checkpoint(saved, args.out)
    rare = [c for c, n in zip(network.classes, counts.tolist(), strict=False) if n < args.enough]
    print(f"{args.out}: {len(labels)} features; rare classes: {', '.join(rare) or 'none'}")
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("checkpoint", type=Path, help="a run folder or a checkpoint")
    parser.add_argument("--config", help="default: config.py of the run")
    parser.add_argument("--out", type=Path, required=True, help="the new checkpoint")
    parser.add_argument("--model", choices=("teacher", "student"), default="teacher")
    parser.add_argument("--enough", type=int, default=100, help="boxes of a class that is not rare")
    parser.add_argument("--passes", type=int, default=4, help="over the labeled images")
    parser.add_argument("--steps", type=int, default=300, help="of the last layer")
    parser.add_argument("--device", default="cpu")
    return parser


@torch.no_grad()
def labeled_features(
    model: Any, config: Any, passes: int, device: str = "cpu"
) -> tuple[Tensor, Tensor]:
    """What the classifier sees of labeled boxes and of background, and the classes."""
    from mmengine.dataset import pseudo_collate
    from mmengine.registry import DATASETS, DefaultScope

    from ssdet.datasets import derive_seed, seeded
    from ssdet.exits import UsageError
    from ssdet.hooks._parts.box_features import box_features
    from ssdet.hooks._parts.labeled_pass import numbers_of

    if not hasattr(getattr(getattr(model, "roi_head", None), "bbox_head", None), "fc_cls"):
        raise UsageError(f"a {type(model).__name__} has no classifier fc_cls of proposals")
    with DefaultScope.overwrite_default_scope(config.default_scope):
        dataset: Any = DATASETS.build(config.train_dataloader.dataset)
    found: list[Tensor] = []
    labels: list[Tensor] = []
    background = model.roi_head.bbox_head.num_classes
    for number in numbers_of(dataset, labeled=True) * passes:
        with seeded(derive_seed(number, len(found))):
            batch = pseudo_collate([dataset[number]])
            # Of several branches the labeled one; a plain data set has none.
            one = {k: v["sup"] if isinstance(v, dict) else v for k, v in batch.items()}
            data = model.data_preprocessor(one, False)
            boxes = data["data_samples"][0].gt_instances
            others = empty_boxes(boxes.bboxes, data["data_samples"][0].img_shape)
        corners = torch.cat([boxes.bboxes, others.to(boxes.bboxes)])
        pyramid = model.extract_feat(data["inputs"].to(device))
        found.append(box_features(model, pyramid, [corners])[0])
        labels.append(F.pad(boxes.labels, (0, len(others)), value=background))
    return torch.cat(found).float(), torch.cat(labels)


def empty_boxes(boxes: Tensor, shape: Sequence[int]) -> Tensor:
    """Random boxes (M, 4) of an image that overlap no object by more than 0.3."""
    from mmdet.structures.bbox import bbox_overlaps

    height, width = shape[:2]
    sides = torch.tensor([width, height]) * (0.1 + 0.4 * torch.rand(BACKGROUND, 2))
    start = (torch.tensor([width, height]) - sides) * torch.rand(BACKGROUND, 2)
    drawn = torch.cat([start, start + sides], dim=1)
    if not len(boxes):
        return drawn
    return drawn[bbox_overlaps(drawn, boxes.to(drawn)).amax(1) < OVERLAP]


def relearned(
    layer: nn.Linear, features: Tensor, labels: Tensor, *, enough: int, steps: int
) -> nn.Linear:
    """A copy of the classifier that has learned from these features and from drawn ones."""
    from ssdet.thresholds.class_gaussians import ClassGaussians

    generator = torch.Generator().manual_seed(0)
    objects = layer.out_features - 1
    known = labels < objects
    fitted = ClassGaussians.fit(features[known].cpu(), labels[known].cpu(), objects)
    calibrated = fitted.calibrated(enough)
    frequent = fitted.counts[fitted.counts >= enough]
    goal = int(frequent.float().median()) if len(frequent) else 0
    for number, count in enumerate(fitted.counts.tolist()):
        if 0 < count < min(enough, goal):
            drawn = calibrated.draw(number, goal - count, generator).to(features)
            features = torch.cat([features, drawn])
            labels = torch.cat([labels, labels.new_full((len(drawn),), number)])
    found = copy.deepcopy(layer).train()
    for parameter in found.parameters():
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(found.parameters(), lr=1e-3)
    for _ in range(steps):
        rows = torch.randint(len(labels), (256,), generator=generator).to(labels.device)
        loss = F.cross_entropy(found(features[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return found


if __name__ == "__main__":
    sys.exit(main())
