"""What a method is: a row of the table of methods, and the recipe that `ssdet init` follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Task = Literal["detection", "segmentation"]
Settings = Mapping[str, Any]  # of a hook, a transform, a model, as in a config


class Code(str):
    """An expression that is written to the config as it is, such as `iterations // 4`."""

    __slots__ = ()


@dataclass(frozen=True)
class Note:
    """A value with the comment that the config has beside or above it."""

    value: Any
    comment: str


# The hook that most recipes begin with.
EMA = {"type": "TeacherEMAHook", "momentum": Code("momentum"), "schedule": "mean"}


@dataclass(frozen=True)
class Recipe:
    """How a method trains on data of one's own; a key of `METHODS` names it.

    Values may be `Code` of the variables that every written config has: `classes`, `image_scale`,
    `crop_size` (segmentation), `with_mask` (detection), `batch`, `iterations`, `lr`, `momentum`,
    and of what is assigned above the hooks, such as `labeled_source` and `load_labels`.

    Attributes:
        task: What kind of model it trains.
        does: What it does, in a line.
        hooks: `custom_hooks`, without the gallery that every recipe has.
        momentum: Of the teacher.
        model: Settings of the teacher-student pair beyond those of the task.
        network: Settings of the supervised model that are others, by their place in it:
            `{"roi_head.bbox_head.loss_cls": dict(...)}`.
        variables: What is assigned above the hooks, because they use it.
        strong: Transforms that make a view a strong one. None: those of the task (`views.STRONG`).
        same_geometry: The strong view shows the same part of an image as the weak one.
        strong_views: How many of them each unlabeled image has.
        held_out: Share of the labeled images that judge the teacher in place of training it.
        passes: How often each image is seen. None: the number of the task (`schedule.PASSES`).
        asks: The option of `ssdet init` for a file that it needs, "external" or "tags"; the config
            has a variable for it (`ssdet.recipes.asked`).
        needs: Of the model; a key of `ssdet.recipes.needs.NEEDS`.
        instead: Methods for models that it does not suit, the nearest first.
    """

    task: Task
    does: str
    hooks: Sequence[Settings | Note]
    momentum: float = 0.999
    model: Settings = field(default_factory=dict)
    network: Settings = field(default_factory=dict)
    variables: Settings = field(default_factory=dict)
    strong: Sequence[Settings] | None = None
    same_geometry: bool = False
    strong_views: int = 1
    held_out: float = 0.0
    passes: int | None = None
    asks: str = ""
    needs: str = ""
    instead: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """A row of docs/methods.md.

    Attributes:
        name: What the paper calls it.
        source: The paper, and what of it is ours.
        parts: Its hooks and what else it is made of, as the page shows them.
        config: The folder in `configs/`.
        tests: Files that hold its numbers.
        measured: What its demo gains over the supervised baseline, as in docs/benchmarks.md.
        recipes: What `ssdet init --method` calls it, and how it is written. Empty: it needs a
            network of its own, external labels, or settings that follow the data.
    """

    name: str
    source: str
    parts: str
    config: str
    tests: tuple[str, ...]
    measured: str
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
