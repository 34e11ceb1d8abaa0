"""The images of a config's data sets, each read once: pixels, labels, the model's input."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import Compose

from ...doctor.config_sources import entries
from ...doctor.sources import Role
from ...engine.export import LABELS
from ...exits import Exit, RunError, UsageError
from ...labels import IGNORE
from ...registry import DATASETS
from .boxes import Boxes, no_boxes

NO_LABELS = ("LoadEmptyAnnotations",)
PACKERS = ("PackDetInputs", "PackSegInputs")


@dataclass
class Image:
    """One image in memory.

    Attributes:
        path: Its file, as the data set says it.
        picture: (H, W, 3), blue first, 8 bits: as it is shown.
        data: What the pipeline of an evaluation packs.
        boxes: Its labels, for a detector; None without any.
        pixels: Its label map (H, W), for a segmentor.
    """

    path: str
    picture: np.ndarray
    data: dict[str, Any]
    boxes: Boxes | None = None
    pixels: np.ndarray | None = None


@dataclass
class Source:
    """A data set of the config, read by the pipeline of an evaluation."""

    role: Role
    name: str
    dataset: Any
    load: Any
    label: Any
    prepare: Any
    numbers: Sequence[int]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Image]:
        return (self.read(number) for number in range(len(self)))

    def path(self, place: int) -> str:
        """The file of an image."""
        return str(self.dataset.get_data_info(self.numbers[place]).get("img_path"))

    def read(self, place: int) -> Image:
        """Read one image."""
        number = self.numbers[place]
        results = self.load(self.dataset.get_data_info(number))
        if results is None:
            raise UsageError(f"{self.path(place)}: it cannot be read; `ssdet doctor` says why")
        boxes = pixels = None
        if self.role == "labeled":
            if self.label is None:
                boxes = _boxes(results.get("instances") or [])
            else:
                results = self.label(results)
                pixels = np.asarray(results["gt_seg_map"]).astype(np.int64)
        picture = as_picture(results["img"])
        path = str(results.get("img_path"))
        return Image(path, picture, self.prepare(results), boxes, pixels)


def sources_of(
    config: Any,
    roles: Collection[Role],
    *,
    pixels: bool,
    unlabeled: str | Path | None = None,
    limit: int | None = None,
) -> list[Source]:
    """The data sets of a config.

    Args:
        config: An MMEngine config.
        roles: Those that are wanted.
        pixels: Labels are label maps.
        unlabeled: A folder or list of images, in place of the config's own unlabeled ones.
        limit: The most unlabeled images of each source, taken evenly.
    """
    listed = list(entries(config))
    if unlabeled is not None:
        options = dict(type="UnlabeledImages", source=str(unlabeled))
        listed = [entry for entry in listed if entry[1] != "unlabeled"]
        listed.append((str(unlabeled), "unlabeled", options))
    rest = _evaluation(config)
    return [
        _open(name, role, options, rest, pixels, limit)
        for name, role, options in listed
        if role in roles
    ]


def _open(
    name: str, role: Role, options: Mapping[str, Any], rest: list[Any], pixels: bool,
    limit: int | None,
) -> Source:  # fmt: skip
    own = list(_steps(options.get("pipeline")))
    loader = next((s for s in own if _is_loader(s)), dict(type="LoadImageFromFile"))
    label = next((s for s in own if s["type"] in LABELS), None)
    plain = {key: value for key, value in options.items() if key not in ("pipeline", "filter_cfg")}
    try:
        dataset = DATASETS.build({**plain, "pipeline": [], "test_mode": True})
    except RunError:
        raise
    except Exception as error:  # of any data set that a config may name
        wrapped = RunError(
            f"{name}: this data set cannot be opened: {type(error).__name__}: {error}. Correct the "
            "path; paths of a config start in the current folder"
        )
        wrapped.exit_code = Exit.DATA
        raise wrapped from error
    count = len(dataset)
    some = limit is not None and role == "unlabeled" and limit < count
    numbers = [n * count // limit for n in range(limit)] if some and limit else range(count)
    return Source(
        role, name, dataset, Compose([loader]),
        Compose([label] if label else []) if pixels else None, Compose(rest), numbers,
    )  # fmt: skip


def _evaluation(config: Any) -> list[Any]:
    """The steps of the evaluation behind the loading of image and labels."""
    loader = config.get("test_dataloader") or config.get("val_dataloader")
    if not loader:
        raise UsageError(
            "the config has no test_dataloader; its pipeline says how an image becomes the input "
            "of the model: add one"
        )
    dataset = loader["dataset"]
    while "pipeline" not in dataset:
        dataset = dataset["dataset"]
    steps = [s for s in dataset["pipeline"] if not _is_loader(s) and s["type"] not in LABELS]
    if not steps or steps[-1]["type"] not in PACKERS:
        found = steps[-1]["type"] if steps else "nothing"
        raise UsageError(
            f"the pipeline of test_dataloader ends in {found}; allowed: {', '.join(PACKERS)}. "
            "Take out test-time augmentation"
        )
    return steps


def _is_loader(step: Mapping[str, Any]) -> bool:
    kind = str(step["type"])
    return kind.startswith("Load") and kind not in (*LABELS, *NO_LABELS)


def _steps(node: Any) -> Iterator[Mapping[str, Any]]:
    """Every step of a pipeline, those of its views included, from the first to the last."""
    if isinstance(node, Mapping):
        if isinstance(node.get("type"), str):
            yield node
        node = [value for key, value in node.items() if key != "type"]
    if isinstance(node, Sequence) and not isinstance(node, str):
        for part in node:
            yield from _steps(part)


def _boxes(instances: Sequence[Mapping[str, Any]]) -> Boxes:
    real = [one for one in instances if not one.get("ignore_flag")]
    crowds = [one["bbox"] for one in instances if one.get("ignore_flag")]
    return Boxes(
        np.array([one["bbox"] for one in real], np.float64).reshape(-1, 4),
        np.array([one["bbox_label"] for one in real], np.int64),
        np.ones(len(real)),
        np.array(crowds, np.float64).reshape(-1, 4) if crowds else no_boxes(),
    )


def as_picture(image: np.ndarray) -> np.ndarray:
    """An image of any depth and number of channels, as 8 bits and three channels."""
    pixels = image if image.ndim == 3 else image[..., None]
    pixels = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1].repeat(3, -1)
    if pixels.dtype != np.uint8:
        low, high = float(pixels.min()), float(pixels.max())
        scale = 255.0 / max(high - low, 1e-12)
        inside = low >= 0 and high <= 255
        pixels = pixels if inside else (pixels - low) * scale
        pixels = pixels.clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels)


def classes_in(pixels: np.ndarray | None) -> np.ndarray:
    """The classes of a label map; none without one."""
    if pixels is None:
        return np.zeros(0, np.int64)
    found = np.unique(pixels)
    return found[found != IGNORE]
