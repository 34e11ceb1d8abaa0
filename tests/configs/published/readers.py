"""What a row of a recipe reads: one function for each setting that several recipes have."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from .built import Built
from .views import describe


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


def rates(*names: str) -> Callable[[Built], tuple[tuple[float, float], ...]]:
    """(rate, weight decay) of single parameters, by their names."""
    return lambda built: tuple(built.groups[name] for name in names)


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


def model(path: str) -> Callable[[Built], Any]:
    """An attribute of the built model, such as `unsup_weight` or `student.rpn_head.loss_cls`."""
    return lambda built: attrgetter(path)(built.model)


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
    return lambda built: describe(built.views[branch])


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
