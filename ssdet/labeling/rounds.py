"""Self-training in rounds: what the next one learns from, how good its labels are, when to stop."""

from __future__ import annotations

import copy
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from ..datasets.remote import TAR
from ..datasets.sources import is_remote
from ..engine.checkpoint_file import write_text
from ..exits import UsageError
from ..formats.labeled import LabeledImage

STATE = "rounds.json"
MIN_IOU = 0.5  # from which a label is right, or is the label of the round before


@dataclass
class Round:
    """What a round has brought.

    Attributes:
        number: From 1.
        score: The best validation of its teacher, in percent.
        metric: What that is called.
        checkpoint: Which labeled.
        images, boxes: Labels for the next round; 0 for the last one.
        precision, recall: Of such labels on the validation images, where the truth is known.
        agreement: Share of the boxes that the round before had, too; None in the first.
        drift: Share of the boxes that would have to change their class for the classes to be
            distributed as in the round before.
    """

    number: int
    score: float
    metric: str
    checkpoint: str
    images: int = 0
    boxes: int = 0
    precision: float | None = None
    recall: float | None = None
    agreement: float | None = None
    drift: float | None = None

    def words(self) -> str:
        """One line."""
        parts = [f"round {self.number}: {self.score:.1f} {self.metric}"]
        if self.images:
            parts.append(f"{self.boxes:,} boxes in {self.images:,} images")
        for name in ("precision", "recall", "agreement", "drift"):
            value = getattr(self, name)
            parts += [] if value is None else [f"{name} {value:.0%}"]
        return ", ".join(parts)


def load_rounds(folder: Path, settings: Mapping[str, Any]) -> list[Round]:
    """The rounds that are done; settings other than those they were made with are refused."""
    file = folder / STATE
    if not file.is_file():
        return []
    known = json.loads(file.read_text(encoding="utf-8"))
    differing = [key for key in settings if known["settings"].get(key) != settings[key]]
    if differing:
        raise UsageError(
            f"{folder} holds rounds with other settings ({', '.join(differing)}); take another "
            "--work-dir"
        )
    return [Round(**one) for one in known["rounds"]]


def save_rounds(folder: Path, settings: Mapping[str, Any], done: Sequence[Round]) -> None:
    """Write what is done."""
    content = {"settings": dict(settings), "rounds": [asdict(one) for one in done]}
    folder.mkdir(parents=True, exist_ok=True)
    write_text(json.dumps(content, indent=1), folder / STATE)


def brings_nothing(done: Sequence[Round], min_gain: float) -> bool:
    """Whether the last round is not better than the best one before it."""
    return len(done) > 1 and done[-1].score < max(r.score for r in done[:-1]) + min_gain


# ---------------------------------------------------------------------- the config of a round


