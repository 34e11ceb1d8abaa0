"""The values of a config that the checks of its settings need."""

from collections.abc import Mapping, Sequence
from typing import Any

from .. import total_batch
from .config_sources import entries
from .sources import Source

MODELS = {"TeacherStudentDetector": "detector", "TeacherStudentSegmentor": "segmentor"}


class Settings:
    """The values of a config that the checks need."""

    def __init__(self, config: Any, sources: Sequence[Source]) -> None:
        self.config = config
        self.sources = sources
        self.model = config.get("model") or {}
        self.loop = config.get("train_cfg") or {}
        self.loader = config.get("train_dataloader") or {}
        sampler = self.loader.get("sampler") or {}
        self.sampler = sampler if isinstance(sampler, Mapping) else {}
        self.by_iteration = "max_iters" in self.loop or not self.loop.get("by_epoch", True)
        self.length = self.loop.get("max_iters") or self.loop.get("max_epochs") or 0
        self.unit = "iterations" if self.by_iteration else "epochs"

    @property
    def training(self) -> list[Source]:
        """The sources of the training set, in their order."""
        return [source for source in self.sources if source.role != "validation"]

    @property
    def shares(self) -> tuple[int, ...]:
        """Images of each source in the batch of a process, where a sampler says it."""
        return total_batch.shares(self.loader)

    @property
    def meant(self) -> tuple[int, ...]:
        """Images of each source in all processes together, where the config says it."""
        return total_batch.meant(self.config) or ()

    @property
    def planned(self) -> int | None:
        """The number of processes that gives as many."""
        return total_batch.processes_for(self.config)

    @property
    def total(self) -> tuple[int, ...]:
        """Images per iteration in all processes: as meant, or else in those that there are."""
        return self.meant or total_batch.images(self.config, world_size())

    @property
    def is_pair(self) -> bool:
        """Whether the model is a teacher-student pair."""
        return self.model.get("type") in MODELS

    @property
    def frozen_teacher(self) -> bool:
        """Whether the teacher is another model, which no average moves."""
        teacher = self.model.get("teacher") or {}
        return "model" in teacher and not teacher.get("beside_twin")

    @property
    def learns_labels(self) -> bool:
        """Whether the student learns pseudo labels; if not, a hook teaches it probabilities."""
        return bool(self.model.get("unsup_weight", 1.0))

    def selects(self, hook: Any) -> bool:
        """Whether a hook selects what is learned, or learns every pixel on purpose."""
        pixels = MODELS.get(self.model.get("type", "")) == "segmentor"
        return declares(hook, "selects_labels") or (pixels and declares(hook, "learns_all_pixels"))

    @property
    def unlabeled(self) -> bool:
        """Whether there are unlabeled images to train on."""
        return any(role == "unlabeled" for _, role, _ in entries(self.config))

    @property
    def hooks(self) -> list[Any]:
        """Classes of the custom hooks; the name of one that is not registered."""
        from ..registry import HOOKS

        hooks = self.config.get("custom_hooks") or []
        types = [h.get("type") for h in hooks if isinstance(h, Mapping)]
        with HOOKS.switch_scope_and_registry(None) as registry:
            found = [registry.get(kind) if isinstance(kind, str) else kind for kind in types]
        return [cls or kind for cls, kind in zip(found, types, strict=True)]


def declares(hook: Any, attribute: str) -> bool:
    """What the class of a hook says about it; nothing is known of hooks that say nothing."""
    return bool(getattr(hook, attribute, False))


def world_size() -> int:
    """The number of processes."""
    from mmengine.dist import get_world_size  # which imports torch

    return int(get_world_size())
