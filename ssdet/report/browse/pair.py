"""A checkpoint as the pair that it was saved from: models, thresholds, unlabeled images."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope

from ...datasets.seeding import derive_seed, seeded
from ...engine.checkpoint_file import read_checkpoint
from ...engine.fitting import check_fit
from ...exits import RunError, UsageError
from ...openmmlab import register
from ...registry import DATASETS, HOOKS, MODELS
from ...teacher_student.core import TeacherStudent
from ...teacher_student.hook_points import HookPoints, phase_of
from ...teacher_student.phase import Phase
from ...teacher_student.recording import eval_mode
from ...teacher_student.step import Step

DECIDING = (Phase.LABEL, Phase.FILTER, Phase.WEIGHT)


@dataclass
class Pair:
    """Teacher and student as they label now, and what they are to label.

    Attributes:
        model: Both networks, with the hooks that label and decide attached.
        images: The unlabeled images, with their weak and strong views.
        classes: Names in the order of the labels.
        palette: Colors of the classes, where the data has them.
        iteration: Of the checkpoint.
        left_out: Hooks that act in a training only.
    """

    model: TeacherStudent
    images: Any
    classes: list[str]
    palette: Any
    iteration: int
    left_out: list[str] = field(default_factory=list)

    def look(self, index: int, seed: int) -> tuple[Step, Any]:
        """One image through the teacher and all that decides; and what the student says of it.

        The views are a function of (seed, index). The images are labeled one by one, so what a
        threshold takes from the batch around an image differs from the training.
        """
        with seeded(derive_seed(seed, index)):
            sample = self.images[index]
        if sample is None:
            path = self.images.get_data_info(index).get("img_path")
            raise UsageError(
                f"unlabeled image {index}, {path}: its pipeline gives nothing for it. Check the "
                "pipeline of the unlabeled images (train_dataloader.dataset)"
            )
        data = self.model.data_preprocessor(pseudo_collate([sample]), False)
        step = self.model._step(data["inputs"], data["data_samples"])
        with torch.no_grad():
            self.model._label(step)
            step.targets = self.model.transfer(step)
            for hook in self.model.hooks:
                hook.before_student(step)
            with eval_mode(self.model.student):
                student = self.model.label(step.weak_views, network=self.model.student, needs=())
        return step, student

    def thresholds(self) -> list[float] | None:
        """Of each class, in the last step; None where no hook has any."""
        hooks = self.model.hooks
        found = [limits for hook in hooks if (limits := getattr(hook, "last_limits", None))]
        return [round(float(v), 4) for v in found[0].upper] if found else None


def load_pair(config: Any, checkpoint: str | Path, source: str | None, device: str) -> Pair:
    """Build what a checkpoint of `ssdet train` holds.

    Args:
        config: Of the training.
        checkpoint: One of its checkpoints.
        source: Images instead of the config's unlabeled ones, as `UnlabeledImages` takes them.
        device: Where the networks run.
    """
    register()
    kind = str((config.get("model") or {}).get("type"))
    if not kind.startswith("TeacherStudent"):
        raise UsageError(
            f"model.type is {kind!r}, which has no teacher. Give the config of a semi-supervised "
            "training (a config of `ssdet init`, or config.py of a run folder)"
        )
    saved = read_checkpoint(checkpoint)
    with DefaultScope.overwrite_default_scope(config.get("default_scope", "mmengine")):
        model = _model(config, checkpoint, saved)
        data = DATASETS.build(config.train_dataloader.dataset)
        data.full_init()
        images = _images(config, data, source)
        pair = Pair(model, images, _classes(data, saved), data.metainfo.get("palette"),
                    int(model.iteration))  # fmt: skip
        _attach(pair, config, data, saved)
    pair.classes += [f"class {n}" for n in range(len(pair.classes), model.num_classes)]
    model.to(device).eval()
    return pair


def _model(config: Any, checkpoint: str | Path, saved: dict[str, Any]) -> TeacherStudent:
    model: TeacherStudent = MODELS.build({**config.model, "compile_student": None})
    state = saved.get("state_dict") or {}
    check_fit(state, model.state_dict(), checkpoint)
    model.load_state_dict(state, strict=False)
    model.iteration = int(state["_iteration"])
    return model


def _images(config: Any, data: Any, source: str | None) -> Any:
    """The unlabeled source, or other images through its pipeline."""
    settings = config.train_dataloader.dataset
    numbers = [n for n in range(len(getattr(data, "datasets", ()))) if not data.is_labeled(n)]
    if not numbers:
        raise UsageError(
            "the config has no unlabeled images: train_dataloader.dataset has only labeled "
            f"sources ({settings.get('type')}). Give the config of the semi-supervised training"
        )
    if source is None:
        return data.datasets[numbers[0]]
    pipeline = settings.datasets[numbers[0]]["pipeline"]
    try:
        images = DATASETS.build(dict(type="UnlabeledImages", source=source, pipeline=pipeline))
        images.full_init()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"IMAGES {source}: {error}. Allowed: a folder, a glob in quotes, a list or a COCO json"
        ) from error
    return images


def _classes(data: Any, saved: dict[str, Any]) -> list[str]:
    meta = (saved.get("meta") or {}).get("dataset_meta") or {}
    names = data.metainfo.get("classes") or meta.get("classes") or meta.get("CLASSES") or ()
    return [str(name) for name in names]


def _attach(pair: Pair, config: Any, data: Any, saved: dict[str, Any]) -> None:
    """Attach the hooks that label and decide, with what they had learned."""
    hooks = [one for one in config.get("custom_hooks") or [] if isinstance(one, dict)]
    runner = SimpleNamespace(
        iter=max(pair.iteration, 1), model=pair.model, seed=None, cfg=config, hooks=[],
        max_iters=config.train_cfg.get("max_iters", 0), work_dir=config.get("work_dir", "."),
        train_dataloader=SimpleNamespace(dataset=data),
    )  # fmt: skip
    for settings in hooks:
        kind = HOOKS.get(str(settings["type"]))
        if kind is None or not issubclass(kind, HookPoints):
            continue
        hook: Any = HOOKS.build(dict(settings))
        if phase_of(hook) not in DECIDING:
            pair.left_out.append(type(hook).__name__)
            continue
        try:
            hook.before_run(runner)
            hook.after_load_checkpoint(runner, saved)
            hook.before_train(runner)
        except RunError:
            raise
        except Exception as error:
            raise UsageError(
                f"{type(hook).__name__} cannot decide outside of a training: "
                f"{type(error).__name__}: {error}. Leave it out: --cfg-options custom_hooks=[...]"
            ) from error
