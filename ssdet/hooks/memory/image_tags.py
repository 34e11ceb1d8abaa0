"""Tags of whole images: pseudo labels of classes that are not in the image vanish."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DATASETS
from torch import Tensor

from ...labels import IGNORE
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import PixelLabels, Step
from .._parts.image_places import ImagePlaces
from ..step_hook import StepHook

Tags = Mapping[str, Sequence[str]]


@HOOKS.register_module()
class ImageTagHook(StepHook):
    """Use what is known of whole images: which classes they show, but not where.

    A pseudo box of a class that the tags exclude is dropped. A pixel gets the most probable of the
    tagged classes; its probability is divided by the sum of those, since the others are
    impossible. Images without tags stay as they are.

    Args:
        tags: A JSON file or a dict, `{"images/a.jpg": ["cat", "dog"], ...}`: all classes of each
            image, by its path or its file name. Or the config of a data set whose `get_cat_ids`
            says them.
        always: Classes that any image may show, by number. None: the background 0 of a segmentor.

    Examples:
        >>> from ssdet.testing import box_step
        >>> hook = ImageTagHook({"a.jpg": ["1"]})  # without names, classes are called by numbers
        >>> step = box_step([0.9, 0.8], labels=[0, 1])
        >>> step.weak.samples[0].set_metainfo(dict(img_path="images/a.jpg"))
        >>> hook.on_attach(step.model)
        >>> hook.after_teacher(step)
        >>> step.pseudo[0].labels
        tensor([1])
    """

    phase = Phase.LABEL

    def __init__(
        self, tags: str | Mapping[str, Any], *, always: Collection[int] | None = None
    ) -> None:
        self.tags, self.always = tags, always
        self.class_names: list[str] = []
        self.places: ImagePlaces | None = None
        self.allowed: list[list[int]] | Any = []

    def on_attach(self, model: TeacherStudent) -> None:
        """Of a segmentor, all probabilities are needed."""
        super().on_attach(model)
        pixels = model.scope == "mmseg"
        self.needs = frozenset({"soft"}) if pixels else frozenset()
        self.always = tuple(self.always) if self.always is not None else (0,) * pixels
        self.class_names = [str(number) for number in range(model.num_classes)]

    def before_train(self, runner: Any) -> None:
        """Take the names of the classes from the training data, and read the tags."""
        super().before_train(runner)
        metainfo = getattr(runner.train_dataloader.dataset, "metainfo", None) or {}
        self.class_names = list(metainfo.get("classes") or self.class_names)
        self._open()

    @torch.no_grad()
    def after_teacher(self, step: Step) -> None:
        """Take out what cannot be there."""
        for image, sample in enumerate(step.weak_views.samples):
            possible = self._possible(step, str(sample.metainfo.get("img_path", "")))
            if possible is None:
                continue
            if isinstance(step.pseudo, PixelLabels):
                _relabel(step.pseudo, image, possible)
            else:
                step.drop(image, ~possible[step.pseudo_boxes[image].labels.cpu()], "tag")

    def _possible(self, step: Step, path: str) -> Tensor | None:
        """Which classes (C,) the image may show; None where nothing is known of it."""
        number = self._open().of(path)
        if number is None:
            return None
        labels = self.allowed(number) if callable(self.allowed) else self.allowed[number]
        possible = torch.zeros(step.model.num_classes, dtype=torch.bool)
        possible[[*labels, *(self.always or ())]] = True
        return possible

    def _open(self) -> ImagePlaces:
        if self.places is not None:
            return self.places
        name, tags = type(self).__name__, self.tags
        if isinstance(tags, Mapping) and "type" in tags:
            data: Any = DATASETS.build(tags)
            paths = [data.get_data_info(number)["img_path"] for number in range(len(data))]
            label = self._labels_of(data.metainfo.get("classes") or self.class_names)
            self.allowed = lambda number: [label[n] for n in data.get_cat_ids(number)]
        else:
            named = _read(name, tags) if isinstance(tags, str) else tags
            paths = list(named)
            self.allowed = [self._labels(path, names) for path, names in named.items()]
        self.places = ImagePlaces(name, "tags", paths)
        return self.places

    def _labels_of(self, names: Sequence[str]) -> list[int]:
        """The model's numbers of the classes of a data set."""
        missing = [name for name in names if name not in self.class_names]
        if missing:
            raise ValueError(
                f"{type(self).__name__}: tags: {missing[0]!r} is a class of the data set, but not "
                f"of the model ({', '.join(self.class_names)}); give the data set its metainfo"
            )
        return [self.class_names.index(name) for name in names]

    def _labels(self, path: str, names: Any) -> list[int]:
        known, lists = (
            self.class_names,
            isinstance(names, Collection) and not isinstance(names, str),
        )
        unknown = [n for n in names if n not in known] if lists else [names]
        if unknown:
            raise ValueError(
                f"{type(self).__name__}: tags of {path!r}: found {unknown[0]!r}, allowed a list of "
                f"{', '.join(known)}. Correct it, or leave the image out"
            )
        return [known.index(each) for each in names]


def _read(owner: str, file: str) -> Tags:
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{owner}: cannot read the tags in {file}: {error}") from error
    if not isinstance(content, dict) or not content:
        raise ValueError(
            f"{owner}: {file} holds a {type(content).__name__}, allowed is an object "
            '{"image": ["class", ...], ...} with at least one image'
        )
    return content


def _relabel(pixels: PixelLabels, image: int, possible: Tensor) -> None:
    """The best of the possible classes for each pixel of an image."""
    if pixels.soft is None:
        raise RuntimeError("ImageTagHook: attach it to the model, so that probabilities are kept")
    soft, valid = pixels.soft[image], pixels.valid[image]
    soft = soft * possible.to(soft)[:, None, None]
    soft = soft / soft.sum(0, keepdim=True).clamp(min=1e-12)
    scores, labels = soft.max(0)
    # A possible label is no less probable than before, whatever another hook made of its score.
    scores = scores.maximum(pixels.scores[image] * (labels == pixels.labels[image]))
    pixels.soft[image] = soft
    pixels.labels[image] = labels.where(valid, IGNORE)
    pixels.scores[image] = scores.where(valid, 0.0)
