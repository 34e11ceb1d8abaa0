"""From addresses of images to labels: decoded ahead, in batches of one size, each error kept."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from mmcv.transforms import Compose
from mmengine.dataset import pseudo_collate
from mmengine.registry import TRANSFORMS, DefaultScope

from ..datasets.bad_images import keeps_depth, unfit, unreadable
from ..datasets.sources import Source
from ..formats.labeled import LabeledImage, objects, pack_map
from ..formats.segments import encode
from ..labels import IGNORE
from ..teacher_student.heads import last_decode_head
from ..teacher_student.pixel_scores import pixel_probabilities
from ..teacher_student.pixel_weights import matches_masks
from .network import Network
from .thresholds import Thresholds
from .views import View, fused_boxes, fused_maps

Shape = tuple[int, ...]
MOST_WAITING = 4  # batches of odd sizes that wait for more images of theirs


@dataclass
class Prepared:
    """An image that is ready for the model, in each of its views, or why it is not."""

    place: int
    record: LabeledImage
    views: list[dict[str, Any]]

    @property
    def size(self) -> Shape:
        """Of the first view, as the pipeline made it."""
        return tuple(self.views[0]["inputs"].shape)


class Labeler:
    """Labels images with a network.

    Args:
        network: What labels.
        thresholds: The lowest score of each class that is kept.
        views: How each image is shown to it; the first is the image as it is.
        batch_size: Images of one size in a pass.
        workers: Threads that read and decode.
        device: Of the model.
    """

    def __init__(
        self,
        network: Network,
        thresholds: Thresholds,
        views: Sequence[View] = (View(),),
        *,
        batch_size: int = 8,
        workers: int = 2,
        device: str = "cpu",
    ) -> None:
        self.views, self.batch_size, self.workers = list(views), batch_size, workers
        # A fused score is lower than that of a view: nothing may be left out before.
        lowest = min(thresholds) if len(self.views) == 1 else 0.0
        self.model: Any = network.build(device, lowest)
        self.thresholds = torch.tensor(thresholds)
        scope = network.config.get("default_scope", "mmdet")
        steps = network.pipeline()
        with DefaultScope.overwrite_default_scope(scope):
            self.load = TRANSFORMS.build(steps[0])
            self.pipelines = [Compose(view.pipeline(steps[1:])) for view in self.views]
        self.scope = scope
        self.deep = keeps_depth([self.load])
        preprocessor = self.model.data_preprocessor
        self.divisor = int(getattr(preprocessor, "pad_size_divisor", 1) or 1)

    def run(self, source: Source, parts: Iterable[Sequence[int]]) -> Iterator[list[LabeledImage]]:
        """The labels of each part of a source, in the order of its images.

        Images of the next parts are read ahead; no batch holds images of two parts, so that the
        labels do not depend on which parts a process is given.
        """
        with ThreadPoolExecutor(self.workers) as pool:
            ahead: deque[Future[Prepared]] = deque()
            parts = list(parts)
            todo = (place for part in parts for place in part)

            def fill() -> None:
                while len(ahead) < self.workers + 2 * self.batch_size:
                    place = next(todo, None)
                    if place is None:
                        return
                    ahead.append(pool.submit(self._prepare, source, place))

            def ready() -> Prepared:
                fill()
                return ahead.popleft().result()

            try:
                for part in parts:
                    yield self._part(ready() for _ in part)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _part(self, images: Iterable[Prepared]) -> list[LabeledImage]:
        found: dict[int, LabeledImage] = {}
        waiting: dict[Shape, list[Prepared]] = {}
        for image in images:
            if image.record.error:
                found[image.place] = image.record
                continue
            batch = waiting.setdefault(self._shape(image.size), [])
            batch.append(image)
            count = sum(map(len, waiting.values()))
            if len(batch) >= self.batch_size:
                found.update(self._label(waiting.pop(self._shape(image.size))))
            elif count >= MOST_WAITING * self.batch_size:
                largest = max(waiting, key=lambda shape: len(waiting[shape]))
                found.update(self._label(waiting.pop(largest)))
        for batch in waiting.values():
            found.update(self._label(batch))
        return [found[place] for place in sorted(found)]

    def _shape(self, size: Shape) -> Shape:
        """The size after padding: images of one such size do not change each other's labels."""
        return tuple(-(-side // self.divisor) * self.divisor for side in size[-2:])

    # ------------------------------------------------------------------ one image, in a thread

    def _prepare(self, source: Source, place: int) -> Prepared:
        record = LabeledImage(source.names[place], id=source.id(place))
        views: list[dict[str, Any]] = []
        address = None
        try:
            address = source.address(place)
            cause = unfit(address, deep=self.deep)
            if cause is not None:
                raise ValueError(cause)
            loaded = self.load(_sample(address, place))
            record.height, record.width = (int(side) for side in loaded["img"].shape[:2])
            for view, pipeline in zip(self.views, self.pipelines, strict=True):
                image = view.turned(loaded["img"])
                views.append(pipeline({**loaded, "img": image}))
        except Exception as error:  # decoders and file systems fail in many ways
            record.error = _reason(error, unreadable(address))
        return Prepared(place, record, views)

    # ------------------------------------------------------------------ a batch

    def _label(self, batch: list[Prepared]) -> dict[int, LabeledImage]:
        """Labels of a batch; where it fails, its halves are tried, down to the image at fault."""
        try:
            found = [self._predict([image.views[k] for image in batch])
                     for k in range(len(self.views))]  # fmt: skip
            for number, image in enumerate(batch):
                self._record(image.record, [one[number] for one in found])
        except (torch.OutOfMemoryError, RuntimeError, ValueError, IndexError) as error:
            if len(batch) > 1:
                half = len(batch) // 2
                return {**self._label(batch[:half]), **self._label(batch[half:])}
            batch[0].record.error = _reason(error)
        return {image.place: image.record for image in batch}

    @torch.inference_mode()
    def _predict(self, samples: list[dict[str, Any]]) -> list[Any]:
        with DefaultScope.overwrite_default_scope(self.scope):
            return list(self.model.test_step(pseudo_collate(samples)))

    def _record(self, record: LabeledImage, found: list[Any]) -> None:
        size = record.height, record.width
        if "pred_instances" not in found[0]:
            self._add_map(record, found)
            return
        instances = [one.pred_instances for one in found]
        one = instances[0] if len(found) == 1 else fused_boxes(instances, self.views, size)
        one = one[one.scores >= self.thresholds.to(one.scores)[one.labels]]
        masks = None
        if "masks" in one:
            masks = [encode(mask) for mask in one.masks.cpu().numpy()]
        boxes, labels, scores = (one[key].tolist() for key in ("bboxes", "labels", "scores"))
        kept = objects((record.width, record.height), boxes, labels, scores, masks)
        for key, value in kept.items():
            setattr(record, key, value)

    def _add_map(self, record: LabeledImage, found: list[Any]) -> None:
        """The labels that the model itself would give, and their probabilities."""
        head: Any = last_decode_head(self.model) if hasattr(self.model, "decode_head") else None
        masks = head is not None and matches_masks(head)
        outputs = [one.seg_logits.data for one in found]
        maps = [pixel_probabilities(one[None], masks=masks)[0] for one in outputs]
        probabilities = fused_maps(maps, self.views)
        scores, labels = probabilities.max(0)
        if len(outputs[0]) == 1:  # an object from the threshold of the head on, not from a half
            labels = (probabilities[1] > getattr(head, "threshold", 0.5)).long()
            scores = probabilities.gather(0, labels[None])[0]
        if not bool(scores.isfinite().all()):
            raise ValueError("the model gave scores that are not finite")
        known = scores >= self.thresholds.to(scores)[labels]
        record.map = pack_map(labels.where(known, IGNORE).cpu().numpy())
        record.map_scores = pack_map((scores * 255).round().cpu().numpy())


def _sample(address: str, place: int) -> dict[str, Any]:
    """What a data set gives to a pipeline for an image without annotations."""
    return {
        "img_path": address, "img_id": place, "instances": [], "seg_fields": [],
        "label_map": None, "reduce_zero_label": False,
    }  # fmt: skip


def _reason(error: Exception, known: str | None = None) -> str:
    """One line: what is known of the file, or else what went wrong."""
    if known:
        return known
    lines = str(error).strip().splitlines()
    return (lines[0][:300] if lines else "") or type(error).__name__


def cores() -> int:
    """Of this process's share of the machine."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(here // int(os.environ.get("LOCAL_WORLD_SIZE", 1)), 1)
