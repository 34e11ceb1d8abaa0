"""The checkpoint hook: saves whole or not at all, keeps the best teacher, resumes exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop

from ..exits import CheckpointError, UsageError, WriteError
from ..registry import HOOKS
from . import rng
from .checkpoint_content import collect, data_checksums, plain, unpack_message_hub
from .checkpoint_file import write_checkpoint, write_text
from .checkpoint_index import FOLDER, CheckpointIndex, Entry, remove_leftovers
from .resume_check import check_resume

ROLES = ("teacher/", "student/")
# `save_best="auto"` takes the first of these that the teacher has, then that any model has.
HEADLINES = ("volume/mDice", "bbox_mAP", "segm_mAP", "mIoU", "mDice", "mAP")


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's checkpoint hook with these differences.

    Files go to `work_dir/checkpoints/` through a temporary name; an `index.json` there holds
    checksums and scores; an older file is removed only when the newer one is on the disk. The
    random state of every rank is saved and comes back at the first resumed iteration. A run whose
    config, lists, annotations or images differ from those it started with is not resumed. A
    validation that was due at the resumed iteration but not finished is done first. Validation
    does not touch the random state of the training.

    It works with MMEngine's plain `Runner`, too; `save_best="auto"` prefers the teacher.

    Args:
        on_error: `stop` ends the run when a checkpoint cannot be written, `continue` reports it
            and tries again at the next one.
        changed_data: `refuse` or `warn` when the data differ on resume. (`--resume-anyway` accepts
            a changed config, too.)
        **kwargs: as `mmengine.hooks.CheckpointHook`; `out_dir` and file clients are not supported,
            because a rename is whole-or-absent on a local disk only.
    """

    def __init__(
        self, *, on_error: str = "stop", changed_data: str = "refuse", **kwargs: Any
    ) -> None:
        for name, value, allowed in (
            ("on_error", on_error, ("stop", "continue")),
            ("changed_data", changed_data, ("refuse", "warn")),
        ):
            if value not in allowed:
                raise UsageError(f"AtomicCheckpointHook: {name}={value!r} is not in {allowed}")
        for name in ("out_dir", "file_client_args", "backend_args"):
            if kwargs.pop(name, None) is not None:
                raise UsageError(
                    f"AtomicCheckpointHook: {name} is not supported: checkpoints go to "
                    f"work_dir/{FOLDER}; set work_dir"
                )
        super().__init__(**kwargs)
        self.on_error = on_error
        self.changed_data = changed_data
        self.saved_iteration: int | None = None
        self._before_validation: dict[str, Any] | None = None
        self._resumed: dict[str, Any] | None = None

    # -- saving ---------------------------------------------------------------------------------

    def before_train(self, runner: Any) -> None:
        """Clean up, take over the random state of a resumed run, catch up on its validation."""
        self.folder = Path(runner.work_dir) / FOLDER
        self.out_dir = str(self.folder)
        if is_main_process():
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in remove_leftovers(self.folder):
                runner.logger.info(f"Removed {name}, left over from an interrupted save")
        self.index = CheckpointIndex.load(self.folder)
        if is_main_process():
            self._tidy(runner)
        self.data = data_checksums(runner)
        for loader in (runner.train_dataloader, getattr(runner.val_loop, "dataloader", None)):
            _draw_from_own_generator(loader, runner.seed)
        if self._resumed is not None and 0 < runner.iter == self._resumed["iteration"]:
            self._continue(runner, **self._resumed)

    def _tidy(self, runner: Any) -> None:
        if self.index.ignored:
            runner.logger.warning(
                f"{self.folder / 'index.json'} names what is no checkpoint of this folder, which "
                f"is left alone: {', '.join(map(repr, self.index.ignored[:5]))}"
            )
        for name in self.index.adopt_orphans():
            runner.logger.info(f"Listed {name}, whose save was cut short before its last step")

    def save_now(self, runner: Any, iteration: int, epoch: int, name: str | None = None) -> None:
        """Save the training state after `iteration` iterations; every rank must call this."""
        name = name or f"iter_{iteration}.pth"
        states = rng.gather(self._before_validation or rng.capture())
        if not is_main_process():
            self.saved_iteration = iteration
            return
        meta = {"epoch": epoch, "iter": iteration, "data": self.data}
        checkpoint = collect(runner, meta, training=self.save_optimizer)
        checkpoint["rng"] = states
        if self._write(runner, name, checkpoint, Entry(iteration, "", 0)):
            if self.max_keep_ckpts > 0:
                self._remove(self.index.resumable()[: -self.max_keep_ckpts])
            self.last_ckpt = str(self.folder / name)
            with self._reported(runner):
                write_text(self.last_ckpt, Path(runner.work_dir) / "last_checkpoint")
        self.saved_iteration = iteration

    def _save_checkpoint(self, runner: Any) -> None:
        """Called by the parent when a checkpoint is due; `runner.iter` is not yet counted up."""
        if self.by_epoch:
            name = self.filename_tmpl.format(runner.epoch + 1)
            self.save_now(runner, runner.iter, runner.epoch + 1, name)
        else:
            name = self.filename_tmpl.format(runner.iter + 1)
            self.save_now(runner, runner.iter + 1, runner.epoch, name)

    def _save_best_checkpoint(self, runner: Any, metrics: dict[str, Any]) -> None:
        """Called by the parent after each validation; keeps the best, then marks it as done."""
        if not is_main_process() or not hasattr(self, "index"):
            return
        watched = self._metrics_to_watch(metrics)
        if self.save_best and not watched:
            runner.logger.warning(
                f"No {', '.join(self.key_indicators)} in this validation (a detector that finds "
                "nothing has none): the best checkpoint stays as it was"
            )
        for metric in watched:
            best = self.index.best(metric)
            score = float(metrics[metric])
            known = best[1].score if best and best[1].score is not None else None
            if score != score or (
                known is not None and not self.is_better_than[metric](score, known)
            ):
                continue
            name = f"best_{re.sub('[^A-Za-z0-9_.-]', '_', metric)}_iter_{runner.iter}.pth"
            meta = {"epoch": runner.epoch, "iter": runner.iter, "metric": metric, "score": score}
            checkpoint = collect(runner, meta, training=False)
            entry = Entry(runner.iter, "", 0, metric=metric, score=score)
            if self._write(runner, name, checkpoint, entry):
                runner.logger.info(f"Best {metric} so far: {score:.4f}, saved as {name}")
                self._remove([best[0]] if best and best[0] != name else [])
        for entry in self.index.entries.values():
            if entry.metric is None and entry.iteration == runner.iter:
                entry.validated = True
        with self._reported(runner):
            self.index.save()

    def _write(self, runner: Any, name: str, checkpoint: dict[str, Any], entry: Entry) -> bool:
        with self._reported(runner):
            if self.index.entries.pop(name, None):
                self.index.save()  # a crash between rename and index: no wrong checksum is left
            entry.sha256, entry.bytes = write_checkpoint(checkpoint, self.folder / name)
            self.index.entries[name] = entry
            self.index.save()
            return True
        return False

    @contextmanager
    def _reported(self, runner: Any) -> Iterator[None]:
        try:
            yield
        except (CheckpointError, WriteError) as error:
            if self.on_error == "stop":
                raise
            runner.logger.error(f"{error} (on_error='continue': training continues)")

    def _remove(self, names: list[str]) -> None:
        for name in names:
            self.index.entries.pop(name)
            (self.folder / name).unlink(missing_ok=True)
        if names:
            self.index.save()

    def _metrics_to_watch(self, metrics: dict[str, Any]) -> list[str]:
        if not self.save_best or not metrics:
            return []
        if self.save_best == ["auto"]:
            name = headline(list(metrics))
            if self.key_indicators == ["auto"] or name.startswith(ROLES[0]):
                self._init_rule(self.rules, [name])
        found = [name for name in self.key_indicators if name in metrics]
        missing = [name for name in self.key_indicators if not _known(name, metrics)]
        if missing:
            raise UsageError(
                f"save_best={missing[0]!r} is not among the metrics of the validation: "
                f"{', '.join(metrics)}"
            )
        return found

    # -- resuming -------------------------------------------------------------------------------

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Make what was loaded safe and whole for MMEngine's `resume`."""
        if "meta" not in checkpoint:
            return
        meta = checkpoint["meta"]
        # MMEngine executes this text as a config file.
        meta.pop("config", None)
        checkpoint["message_hub"] = unpack_message_hub(checkpoint.get("message_hub", {}))
        if runner._train_dataloader is not None and runner._resume:
            # MMEngine compares pickles; what is equal as data must be equal for it.
            current = getattr(runner.train_dataloader.dataset, "metainfo", None)
            if plain(current, "metainfo") == meta.get("dataset_meta"):
                meta["dataset_meta"] = current
            accepted = self.changed_data == "warn"
            check_resume(runner, meta, data_checksums(runner), accepted)
        self._resumed = {
            "iteration": meta.get("iter", 0),
            "states": checkpoint.pop("rng", None),
        }

    def _continue(self, runner: Any, iteration: int, states: list[dict[str, Any]] | None) -> None:
        if states is not None and len(states) != runner.world_size:
            runner.logger.warning(
                f"Resumed with {runner.world_size} processes instead of {len(states)}: "
                f"the random numbers are not those of an uninterrupted run"
            )
        if states is not None and runner.rank < len(states):
            rng.restore(states[runner.rank])
        self.saved_iteration = iteration
        entries = self.index.entries.values()
        validated = [any(e.validated for e in entries if e.iteration == iteration)]
        broadcast_object_list(validated)
        if _validation_is_due(runner) and not validated[0]:
            runner.logger.info(
                f"The validation of iteration {iteration} was cut short: repeating it"
            )
            runner.val_loop.run()

    def before_val(self, runner: Any) -> None:
        """Remember the random state of the training."""
        self._before_validation = rng.capture()

    def after_val(self, runner: Any) -> None:
        """Put back the random state of the training."""
        if self._before_validation is not None:
            rng.restore(self._before_validation)
        self._before_validation = None


