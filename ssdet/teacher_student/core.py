"""The teacher-student core: one training step as a line of points at which hooks act."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from mmengine.config import ConfigDict
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from typing_extensions import Self

from ..ranks import any_rank
from ..registry import MODELS
from ..seeds import seed_ranks_apart
from ..validation import check_choice, check_range
from .checkpoints import drop_other_teachers, spread_to_both
from .compiled import compile_parts
from .foreign import ForeignTeacher
from .hook_points import log_order, needs_of, overrides, phase_of
from .passes import (
    STRONG,
    WEAK,
    extra_passes,
    joined,
    pad_views,
    student_pass,
    teacher_labels,
    weak_pass,
)
from .preprocessor import Branches
from .schedules import checked_ramp, ramp
from .step import Step, Views
from .teachers import TeacherPlan, check_teacher

Role = Literal["teacher", "student"]


class TeacherStudent(BaseModel):
    """A student that learns by gradient and a teacher that labels for it.

    Both are built from one config. The teacher is in eval mode by construction and never gets a
    gradient; what moves its weights (`TeacherEMAHook`), what filters its labels and what mixes
    views are hooks, attached with `attach`. Subclasses define how to label, how to transfer labels
    between views, and how the student learns from them.

    Args:
        model: Config of the detector or segmentor.
        sup_weight, unsup_weight: Factors on the two groups of losses.
        unsup_ramp: `dict(length=..., kind="linear" | "sigmoid" | "step")`: the factor rises over
            `length` iterations after the burn-in. With "step" it is 0 until then: the teacher
            labels, and hooks see its predictions, but the student does not learn from them.
        burn_in: Iterations on labeled images only, before the teacher labels anything.
        copy_after_burn_in: The teacher then starts as a copy of the student; else it keeps its
            weights (a running mean, or a loaded checkpoint).
        joint_pass: One pass of backbone and heads for labeled and unlabeled images together (they
            share batch statistics) instead of one pass each. RoI heads, and heads that match
            queries, still process each view separately.
        predict_with: The model for `predict` and `tensor` calls: "teacher" or "student".
        compile_student: Whether the student's backbone and neck are compiled; or the arguments of
            `torch.nn.Module.compile` for them.
        channels_last: Feature maps and weights in memory with their channels last: sooner for
            convolutions on a CPU; the same numbers but for rounding.
        auxiliary: Auxiliary networks to train, by name (polishers, heads, a second student); the
            hook that uses one looks it up by name.
        auxiliary_teachers: Names of auxiliary networks that get a teacher of their own.
        teacher: Another teacher than the student's twin; see `ssdet.teacher_student.teachers`.
        data_preprocessor: Taken from the model's config where it is not given.
    """

    scope = "mmengine"
    # Whether the teachers keep their weights in this step: no average moves them.
    teacher_rests = False

    def __init__(
        self,
        model: dict[str, Any],
        *,
        sup_weight: float = 1.0,
        unsup_weight: float = 1.0,
        unsup_ramp: dict[str, Any] | None = None,
        burn_in: int = 0,
        copy_after_burn_in: bool = True,
        joint_pass: bool = False,
        predict_with: Role = "teacher",
        compile_student: dict[str, Any] | bool = False,
        channels_last: bool = False,
        auxiliary: dict[str, dict[str, Any]] | None = None,
        auxiliary_teachers: Sequence[str] = (),
        teacher: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        model = ConfigDict(copy.deepcopy(model))
        preprocessor = Branches(data_preprocessor or model.get("data_preprocessor"), self._scoped)
        super().__init__(data_preprocessor=preprocessor, init_cfg=init_cfg)
        name = type(self).__name__
        check_choice(name, "predict_with", predict_with, Role)
        for key, weight in dict(sup_weight=sup_weight, unsup_weight=unsup_weight).items():
            check_range(name, key, weight, 0, float("inf"))
        check_range(name, "burn_in", burn_in, 0, float("inf"))
        self.unsup_ramp = checked_ramp(name, unsup_ramp)
        self.sup_weight, self.unsup_weight = sup_weight, unsup_weight
        self.burn_in, self.copy_after_burn_in = burn_in, copy_after_burn_in
        self.joint_pass = joint_pass
        # Under this name MMDetection's `TeacherStudentValLoop` selects the one and then the other.
        self.semi_test_cfg: dict[str, Role] = {"predict_on": predict_with}
        self.student: nn.Module = self._build(model)
        plan = TeacherPlan.of(teacher)
        if plan.twin:
            self.teacher: nn.Module = self._build(model).requires_grad_(False)
        auxiliary = auxiliary or {}
        self.auxiliary = nn.ModuleDict({k: self._build(v) for k, v in auxiliary.items()})
        for key in auxiliary_teachers:
            check_choice(name, "auxiliary_teachers", key, list(auxiliary))
        self.auxiliary_teachers = nn.ModuleDict(
            {k: self._build(auxiliary[k]).requires_grad_(False) for k in auxiliary_teachers}
        )
        # Which network the teacher is an average of: "student", an auxiliary one, or None (frozen).
        self.followed: str | None = plan.followed
        # Another model that is frozen: the teacher itself, or one beside it.
        self.frozen_teacher: ForeignTeacher | None = None
        if not plan.twin or plan.foreign:
            place = "frozen_teacher" if plan.twin else "teacher"
            setattr(self, place, plan.build(self, self._build))
        # The run's seed, which the random generators of hooks start from.
        self.seed = torch.initial_seed() & 0x7FFFFFFFFFFFFFFF
        # Networks ("student" or auxiliary) that a hook freezes in this step.
        self.frozen: set[str] = set()
        self.hooks: list[Any] = []
        self.needs: frozenset[str] = frozenset()  # what all hooks together need
        self._logged_order = False
        self.passing: Role = "student"  # whose pass it is, for errors
        # Takes the gradient of the losses so far and frees their graph (`OutOfMemoryHook`).
        self.release: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        self.iteration = 0
        # The running iteration travels with the checkpoint, whether or not a hook is listed.
        self.register_buffer("_iteration", torch.zeros((), dtype=torch.long))
        self.copy_student()
        if channels_last:  # feature maps follow the weights
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if compile_student is not False and compile_student is not None:
            compile_parts(self.student, compile_student)

    # ------------------------------------------------------------------ what a subclass defines

    @property
    @abstractmethod
    def num_classes(self) -> int:
        """Number of classes of the student (a segmentor's background is one of them)."""

    @abstractmethod
    def label(
        self,
        views: Views,
        network: nn.Module | None = None,
        needs: Collection[str] | None = None,
    ) -> Any:
        """Labels of the weak views in their frame, by the teacher or another network.

        `needs` names what to compute beyond the default; None: what the hooks need.
        """

    @abstractmethod
    def transfer(self, step: Step) -> dict[str, Any]:
        """`step.pseudo` as targets in the frame of each strong view."""

    @abstractmethod
    def targets_empty(self, targets: Any) -> bool:
        """Whether the targets of a strong view hold nothing to learn."""

    @abstractmethod
    def student_losses(
        self, views: Views, targets: Any, network: nn.Module | None = None
    ) -> dict[str, Any]:
        """Losses of the student, or of another network, on a strong view and its targets."""

    @abstractmethod
    def forward_outputs(self, views: Views, network: nn.Module | None = None) -> Any:
        """The head outputs of the student, or of another network, for a view."""

    @abstractmethod
    def recorded_outputs(self, network: nn.Module) -> AbstractContextManager[list[Any]]:
        """Within the context, the head outputs of a network are appended for each pass."""

    @abstractmethod
    def joint_heads(self) -> list[nn.Module]:
        """The heads of the student that a joint pass goes through."""

    def recorded_pixels(self, network: nn.Module) -> AbstractContextManager[list[Tensor]]:
        """Within the context, the input of a segmentor's last layer is appended for each pass."""
        raise TypeError(f"{type(self).__name__}: has no pixel_features; only segmentors have")

    # ------------------------------------------------------------------ the step

    def attach(self, hook: Any) -> None:
        """Run a hook in the steps of this model, in the order of the phases."""
        check_teacher(self, hook)
        hook.on_attach(self)
        name = type(hook).__name__
        if self.joint_pass and hook.changes_passes and overrides(hook, "student_pass"):
            raise ValueError(
                f"{name}: changes single passes of the student, but joint_pass=True makes one "
                "pass of all branches. Set joint_pass=False."
            )
        other = next((type(h).__name__ for h in self.hooks if h.replaces_loss), None)
        if hook.replaces_loss and other is not None:
            raise ValueError(
                f"{name}: replaces the student's unsupervised losses, and so does "
                f"{other}. Take one of the two out of custom_hooks."
            )
        if hook not in self.hooks:
            # The sort is stable: hooks of one phase keep the order of the list.
            self.hooks = sorted([*self.hooks, hook], key=phase_of)
            self.needs = needs_of(self.hooks)

    def loss(self, inputs: Any, data_samples: Any) -> dict[str, Any]:
        """One training step: losses of all branches, and scalars for the log beside them."""
        if not self._logged_order:
            self._logged_order = True
            log_order(self.hooks)
        step = self._step(inputs, data_samples)
        labeling = step.weak is not None and self.iteration >= self.burn_in
        if labeling and self.iteration == self.burn_in > 0 and self.copy_after_burn_in:
            self.copy_student()
        self._call("before_teacher", step)
        if labeling:
            self.passing = "teacher"
            self._label(step)
            step.targets = self.transfer(step)
            step.shares = dict.fromkeys(step.targets, 1 / len(step.targets))
            self._call("before_student", step)
        pad_views(self, step)
        if labeling:
            extra_passes(self, step)
        self.passing = "student"
        with joined(self, step):
            if step.sup is not None:
                with student_pass(self, step, "sup"):
                    losses = self.student(step.sup.inputs, step.sup.samples, mode="loss")
                step.losses.update(weighted(losses, "sup_", self.sup_weight))
                self._release(step)
            for name in step.targets:
                # unsup_student -> unsup_, unsup_student_2 -> unsup_2_
                self._learn(step, name, name.replace(STRONG, "unsup") + "_")
                self._release(step)
            if labeling and "weak_pass" in self.needs:
                weak_pass(self, step)
        if not step.losses:
            step.losses["sup_loss"] = self.zero_loss()
        self._call("after_loss", step)
        if self.release is not None:
            name = next(name for name in step.losses if "loss" in name)
            known = step.losses[name]  # something to call backward on, of the same value
            step.losses[name] = [*known, self.zero_loss()] if isinstance(known, list) else (
                known + self.zero_loss()
            )  # fmt: skip
        self._set_iteration(self.iteration + 1)
        device = next(self.student.parameters()).device
        scalars = {k: torch.as_tensor(v, device=device).float() for k, v in step.log.items()}
        return {**step.losses, **scalars}

    def _release(self, step: Step) -> None:
        """Between the passes of a step in parts: backward, so that the graph takes no memory."""
        if self.release is not None:
            step.losses = self.release(step.losses)

    def _step(self, inputs: Any, data_samples: Any) -> Step:
        if not isinstance(inputs, dict):
            inputs, data_samples = {"sup": inputs}, {"sup": data_samples}
        views = {k: Views(v, data_samples[k]) for k, v in inputs.items() if len(v)}
        strong = {k: v for k, v in sorted(views.items()) if k.startswith(STRONG)}
        if bool(strong) != (WEAK in views):
            raise ValueError(
                f"{type(self).__name__}: the batch has the branches {sorted(views)}; {WEAK!r} and "
                f"{STRONG!r} must both be there: the teacher labels what the student learns from. "
                "Check the branches of the views in the pipeline."
            )
        since = self.iteration - self.burn_in
        weight = self.unsup_weight * ramp(since, **self.unsup_ramp) if since >= 0 else 0.0
        return Step(
            self, self.iteration, views.get("sup"), views.get(WEAK), strong, unsup_weight=weight
        )

    def _label(self, step: Step) -> None:
        views = step.weak_views
        device = views.inputs.device.type
        # In bfloat16 the next number below 0.95 is 0.946: too coarse to compare with thresholds.
        coarse = torch.get_autocast_dtype(device) == torch.bfloat16
        precise = torch.autocast(device, enabled=False) if coarse else nullcontext()
        with torch.no_grad(), precise:
            with teacher_labels(self, step):
                step.pseudo = self.label(views)
            step.dropped = [{} for _ in range(len(step.pseudo))]
            self._call("after_teacher", step)

    def _learn(self, step: Step, name: str, prefix: str) -> None:
        """Losses of one strong view, with its share of the weight."""
        targets = step.targets[name]
        empty = self.targets_empty(targets)
        step.count("pseudo/empty_batch", float(empty))
        alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
        if empty and alone and not any(hook.learns_without_labels for hook in self.hooks):
            step.losses[prefix + "loss"] = self.zero_loss()
            return
        # With several processes the pass is taken all the same: another one may have labels, and
        # waits for this one in SyncBN and in the mean of the normalizers.
        own = next((hook for hook in self.hooks if hook.replaces_loss), None)
        with student_pass(self, step, name):
            if own is None:
                losses = self.student_losses(step.strong[name], targets)
            else:
                outputs = self.forward_outputs(step.strong[name])
                losses = own.student_loss(step, name, outputs)
        # An image without a label teaches the background as soon as another one has a label, in
        # whatever process: then two processes take the step of one.
        empty = not any_rank(not empty)
        weight = 0.0 if empty and own is None else step.unsup_weight * step.shares[name]
        step.losses.update(weighted(losses, prefix, weight))

    def _call(self, point: str, step: Step) -> None:
        for hook in self.hooks:
            getattr(hook, point)(step)

    def zero_loss(self, network: nn.Module | None = None) -> Tensor:
        """Zero, connected to every parameter of a network, so that no process waits for it."""
        learned = [p.sum() for p in (network or self.student).parameters() if p.requires_grad]
        return torch.stack(learned).sum() * 0.0

    # ------------------------------------------------------------------ the two models

    @property
    def pairs(self) -> dict[str, tuple[nn.Module, nn.Module]]:
        """Each student with its average: "student", and auxiliary networks that have one."""
        pairs = {k: (self.auxiliary[k], v) for k, v in self.auxiliary_teachers.items()}
        if self.followed is None:
            return pairs
        followed = self.student if self.followed == "student" else self.auxiliary[self.followed]
        return {self.followed: (followed, self.teacher), **pairs}

    @property
    def has_twin(self) -> bool:
        """Whether the teacher is a model of the student's config and follows it."""
        return self.followed == "student"

    def train(self, mode: bool = True) -> Self:
        """The training loop calls this in every iteration: teachers stay in eval mode."""
        super().train(mode)
        for teacher in (self.teacher, self.frozen_teacher, *self.auxiliary_teachers.values()):
            if teacher is not None:
                teacher.eval()
        return self

    @torch.no_grad()
    def copy_student(self) -> None:
        """Make each teacher an exact copy of its student: parameters and buffers, all of them."""
        for student, teacher in self.pairs.values():
            teacher.load_state_dict(student.state_dict())

    def init_weights(self) -> None:
        """Initialize the student (pretrained weights included); the teacher starts as its copy.

        A teacher of another kind reads its own weights.
        """
        foreign = [m for m in self.children() if isinstance(m, ForeignTeacher)]
        for module in (self.student, *self.auxiliary.values(), *foreign):
            initialize: Any = getattr(module, "init_weights", None)
            if initialize is not None:
                initialize()
        self.copy_student()
        # The runner trains from here on (or restores the random state of a checkpoint): dropout
        # and the draws of hooks must not be the same in all processes.
        seed_ranks_apart()

    @property
    def predict_with(self) -> Role:
        """The model for `predict` and `tensor` calls."""
        return self.semi_test_cfg["predict_on"]

    @predict_with.setter
    def predict_with(self, role: Role) -> None:
        self.semi_test_cfg["predict_on"] = role

    @property
    def role(self) -> nn.Module:
        """The model that `predict_with` selects: teacher or student."""
        return self.teacher if self.predict_with == "teacher" else self.student

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = "tensor") -> Any:
        """`loss` trains; `predict` and `tensor` call the model that `predict_with` selects."""
        if mode == "loss":
            return self.loss(inputs, data_samples)
        return self.role(inputs, data_samples, mode=mode)

    # ------------------------------------------------------------------ building and loading

    def _scoped(self, cfg: dict[str, Any]) -> Any:
        """Build in the scope of the task, unless a config or the runner sets another one."""
        current = DefaultScope.get_current_instance()
        if current is None or current.scope_name in ("mmengine", "mmdet", "mmseg"):
            cfg.setdefault("_scope_", self.scope)
        return MODELS.build(cfg)

    def _build(self, cfg: dict[str, Any]) -> nn.Module:
        # Several detectors take keys out of their config while they are built.
        return self._scoped(ConfigDict(copy.deepcopy(cfg)))

    def _set_iteration(self, iteration: int) -> None:
        self.iteration = iteration
        self._iteration.fill_(iteration)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        drop_other_teachers(self, state_dict, prefix)
        message = spread_to_both(state_dict, prefix, self.student.state_dict(), twin=self.has_twin)
        if message:
            print_log(f"{type(self).__name__}: {message}", logger="current", level=30)
        state_dict.setdefault(prefix + "_iteration", self._iteration.clone())
        self.iteration = int(state_dict[prefix + "_iteration"])
        super()._load_from_state_dict(state_dict, prefix, *args)


def weighted(losses: dict[str, Any], prefix: str, weight: float) -> dict[str, Any]:
    """Losses times a factor, with a prefix; what is not a loss (accuracies) keeps its value.

    The factor 0 removes a value that is not finite too: 0 * inf would be NaN.
    """

    def scale(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return [scale(v) for v in value]
        return torch.nan_to_num(value, 0.0, 0.0, 0.0) * 0.0 if weight == 0 else value * weight

    return {prefix + k: scale(v) if "loss" in k else v for k, v in losses.items()}
