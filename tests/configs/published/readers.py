"""What a row of a recipe reads: one function for each setting that several recipes have."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from ssdet.teacher_student.schedules import momentum_at

from .built import Built
from .views import describe, operations


def total_batch(built: Built) -> tuple[int, ...]:
    """Labeled and unlabeled images of an iteration, over all processes."""
    return built.total_batch


def batch(built: Built) -> tuple[int, ...]:
    """The same of one process."""
    return tuple(built.config.train_dataloader.sampler.batch)


def rate(built: Built) -> float:
    """The rate of most parameters."""
    return _most(built, 0)


def decay(built: Built) -> float:
    """The weight decay of most parameters."""
    return _most(built, 1)


def rate_and_decay(name: str) -> Callable[[Built], tuple[float, float]]:
    """Of one parameter, by its name."""
    return lambda built: built.groups[name]


def optimizer(built: Built) -> str:
    """Class and momentum."""
    made = built.optim_wrapper.optimizer
    momentum = made.defaults.get("momentum")
    return type(made).__name__ + (f", momentum {momentum:g}" if momentum else "")


def clip(built: Built) -> Any:
    """The norm that gradients are clipped at."""
    settings = built.optim_wrapper.clip_grad_kwargs
    return settings and settings.get("max_norm")


def iterations(built: Built) -> int:
    """Length of the training."""
    return int(built.config.train_cfg.max_iters)


def drops(built: Built) -> tuple[int, ...]:
    """Iterations at which the rate is multiplied by 0.1."""
    found = _schedules(built, "MultiStepLR")
    assert all(schedule.gamma == 0.1 for schedule in found)
    return tuple(step for schedule in found for step in schedule.milestones)


def warm_up(built: Built) -> Any:
    """Iterations of the linear warm-up, and the share of the rate that it starts from."""
    found = _schedules(built, "LinearLR")
    return (found[0].end - found[0].begin, found[0].start_factor) if found else None


def lists(built: Built) -> tuple[str, ...]:
    """The lists of images, labeled and unlabeled: files, for VOC with their year."""
    found = []
    for source in built.config.train_dataloader.dataset.datasets:
        *folders, name = str(source.get("ann_file") or source.source).split("/")
        year = next((folder for folder in folders if folder.startswith("VOC2")), "")
        found.append(f"{year} {name}".strip())
    return tuple(found)


def precision(built: Built) -> str:
    """The numbers that a training computes with, without `--amp`."""
    return {"OptimWrapper": "float32"}.get(built.config.optim_wrapper.type, "half precision")


def average(built: Built) -> dict[str, Any]:
    """How the teacher follows the student."""
    hook = built.hook("TeacherEMAHook")
    found = {key: getattr(hook, key) for key in ("momentum", "schedule", "interval")}
    if hook.schedule == "mean" and hook.gamma != 1:
        found["gamma"] = hook.gamma
    if hook.stop_after is not None:
        found["stops after"] = hook.stop_after
    return found


def after_burn_in(built: Built) -> str:
    """What the teacher is when the burn-in ends."""
    return "a copy of the student" if built.model.copy_after_burn_in else "as it was"


def start(built: Built) -> str:
    """What the teacher is before it labels anything."""
    if built.config.get("load_from"):
        return "a checkpoint"
    return f"burn-in of {built.model.burn_in:,} iterations"


def shares(*iterations: int) -> Callable[[Built], tuple[float, ...]]:
    """The student's share in an update of the teacher after these iterations, counted from 0."""

    def read(built: Built) -> tuple[float, ...]:
        hook = built.hook("TeacherEMAHook")
        kept = []
        for iteration in iterations:
            update = (iteration + 1) // hook.interval - 1
            settings = {"length": hook.length, "start": hook.start, "gamma": hook.gamma}
            kept.append(momentum_at(update, hook.momentum, schedule=hook.schedule, **settings))
        return tuple(1 - share for share in kept)

    return read


def empty_images(built: Built) -> str:
    """What is learned from an image without a pseudo box."""
    return f"its background weighs {built.model.empty_weight:g}"


def flips(built: Built) -> tuple[float, float]:
    """How often the images of a mosaic and of a mixture are mirrored."""
    return built.hook("PseudoMosaicHook").flip, built.hook("PseudoMixupHook").flip


def model(*paths: str) -> Callable[[Built], Any]:
    """Attributes of the built model, such as `unsup_weight`: one value, or a tuple of several."""
    return lambda built: attrgetter(*paths)(built.model)


def hook(kind: str, *names: str) -> Callable[[Built], Any]:
    """Attributes of a built hook: one value, or a tuple of several."""
    return lambda built: attrgetter(*names)(built.hook(kind))


def hooks(built: Built) -> tuple[str, ...]:
    """The classes of the hooks of the method, in order."""
    kinds = [type(one).__name__ for one in built.hooks]
    return tuple(kind for kind in kinds if kind != "GalleryHook")


def setting(path: str) -> Callable[[Built], Any]:
    """A value of the loaded config, where nothing is built from it without data."""
    return lambda built: attrgetter(path)(built.config)


def view(branch: str) -> Callable[[Built], str]:
    """What is done to the images of a branch."""

    def read(built: Built) -> str:
        shared, own = built.views[branch]
        return describe([*shared, *own])

    return read


def colors(branch: str) -> Callable[[Built], str]:
    """The colors that one is drawn of, in a view."""
    return lambda built: operations(built.views[branch][1], movements=False)


def movements(branch: str) -> Callable[[Built], str]:
    """The movements that one is drawn of, in a view."""
    return lambda built: operations(built.views[branch][1], movements=True)


def drawn_once(branch: str) -> Callable[[Built], str]:
    """What all views of an image of the branch have in common."""
    return lambda built: describe(built.views[branch][0])


def test_view(built: Built) -> str:
    """What is done to an image of the validation."""
    return describe(built.test_view)


test_view.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it


def _most(built: Built, place: int) -> float:
    """The value that most numbers of the networks have: that of the weights."""
    sizes = {name: parameter.numel() for name, parameter in built.model.named_parameters()}
    votes: dict[float, int] = {}
    for name, group in built.groups.items():
        votes[group[place]] = votes.get(group[place], 0) + sizes[name]
    return max(votes, key=lambda value: votes[value])


def _schedules(built: Built, kind: str) -> list[Any]:
    return [one for one in built.config.param_scheduler if one.type == kind]
