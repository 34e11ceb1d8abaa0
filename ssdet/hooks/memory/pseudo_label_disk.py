"""Pseudo labels stored on disk, refined where the teacher is confident of something new."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import barrier, get_dist_info, is_main_process
from mmengine.logging import print_log
from torch import Tensor

from ...engine.checkpoint_hook import checkpoint_hook
from ...engine.checkpoint_index import FOLDER, CheckpointIndex
from ...formats.pseudo_label_folder import PseudoLabelFolder
from ...labels import IGNORE
from ...registry import HOOKS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.geometry import homography, warp
from ...teacher_student.phase import Phase
from ...teacher_student.pseudo_boxes import HIGH, PseudoBoxes, Source
from ...teacher_student.segmentor import TeacherStudentSegmentor
from ...teacher_student.step import PixelLabels, Step
from ...thresholds import box_quality
from ...thresholds.refinement import first_labels, refine_boxes, refine_labels
from ...validation import check_range
from .._parts.file_labels import FileLabels
from .._parts.image_names import image_name
from .._parts.stored_boxes import boxes_of, entry_of, to_image, to_view
from ..step_hook import StepHook


@HOOKS.register_module()
class PseudoLabelDiskHook(StepHook):
    """Keep the teacher's labels of each image on disk and, if wanted, train on them.

    "Two-shot Video Object Segmentation" (CVPR 2023): a first entry holds what the teacher is fairly
    confident of; later, known labels change only where it is very confident of one that is
    not stored. Labels, and the masks of boxes, are mapped back into the original image, whatever
    the weak view shows of it.
    Files hold the values that MMSegmentation reads as these labels, with `reduce_zero_label` and
    `label_map` of the labeled data set. (Colors and mapped values of `LoadMask` are not undone:
    there the values are the numbers of the classes.) Another training reads pixels as an ordinary
    `seg_map_path` folder (`images.txt` lists the images), and boxes from `coco.json`; both lists
    are written at the end of the training. A resumed run finds the label folder as it was at the
    checkpoint: what was changed since is undone (`.undo` in the folder).

    Args:
        folder: The label folder. None: `pseudo` in the work folder.
        root: Folder in which all images lie. None: images are known by their file names.
        write: Store the teacher's labels.
        use: Train on stored labels: pixels with a stored label get it, and stored boxes replace
            the teacher's boxes of the same class that overlap them. A stored label has weight 1
            and the score `score`, or the teacher's where it predicts the same with a higher one.
            Probabilities of all classes stay those of the current teacher.
        score, update: Lowest score for what is unknown so far, and for a change of what is known.
        background: A class that never counts as new (pixels); None if there is none.
        min_change: Share of the pixels of an image that must change for its entry to be written
            again: single pixels at borders do not rewrite the file in every step.
        iou: Overlap from which two boxes of one class are the same object.
        start: Iteration of the training from which labels are stored.
        reduce_zero_label, label_map: How files of the labeled data set become labels of the
            model. None: as in the data set.
        max_entries, max_bytes: Bounds of the label folder, over all processes.

    Examples:
        >>> PseudoLabelDiskHook(score=0.9, update=0.99).score  # writes to pseudo/ of the run folder
        0.9
        >>> PseudoLabelDiskHook(write=False, use=False)
        Traceback (most recent call last):
        ValueError: PseudoLabelDiskHook: write=False and use=False leave nothing to do
    """

    phase = Phase.MEMORY
    reversible = False  # the labels are on disk

    def __init__(
        self,
        folder: str | os.PathLike | None = None,
        *,
        root: str | os.PathLike | None = None,
        write: bool = True,
        use: bool = False,
        score: float = 0.9,
        update: float = 0.99,
        background: int | None = 0,
        min_change: float = 0.001,
        iou: float = 0.5,
        start: int = 0,
        reduce_zero_label: bool | None = None,
        label_map: Mapping[int, int] | None = None,
        max_entries: int | None = None,
        max_bytes: int | None = None,
    ) -> None:
        name = type(self).__name__
        limits = dict(score=score, update=update, iou=iou, min_change=min_change)
        for key, value in limits.items():
            check_range(name, key, value)
        check_range(name, "start", start, 0, float("inf"))
        if not (write or use):
            raise ValueError(f"{name}: write=False and use=False leave nothing to do")
        self.folder, self.write, self.use, self.start = folder, write, use, start
        self.score, self.update, self.iou, self.background = score, update, iou, background
        self.min_change = min_change
        self.reduce_zero_label, self.label_map = reduce_zero_label, label_map
        self.bounds: dict[str, Any] = dict(root=root, max_entries=max_entries, max_bytes=max_bytes)
        self.label_folder: PseudoLabelFolder | None = None
        self.class_names: list[str] = []

    # ------------------------------------------------------------------ the run

    def on_attach(self, model: TeacherStudent) -> None:
        """A label must fit into one byte, beside 255 for unknown."""
        super().on_attach(model)
        if isinstance(model, TeacherStudentSegmentor) and model.num_classes >= IGNORE:
            raise ValueError(
                f"{type(self).__name__}: label maps hold at most {IGNORE - 1} classes, the model "
                f"has {model.num_classes}"
            )
        self.files = FileLabels(model.num_classes, bool(self.reduce_zero_label), self.label_map)
        self.class_names = [f"class_{n}" for n in range(model.num_classes)]
        if self.folder is not None:
            self._open(self.folder)

    def before_train(self, runner: Any) -> None:
        """Open the label folder; read from the labeled data set what the values of files mean."""
        super().before_train(runner)
        if self.label_folder is None:
            # The main process has put away what an earlier run left in the work folder.
            barrier()
            self._open(Path(runner.work_dir) / "pseudo")
        if self.write:
            self._undo_to(runner.iter)
        dataset = runner.train_dataloader.dataset
        names = (getattr(dataset, "metainfo", None) or {}).get("classes")
        self.class_names = list(names or self.class_names)
        sources = getattr(dataset, "datasets", [dataset])
        labeled = next((s for s in sources if hasattr(s, "reduce_zero_label")), None)
        reduce, mapping = self.reduce_zero_label, self.label_map
        if reduce is None:
            reduce = getattr(labeled, "reduce_zero_label", False)
        if mapping is None:
            mapping = getattr(labeled, "label_map", None)
        if self.model is not None:
            self.files = FileLabels(self.model.num_classes, bool(reduce), mapping)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Changes after a checkpoint are remembered apart, by every process."""
        super().before_train_iter(runner, batch_idx, data_batch)
        saving = checkpoint_hook(runner)
        if not self.write or saving is None or saving.saved_iteration != runner.iter:
            return
        self._label_folder.undo.begin(runner.iter)
        if is_main_process():
            index = CheckpointIndex.load(Path(runner.work_dir) / FOLDER)
            kept = [index.entries[name].iteration for name in index.resumable()]
            self._label_folder.undo.forget(before=min(kept, default=0))

    def _undo_to(self, iteration: int) -> None:
        """The label folder as it was at the checkpoint, for all processes."""
        undo = self._label_folder.undo
        if is_main_process():
            if iteration == 0:
                undo.forget()
            elif not undo.back_to(iteration):
                print_log(
                    f"{type(self).__name__}: {undo.folder} does not say what it held after "
                    f"iteration {iteration}; the run continues from the labels as they are",
                    logger="current",
                    level=30,
                )
        barrier()
        self._open(undo.folder)
        self._label_folder.undo.begin(iteration)

    def after_train(self, runner: Any) -> None:
        """Write the lists by which other trainings read the stored labels."""
        barrier()
        if is_main_process() and self.write:
            self.export()
        barrier()

    def export(self) -> Path:
        """Write `images.txt` (pixels) or `coco.json` (boxes); return its path."""
        if isinstance(self.model, TeacherStudentSegmentor):
            return self._label_folder.export_list()
        return self._label_folder.export_coco(self.class_names)

    # ------------------------------------------------------------------ the step

    @torch.no_grad()
    def after_teacher(self, step: Step) -> None:
        """Refine the entries of the images of this step; train on them."""
        written = self.write and step.iteration >= self.start
        changed = 0
        for image, sample in enumerate(step.weak_views.samples):
            name = image_name(type(self).__name__, sample)
            key = self._label_folder.key(name)
            matrix, meta = _geometry(sample), {"image": str(name), "iteration": step.iteration}
            if isinstance(step.pseudo, PixelLabels):
                changed += written and self._refine_map(step.pseudo, image, sample, key, meta)
                if self.use:
                    self._use_map(step, image, key, matrix)
            else:
                boxes = step.pseudo_boxes[image]
                changed += written and self._refine_boxes(boxes, sample, key, meta)
                if self.use:
                    step.pseudo_boxes[image] = self._use_boxes(step, image, key, matrix)
        step.count("bank/changed", changed / len(step.weak_views.samples))

    # ------------------------------------------------------------------ pixels

    def _refine_map(
        self, pixels: PixelLabels, image: int, sample: Any, key: str, meta: dict[str, Any]
    ) -> bool:
        fields = (pixels.labels[image], pixels.scores[image], pixels.valid[image])
        maps = torch.stack([field.float() for field in fields])
        moved, inside = warp(maps, np.linalg.inv(_geometry(sample)), sample.ori_shape)
        labels, scores, valid = moved[0].long(), moved[1], (moved[2] > 0) & inside
        stored = self._stored_map(key, sample, labels.device)
        if stored is None:
            refined = first_labels(labels, scores, valid, self.score)
            changed = bool((refined != IGNORE).any())
        else:
            limits = torch.where(stored == IGNORE, self.score, self.update)
            refined, changed = refine_labels(
                stored, labels, scores, valid, limits, background=self.background
            )
            changed &= bool((refined != stored).float().mean() >= self.min_change)
        if changed:
            self._label_folder.write_map(key, self.files.to_file(refined.cpu().numpy()), meta)
        return changed

    def _use_map(self, step: Step, image: int, key: str, matrix: np.ndarray) -> None:
        pixels = step.pseudo_pixels
        stored = self._stored_map(key, step.weak_views.samples[image], pixels.labels.device)
        known = torch.zeros_like(pixels.valid[image])
        if stored is not None:
            moved, inside = warp(stored[None], matrix, pixels.labels.shape[-2:])
            known = inside & (moved[0] != IGNORE) & pixels.valid[image]
            # The teacher's score is one of its own label. What is stored had `score` at least.
            same = moved[0] == pixels.labels[image]
            scores = pixels.scores[image].where(same, 0.0).clamp(min=self.score)
            pixels.scores[image] = scores.where(known, pixels.scores[image])
            pixels.labels[image] = moved[0].where(known, pixels.labels[image])
            pixels.weights[image] = pixels.weights[image].masked_fill(known, 1.0)
        step.count("bank/used", known.float().mean() / len(pixels))

    def _stored_map(self, key: str, sample: Any, device: torch.device) -> Tensor | None:
        stored = self._label_folder.read_map(key)
        if stored is None:
            return None
        if stored.shape != tuple(sample.ori_shape[:2]):
            raise ValueError(
                f"{type(self).__name__}: {self._label_folder.path('maps', key)} has the size "
                f"{stored.shape}, its image {tuple(sample.ori_shape[:2])}; is it another image of "
                "the same name (set root), or a label folder of other data (set folder)?"
            )
        return torch.from_numpy(self.files.from_file(stored)).long().to(device)

    # ------------------------------------------------------------------ boxes

    def _refine_boxes(
        self, boxes: PseudoBoxes, sample: Any, key: str, meta: dict[str, Any]
    ) -> bool:
        size = tuple(sample.ori_shape[:2])
        found = to_image(boxes[boxes.level == HIGH], _geometry(sample), size)
        stored = self._stored_boxes(key, found)
        limit = self.score if stored is None else self.update
        stored = found[:0] if stored is None else stored
        stay, taken = refine_boxes(
            (stored.labels, stored.scores),
            (found.labels, found.scores),
            box_quality.iou(stored.bboxes, found.bboxes),
            limit,
            self.iou,
        )
        if not taken.any():
            return False
        entry = PseudoBoxes.cat([stored[stay], found[taken]])
        self._label_folder.write_boxes(key, entry_of(entry, size), meta)
        return True

    def _use_boxes(self, step: Step, image: int, key: str, matrix: np.ndarray) -> PseudoBoxes:
        """Stored boxes in the weak view, and the teacher's own that they do not replace."""
        own, shape = step.pseudo_boxes[image], step.weak_views.samples[image].img_shape
        stored = self._stored_boxes(key, own)
        if stored is None:
            return own
        stored = to_view(stored, matrix, tuple(shape[:2]))
        stored.source = torch.full_like(stored.labels, Source.MEMORY)
        same = stored.labels[:, None] == own.labels[None]
        double = (same & (box_quality.iou(stored.bboxes, own.bboxes) >= self.iou)).any(0)
        step.count("bank/used", len(stored) / len(step.pseudo_boxes))
        return PseudoBoxes.cat([stored, own[~double]])

    def _stored_boxes(self, key: str, like: PseudoBoxes) -> PseudoBoxes | None:
        entry = self._label_folder.read_boxes(key)
        return None if entry is None else boxes_of(entry, like.bboxes.device, "masks" in like)

    # ------------------------------------------------------------------ helpers

    @property
    def _label_folder(self) -> PseudoLabelFolder:
        if self.label_folder is None:
            raise RuntimeError(f"{type(self).__name__}: set folder; there is no runner with one")
        return self.label_folder

    def _open(self, folder: str | os.PathLike) -> None:
        rank, world_size = get_dist_info()
        self.label_folder = PseudoLabelFolder(
            folder, rank=rank, world_size=world_size, **self.bounds
        )


def _geometry(sample: Any) -> np.ndarray:
    """Original image -> view; a view of another size needs a recorded homography."""
    unknown = "homography_matrix" not in sample.metainfo
    if unknown and tuple(sample.img_shape[:2]) != tuple(sample.ori_shape[:2]):
        owner = "PseudoLabelDiskHook"
        raise ValueError(
            f"{owner}: the view of {image_name(owner, sample)} has another size than its image and "
            "no homography_matrix; make the views with WeakStrongViews, which records it"
        )
    return homography(sample)