def headline(metrics: list[str]) -> str:
    """Return the main metric of the run: the teacher's mAP or mIoU where there is one."""
    for prefix in ("teacher/", ""):
        for ending in HEADLINES:
            for name in metrics:
                if name.startswith(prefix) and name.endswith(ending):
                    return name
    return metrics[0]


def _known(name: str, metrics: dict[str, Any]) -> bool:
    """Whether a metric is there, or missing only since its model found nothing this time."""
    role = next((role for role in ROLES if name.startswith(role)), None)
    if name in metrics or role is None:
        return name in metrics
    roles = {each for each in ROLES for key in metrics if key.startswith(each)}
    return bool(roles) and role not in roles


def checkpoint_hook(runner: Any) -> AtomicCheckpointHook | None:
    """Return the atomic checkpoint hook of a runner, if it has one."""
    return next((hook for hook in runner.hooks if isinstance(hook, AtomicCheckpointHook)), None)


def _validation_is_due(runner: Any) -> bool:
    loop = runner.train_loop
    if runner.val_loop is None:
        return False
    done, end = loop.iter, loop.max_iters
    if isinstance(loop, EpochBasedTrainLoop):
        done, end = loop.epoch, loop.max_epochs
    return done >= loop.val_begin and (done % loop.val_interval == 0 or done == end)


def _draw_from_own_generator(loader: Any, seed: int | None) -> None:
    """Give a loader its own generator: creating its iterator must not move the global state."""

    if loader is not None and loader.generator is None:
        loader.generator = torch.Generator()
        loader.generator.manual_seed(seed or 0)
