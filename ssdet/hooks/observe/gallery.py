"""Pictures of the teacher's predictions, and of the labels kept from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.structures.bbox import get_box_tensor
from mmengine.dist import is_main_process
from torch import Tensor

from ...engine.checkpoint_file import append_line
from ...labels import IGNORE
from ...registry import HOOKS
from ...run_files import BATCHES, GALLERY
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import AMBIGUOUS, HIGH, LOW
from ...teacher_student.step import PixelLabels, Step, Views
from ...validation import check_range
from .._parts.drawing import BoxGroup, Color, class_colors, draw_boxes, paint_pixels, save_jpeg
from .._parts.followed import LOWEST, FollowedImages
from .._parts.mosaic import mosaic
from .._parts.view_picture import view_picture
from ..step_hook import StepHook

DROPPED_DRAWN = 6  # of each reason, in a picture
MOSAIC = 8  # images of a batch that are drawn together


@HOOKS.register_module()
class GalleryHook(StepHook):
    """Store a few pictures of pseudo labels.

    Writes to the run folder: `pseudo/*.jpg` with one line for each picture in `gallery.jsonl`, and
    mosaics of the batch that was drawn last (`batch_labeled.jpg`, `batch_unlabeled.jpg`). The
    counts are those of `PseudoLabelMonitorHook`. Boxes: the weak view with the teacher's boxes
    (kept: solid, ignore regions: hatched, the highest-scoring few of the dropped: dashed, with the
    reason) beside the strong views with the student's targets. Pixels: the weak view, its label
    map, what is kept of it, and the strong views. The first process alone writes; the random
    state of the training is left as it is.

    Args:
        interval: Iterations between two stored steps; the last iteration is stored, too.
        images: Images that are drawn in such a step, the first ones of the batch.
        follow: Unlabeled images that the teacher labels again in each such step, to show how its
            labels change (in a run, not in a plain PyTorch loop).
        size: Longer side of a stored picture, in pixels.
        classes: Names of the classes; taken from the training data where it is not given.

    Examples:
        >>> import os, tempfile
        >>> from ssdet.testing import detector, take_step
        >>> hook = GalleryHook(images=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     hook.open(folder)  # in a run: the run folder
        ...     _ = take_step(detector(), hook)
        ...     sorted(os.listdir(os.path.join(folder, "pseudo")))
        ['000001_0_strong.jpg', '000001_0_weak.jpg', 'batch_labeled.jpg', ..., 'gallery.jsonl']
    """

    phase = Phase.OBSERVE
    priority = "VERY_LOW"
    read_only = True

    def __init__(
        self,
        interval: int = 1000,
        *,
        images: int = 2,
        follow: int = 2,
        size: int = 360,
        classes: Sequence[str] | None = None,
    ) -> None:
        name = type(self).__name__
        check_range(name, "interval", interval, 1, float("inf"))
        check_range(name, "images", images, 0, float("inf"))
        check_range(name, "follow", follow, 0, float("inf"))
        check_range(name, "size", size, 32, 4096)
        self.interval, self.images, self.size = interval, images, size
        self.follow = follow
        self.followed: FollowedImages | None = None
        self.classes = list(classes or [])
        self.palette: Sequence[Sequence[int]] | None = None
        self.last = -1
        self.folder: Path | None = None

    def before_train(self, runner: Any) -> None:
        """Learn the names of the classes and where to write."""
        super().before_train(runner)
        meta = getattr(runner.train_dataloader.dataset, "metainfo", None) or {}
        self.classes = self.classes or [str(name) for name in meta.get("classes") or []]
        self.palette = meta.get("palette")
        self.last = runner.max_iters - 1
        if self.follow:
            self.followed = FollowedImages(runner.train_dataloader.dataset, self.follow)
        self.open(runner.work_dir)

    def open(self, work_dir: str | Path) -> None:
        """Write into this run folder (for a plain PyTorch loop; a runner's own is taken)."""
        if is_main_process():
            self.folder = Path(work_dir)
            (self.folder / GALLERY).parent.mkdir(parents=True, exist_ok=True)

    def before_student(self, step: Step) -> None:
        """Draw the labels after all other hooks have changed them."""
        if self.folder is None or step.pseudo is None or step.weak is None:
            return
        last = step.iteration == self.last
        if step.iteration % self.interval == 0 or last:
            for number in range(min(self.images, len(step.weak.samples))):
                line = self._picture(step, number)
                append_line(self.folder / GALLERY, json.dumps(line))
            self._follow(step, self.folder)
            self._batches(step, self.folder)

    # ------------------------------------------------------------------ pictures

    def _follow(self, step: Step, folder: Path) -> None:
        """Draw the same images as ever, with the teacher's labels of now."""
        if self.followed is None:
            return
        for number, (views, found, kept) in enumerate(self.followed.labeled(step.model)):
            image, pixels = self._image(views, 0), isinstance(found, PixelLabels)
            if pixels:
                labels = self._cropped(found, 0, image)["labels"]
                mask = kept[0, : image.shape[0], : image.shape[1]].cpu().numpy()
                colors = self._colors(max(len(self.classes), _highest(labels) + 1))
                picture = paint_pixels(image, labels, colors, kept=mask, size=self.size)
            else:
                lost = found[0][~kept & (found[0].scores >= LOWEST)]
                groups = [self._group("dropped", _highest_scoring(lost), "score")]
                groups.append(self._group("kept", found[0][kept]))
                picture = draw_boxes(image, groups, self.size)
            file = f"follow_{number}_{step.iteration + 1:06d}.jpg"
            save_jpeg(self._file(file), picture)
            name = Path(getattr(views.samples[0], "img_path", None) or "").name
            line = {
                "iter": step.iteration + 1, "number": f"followed {number}", "followed": number,
                "image": name, "unit": "pixels" if pixels else "boxes",
                "panels": [{"file": file, "view": f"iteration {step.iteration + 1:,}"}],
            }  # fmt: skip
            append_line(folder / GALLERY, json.dumps(line))

    def _batches(self, step: Step, folder: Path) -> None:
        """Draw what goes into the model, as mosaics that replace those of an earlier step."""
        size = self.size * 2 // 3
        if step.sup is not None:
            pictures = [self._labeled(step.sup, n, size) for n in _first(step.sup)]
            save_jpeg(folder / BATCHES["labeled"], mosaic(pictures))
        name, views = next(iter(step.strong.items()))
        pictures = [self._taught(step, name, views, n, size) for n in _first(views)]
        save_jpeg(folder / BATCHES["unlabeled"], mosaic(pictures))

    def _labeled(self, views: Views, number: int, size: int) -> np.ndarray:
        sample, image = views.samples[number], self._image(views, number)
        if "gt_sem_seg" not in sample:
            return draw_boxes(image, [self._group("kept", sample.gt_instances)], size)
        height, width = image.shape[:2]
        labels = sample.gt_sem_seg.data.squeeze(0)[:height, :width].cpu().numpy()
        return paint_pixels(image, labels, self._colors(_highest(labels) + 1), size=size)

    def _taught(self, step: Step, name: str, views: Views, number: int, size: int) -> np.ndarray:
        image = self._image(views, number)
        if not isinstance(step.pseudo, PixelLabels):
            target = step.targets[name][number]
            groups = [self._group("ignored", target.ignored_instances)]
            return draw_boxes(image, [*groups, self._group("kept", target.gt_instances)], size)
        target = self._cropped(step.targets[name], number, image)
        taught = (target["weights"] > 0) & target["valid"]
        colors = self._colors(_highest(target["labels"]) + 1)
        return paint_pixels(image, target["labels"], colors, kept=taught, size=size)

    def _picture(self, step: Step, number: int) -> dict[str, Any]:
        """Draw and store the views of one image; returns its line of the index."""
        pixels = isinstance(step.pseudo, PixelLabels)
        panels, line = (self._pixels if pixels else self._boxes)(step, number)
        files = []
        for view, picture in panels.items():
            file = f"{step.iteration + 1:06d}_{number}_{view}.jpg"
            save_jpeg(self._file(file), picture)
            files.append({"file": file, "view": view})
        path = getattr(_sample(step.weak, number), "img_path", None)
        where = {"iter": step.iteration + 1, "number": number, "image": Path(path or "").name}
        return {**where, "panels": files, "unit": "pixels" if pixels else "boxes", **line}

    def _boxes(self, step: Step, number: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        found = step.pseudo_boxes[number]
        trained = found[found.level >= AMBIGUOUS]
        groups = [self._group("ignored", found[found.level == LOW])]
        lost = [(why, _highest_scoring(boxes)) for why, boxes in step.dropped[number].items()]
        groups += [self._group("dropped", boxes, why) for why, boxes in lost]
        groups += [self._group("unsure", found[found.level == AMBIGUOUS])]
        groups += [self._group("kept", found[found.level == HIGH])]
        weak = self._image(step.weak, number)
        panels = {"weak": draw_boxes(weak, groups, self.size)}
        for name, views in step.strong.items():
            if number >= len(views.samples):  # a view that a hook has added, of fewer images
                continue
            target = step.targets[name][number]
            groups = [self._group("ignored", target.ignored_instances)]
            groups += [self._group("kept", target.gt_instances)]
            panels[_view(name)] = draw_boxes(self._image(views, number), groups, self.size)
        names, counts = np.unique(trained.labels.cpu().numpy(), return_counts=True)
        return panels, {
            "kept": len(trained),
            "ignored": len(found) - len(trained),
            "dropped": {why: len(boxes) for why, boxes in step.dropped[number].items()},
            "drawn": sum(len(boxes) for _, boxes in lost),
            "score": float(trained.scores.mean()) if len(trained) else None,
            "classes": {self._name(int(n)): int(c) for n, c in zip(names, counts, strict=True)},
        }

    def _pixels(self, step: Step, number: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        image = self._image(step.weak, number)
        shown = self._cropped(step.pseudo, number, image)
        kept = (shown["weights"] > 0) & shown["valid"]
        colors = self._colors(max(len(self.classes), _highest(shown["labels"]) + 1))
        panels = {
            "weak": paint_pixels(image, np.full(image.shape[:2], -1), [], size=self.size),
            "labels": paint_pixels(image, shown["labels"], colors, size=self.size),
            "kept": paint_pixels(image, shown["labels"], colors, kept=kept, size=self.size),
        }
        for name, views in step.strong.items():
            strong = self._image(views, number)
            target = self._cropped(step.targets[name], number, strong)
            taught = (target["weights"] > 0) & target["valid"]
            panels[_view(name)] = paint_pixels(
                strong, target["labels"], colors, kept=taught, size=self.size
            )
        total = max(int(shown["valid"].sum()), 1)
        names, counts = np.unique(shown["labels"][kept], return_counts=True)
        return panels, {
            "kept": round(float(kept.sum()) / total, 4),
            "dropped": {"weight": round(float((shown["valid"] & ~kept).sum()) / total, 4)},
            "score": float(shown["scores"][kept].mean()) if kept.any() else None,
            "classes": {
                self._name(int(n)): round(int(c) / total, 4)
                for n, c in zip(names, counts, strict=True)
            },
            "colors": {
                self._name(n): "#{:02x}{:02x}{:02x}".format(*colors[n])
                for n in np.unique(shown["labels"][shown["valid"]]).tolist()
                if n < len(colors)
            },
        }

    def _group(self, style: Any, boxes: Any, why: str = "") -> BoxGroup:
        bboxes = get_box_tensor(boxes.bboxes).detach().cpu().numpy().reshape(-1, 4)
        labels = boxes.labels.tolist() if "labels" in boxes else []
        scores = boxes.scores.tolist() if "scores" in boxes else []
        texts = [self._name(label) for label in labels]
        texts = [f"{t} {s:.2f}" for t, s in zip(texts, scores, strict=True)] if scores else texts
        # A number that is too low explains itself.
        texts = [f"{text} {why}" for text in texts] if why not in ("", "score") else texts
        colors = self._colors(max([len(self.classes), *(n + 1 for n in labels)]))
        own = [colors[n] for n in labels] if style in ("kept", "unsure") else []
        masks = getattr(boxes, "masks", None)
        if masks is not None:
            masks = masks.cpu().numpy() if isinstance(masks, Tensor) else masks.to_ndarray()
        return BoxGroup(style, bboxes, texts, own, masks)

    def _image(self, views: Views | None, number: int) -> np.ndarray:
        """A view as the pipeline made it: RGB, 8 bit, without padding."""
        if views is None or self.model is None:
            raise RuntimeError(f"{type(self).__name__}: attach it to a model first")
        return view_picture(self.model, views, number)

    @staticmethod
    def _cropped(pixels: Any, number: int, image: np.ndarray) -> dict[str, np.ndarray]:
        height, width = image.shape[:2]
        names = ("labels", "scores", "weights", "valid")
        return {
            n: getattr(pixels, n)[number, :height, :width].detach().cpu().numpy() for n in names
        }

    def _colors(self, count: int) -> list[Color]:
        return class_colors(count, self.palette)

    def _name(self, label: int) -> str:
        return self.classes[label] if label < len(self.classes) else f"class {label}"

    def _file(self, name: str) -> Path:
        if self.folder is None:
            raise RuntimeError(f"{type(self).__name__}: call open(work_dir) first")
        return (self.folder / GALLERY).with_name(name)


def _highest_scoring(boxes: Any) -> Any:
    """The boxes with the highest scores: more would hide the image."""
    return boxes[boxes.scores.argsort(descending=True)[:DROPPED_DRAWN]]


def _first(views: Views) -> range:
    return range(min(MOSAIC, len(views.samples)))


def _sample(views: Views | None, number: int) -> Any:
    return views.samples[number] if views is not None else None


def _view(branch: str) -> str:
    """`unsup_student_2` -> `strong_2`."""
    return branch.replace("unsup_student", "strong")


def _highest(labels: np.ndarray) -> int:
    known = labels[labels != IGNORE]
    return int(known.max()) if known.size else 0