def with_labels(config: Config, labels: Path, root: str) -> Config:
    """The config with pseudo labels as one more labeled source, which has half of its place."""
    changed: Config = copy.deepcopy(config)
    data, sampler = changed.train_dataloader.dataset, changed.train_dataloader.sampler
    count = data.get("labeled", 1)
    first = data.datasets[0]
    classes = (first.get("metainfo") or {}).get("classes")
    source = dict(type="LabeledImages", source=str(labels), images=root, pipeline=first.pipeline)
    if classes:
        source["metainfo"] = dict(classes=classes)
    data.datasets = [*data.datasets[:count], source, *data.datasets[count:]]
    data.labeled = count + 1
    batch = list(sampler.batch)
    given = max(batch[0] // 2, 1)
    shares = [max(batch[0] - given, 1), *batch[1:count], given, *batch[count:]]
    if changed.get("total_batch"):
        factor = changed.total_batch[0] // batch[0]
        changed.total_batch = tuple(share * factor for share in shares)
    sampler.batch = tuple(shares)
    changed.train_dataloader.batch_size = sum(shares)
    return changed


def unlabeled_images(config: Config) -> tuple[Any, str | None, str]:
    """What to label: the images, what their names are relative to, and where a training finds them.

    Names of a list are relative to the second; the third is a folder, an address or archives.
    """
    data = config.get("train_dataloader", {}).get("dataset", {})
    sources = data.get("datasets", ())[data.get("labeled", 1) :] if "datasets" in data else ()
    files = [one for one in sources if one.type.rpartition(".")[2] == "UnlabeledImages"]
    if "detector" not in config.get("model", {}) or len(files) != 1 or len(sources) != 1:
        raise UsageError(
            "rounds need a detector, and one unlabeled source of type UnlabeledImages, whose files "
            "are labeled; `ssdet init` writes such configs"
        )
    dataset = _built(files[0], config)
    paths = _paths(dataset)
    if not is_remote(paths[0]):
        return paths, dataset.root, dataset.root
    packed = paths[0].startswith(TAR)
    return dataset.source, dataset.data_root or None, dataset.source if packed else dataset.root


def annotated_images(config: Config) -> tuple[list[str], str | None, Any]:
    """The validation images, the folder that their paths share (addresses: None), the data set."""
    dataset = _built(config.val_dataloader.dataset, config)
    paths = _paths(dataset)
    if any(map(is_remote, paths)):
        return paths, None, dataset
    return paths, os.path.commonpath([os.path.dirname(path) or "." for path in paths]), dataset


def _paths(dataset: Any) -> list[str]:
    return [dataset.get_data_info(number)["img_path"] for number in range(len(dataset))]


def _built(dataset: Any, config: Config) -> Any:
    with DefaultScope.overwrite_default_scope(config.get("default_scope", "mmdet")):
        return DATASETS.build({**copy.deepcopy(dict(dataset)), "pipeline": []})


# ---------------------------------------------------------------------- checks


def check(found: Iterable[LabeledImage], dataset: Any) -> tuple[float | None, float | None]:
    """(precision, recall) of labels on annotated images, given in the order of the data set.

    A label is right with an IoU of 0.5 with an object of its class that no better label has. What
    lies on an ignored object is neither right nor wrong.
    """
    right = wrong = objects = 0
    for number, record in enumerate(found):
        truth = dataset.get_data_info(number)["instances"]
        known = [one for one in truth if not one.get("ignore_flag")]
        ignored = [one["bbox"] for one in truth if one.get("ignore_flag")]
        objects += len(known)
        pairs = matched(record.boxes, record.labels, [one["bbox"] for one in known],
                        [one["bbox_label"] for one in known])  # fmt: skip
        right += len(pairs)
        for place in set(range(len(record.boxes))) - set(pairs):
            overlap = overlaps([record.boxes[place]], ignored).max(initial=0)
            wrong += bool(overlap < MIN_IOU)
    precision = right / (right + wrong) if right + wrong else None
    return precision, right / objects if objects else None


def compare(
    now: Iterable[LabeledImage], before: Iterable[LabeledImage]
) -> tuple[float | None, float | None]:
    """(agreement, drift) of the labels of two rounds for the same images."""
    same = 0
    counts: list[dict[int, int]] = [defaultdict(int), defaultdict(int)]
    for one, other in zip(now, before, strict=True):
        same += len(matched(one.boxes, one.labels, other.boxes, other.labels))
        for tally, record in zip(counts, (one, other), strict=True):
            for label in record.labels:
                tally[label] += 1
    totals = [sum(tally.values()) for tally in counts]
    if not all(totals):
        return None, None
    shares = [{k: n / total for k, n in tally.items()}
              for tally, total in zip(counts, totals, strict=True)]  # fmt: skip
    classes = set(shares[0]) | set(shares[1])
    drift = sum(abs(shares[0].get(k, 0.0) - shares[1].get(k, 0.0)) for k in classes) / 2
    return 2 * same / sum(totals), drift


def matched(
    boxes: Sequence[Sequence[float]],
    labels: Sequence[int],
    others: Sequence[Sequence[float]],
    other_labels: Sequence[int],
) -> dict[int, int]:
    """Box -> other box of the same class with an IoU of 0.5; the first boxes choose first."""
    iou = overlaps(boxes, others)
    iou[np.asarray(labels)[:, None] != np.asarray(other_labels)[None]] = 0
    pairs: dict[int, int] = {}
    for place in range(len(boxes)):
        if len(others) and iou[place].max() >= MIN_IOU:
            pairs[place] = int(iou[place].argmax())
            iou[:, pairs[place]] = 0
    return pairs


def overlaps(boxes: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> np.ndarray:
    """IoU (N, M) of two lists of boxes."""
    a = np.asarray(boxes, float).reshape(-1, 1, 4)
    b = np.asarray(others, float).reshape(1, -1, 4)
    inside = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = inside.clip(min=0).prod(-1)
    areas = [(one[..., 2:] - one[..., :2]).prod(-1) for one in (a, b)]
    return common / np.maximum(areas[0] + areas[1] - common, 1e-9)
