"""Patch shuffle: the backbone sees quadrants in another order, and nothing else does."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...mixing import sample_permutations, shuffle_patches, unshuffle_patches
from ...registry import HOOKS
from ...teacher_student.compiled import is_compiled
from ...teacher_student.core import STRONG, TeacherStudent
from ...teacher_student.phase import Phase
from ...teacher_student.step import Step
from ...validation import check_range
from .._parts.cached_images import comes_with_batch
from ..step_hook import StepHook

_PROBE = 64  # pixels of a cell of the image with which a backbone is tried out


@HOOKS.register_module()
class PatchShuffleHook(StepHook):
    """Shuffle the cells of a grid before the student's backbone, and its features back after it.

    HSSDA (Liu et al., CVPR 2023) in two dimensions. Each strong view gets a permutation of its own,
    drawn from PyTorch's generator in the main process; convolutions see false neighbors,
    while neck, heads, boxes and label maps stay where they are. The image is padded to a multiple
    of the grid times the largest stride first, so that the grid divides every level, and the
    features are cropped to their usual size.

    Backbones with an embedding of absolute positions are refused (the position would move, too),
    and those whose levels are no whole fraction of the image.

    Args:
        grid: Rows and columns of the cells.
        prob: Probability, for each image, that its cells are shuffled.
        views: The strong views, such as `["unsup_student_2"]`; all of them if None.

    Examples:
        >>> from ssdet.testing import detector, take_step
        >>> step = take_step(detector(), PatchShuffleHook(grid=(2, 2)))
        >>> step.log["patch_shuffle/share"]  # all images
        tensor(1.)
        >>> PatchShuffleHook(grid=(1, 1))
        Traceback (most recent call last):
        ValueError: PatchShuffleHook: grid=(1, 1) is not (rows, columns), each in [1, 8] ...
    """

    phase = Phase.MIX

    def __init__(
        self,
        grid: Sequence[int] = (2, 2),
        *,
        prob: float = 1.0,
        views: Sequence[str] | None = None,
    ) -> None:
        name = type(self).__name__
        if len(grid) != 2 or min(grid) < 1 or max(grid) > 8 or grid[0] * grid[1] < 2:
            raise ValueError(
                f"{name}: grid={grid!r} is not (rows, columns), each in [1, 8] and at least two "
                "cells together; (2, 2) are quadrants"
            )
        check_range(name, "prob", prob)
        for view in views or ():
            if not view.startswith(STRONG):
                raise ValueError(
                    f"{name}: views={list(views or ())!r}: {view!r} is no strong view; their names "
                    f"begin with {STRONG!r}"
                )
        self.grid, self.prob, self.views = (grid[0], grid[1]), prob, views
        self._stride = 0

    def on_attach(self, model: TeacherStudent) -> None:
        """Find the strides of the backbone; refuse one that cannot be shuffled."""
        super().on_attach(model)
        name = type(self).__name__
        network: Any = getattr(model.student, "backbone", None)
        if not isinstance(network, nn.Module):
            raise TypeError(
                f"{name}: {type(model.student).__name__} has no backbone whose features could be "
                "put back in order. Take the hook out of custom_hooks."
            )
        if is_compiled(network):
            raise ValueError(
                f"{name}: replaces the input of the backbone, which is not possible in a compiled "
                "student. Leave out compile_student."
            )
        # Tried in eval mode and without a trace in the student: by its twin, or by a copy.
        backbone: Any = model.teacher.backbone if model.has_twin else None
        if backbone is None:
            backbone = copy.deepcopy(network).eval()
        inner = getattr(model.data_preprocessor, "inner", None)
        mean = getattr(inner, "mean", None)
        # A backbone sees the images of a pair one by one.
        channels = 3 if mean is None else len(mean) // getattr(inner, "images", 1)
        self._stride = _largest_stride(name, backbone, channels, self.grid)

    def before_teacher(self, step: Step) -> None:
        """Refuse a batch without one of the views to shuffle; hooks may still add other ones."""
        missing = [v for v in self.views or () if v not in step.strong and comes_with_batch(v)]
        if step.strong and missing:
            raise ValueError(
                f"{type(self).__name__}: views={list(self.views or ())} names {missing[0]!r}, but "
                f"the batch has the strong views {sorted(step.strong)}. Name one of these, or add "
                "the view to the pipeline of the unlabeled images."
            )

    @contextmanager
    def student_pass(self, step: Step, branch: str) -> Iterator[None]:
        """Within this pass, shuffle the backbone's input, and its output back."""
        chosen = branch.startswith(STRONG) if self.views is None else branch in self.views
        if not chosen:
            yield
            return
        backbone: Any = step.model.student.backbone
        calls: list[tuple[Tensor, Any]] = []

        def before(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            images, rest = args[0], args[1:]
            orders = sample_permutations(len(images), self.grid, self.prob)
            calls.append((orders, images.shape[-2:]))
            moved = (orders != torch.arange(orders.shape[1])).any(1).float().mean()
            step.count("patch_shuffle/share", moved)
            return (shuffle_patches(self._padded(images), orders, self.grid), *rest)

        def after(module: nn.Module, args: tuple[Any, ...], features: Any) -> Any:
            orders, size = calls.pop()
            return self._restored_features(features, args[0].shape[-2:], size, orders)

        handles = [backbone.register_forward_pre_hook(before)]
        handles.append(backbone.register_forward_hook(after))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _padded(self, images: Tensor) -> Tensor:
        """Padded at the bottom and the right until the grid divides every level."""
        height, width = images.shape[-2:]
        rows, columns = (cells * self._stride for cells in self.grid)
        missing = (0, -width % columns, 0, -height % rows)
        return F.pad(images, missing) if any(missing) else images

    def _restored_features(self, features: Any, padded: Any, size: Any, orders: Tensor) -> Any:
        """Each level in order again, and without what the padding added."""
        if not isinstance(features, Tensor):
            parts = [self._restored_features(f, padded, size, orders) for f in features]
            return type(features)(parts)
        ordered = unshuffle_patches(features, orders, self.grid)
        height, width = (
            -(-own * level // whole)
            for own, level, whole in zip(size, features.shape[-2:], padded, strict=True)
        )
        return ordered[..., :height, :width]


def _largest_stride(name: str, backbone: nn.Module, channels: int, grid: tuple[int, int]) -> int:
    """The largest stride of a backbone's levels; a TypeError if it cannot be shuffled."""
    kind = type(backbone).__name__
    positions = [key for key, _ in backbone.named_parameters() if _absolute_position(key)]
    if positions:
        raise TypeError(
            f"{name}: {kind} adds an embedding of absolute positions ({positions[0]!r}), which "
            "would be shuffled along. Take the hook out of custom_hooks, or another backbone."
        )
    size = (grid[0] * _PROBE, grid[1] * _PROBE)
    features = _tried(name, backbone, (1, channels, *size))
    shapes = [tuple(f.shape[-2:]) for f in features]
    for shape in shapes:
        steps = [own // max(level, 1) for own, level in zip(size, shape, strict=True)]
        exact = all(s * level == own for s, level, own in zip(steps, shape, size, strict=True))
        if not exact or steps[0] != steps[1] or any(_PROBE % s for s in steps):
            raise TypeError(
                f"{name}: {kind} makes a level of {shape[0]}x{shape[1]} out of {size[0]}x{size[1]} "
                "pixels, which cannot be put back in order cell by cell. Take the hook out of "
                "custom_hooks, or another backbone."
            )
    return max(size[0] // shape[0] for shape in shapes)


@torch.no_grad()
def _tried(name: str, backbone: nn.Module, shape: tuple[int, ...]) -> list[Tensor]:
    """The outputs of the backbone for an empty image; its state does not change."""
    like = next(backbone.parameters())
    training = backbone.training
    backbone.eval()
    try:
        found: Any = backbone(like.new_zeros(shape))
    finally:
        backbone.train(training)
    levels = [found] if isinstance(found, Tensor) else found
    if not (
        isinstance(levels, (list, tuple))
        and all(isinstance(f, Tensor) and f.ndim == 4 for f in levels)
    ):
        raise TypeError(
            f"{name}: {type(backbone).__name__} gives {type(found).__name__}, not maps of features "
            "(B, C, H, W). Take the hook out of custom_hooks, or another backbone."
        )
    return list(levels)


def _absolute_position(parameter: str) -> bool:
    return "relative" not in parameter and any(
        word in parameter for word in ("pos_embed", "position_embed", "positional_embed")
    )
