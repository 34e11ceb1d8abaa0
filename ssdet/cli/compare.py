"""One training beside those it is compared with, in one process: `ssdet train --baseline`."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exits import UsageError

if TYPE_CHECKING:
    from ..report.run_folder import Role

TOLD = {
    "baseline": "the labeled images alone",
    "control": "the whole method, with labeled images in the place of the unlabeled ones",
    "semi": "labeled and unlabeled images",
}
SEED = 0  # of all runs, where neither the config nor the command gives one


@dataclass
class Part:
    """One of the trainings: its place in the comparison, and its config."""

    role: Role
    config: Any

    @property
    def folder(self) -> Path:
        """Its run folder."""
        return Path(self.config.work_dir)


def parts_of(config: Any, *, baseline: bool, control: bool) -> list[Part]:
    """The trainings in their order, the one of the config last.

    Each has a run folder of its own, WORK_DIR-baseline and WORK_DIR-control beside WORK_DIR, and
    all have one seed.
    """
    from ..recipes.comparison import baseline_config, control_config

    given = config.get("randomness") or {}
    if given.get("seed") is None:
        config.randomness = {**given, "seed": SEED}
    parts = []
    if baseline:
        parts.append(Part("baseline", baseline_config(config)))
    if control:
        parts.append(Part("control", control_config(config)))
    for part in parts:
        part.config.work_dir = f"{config.work_dir.rstrip('/')}-{part.role}"
    _show_together(config, [part.folder for part in parts])
    return [*parts, Part("semi", config)]


def train_all(parts: Sequence[Part], name: str, check: Callable[[], None]) -> None:
    """Train one after the other; a finished run that is resumed is left as it is."""
    from .launch import build_runner

    for number, part in enumerate(parts, start=1):
        what = f"{number} of {len(parts)}: {part.role}, {TOLD[part.role]}, in {part.folder}"
        if part.config.get("resume") and _agreed(part):
            _say(f"{what}: finished earlier")
            continue
        _say(what)
        runner = build_runner(part.config, name, ("train_loop", "val_loop"), check)
        runner.train()
        del runner
        _free_memory()


def report(parts: Sequence[Part], command: str) -> None:
    """Write one page about all of them, and answer in a sentence what it was worth."""
    from mmengine.dist import is_main_process

    from ..report import read_run, write_report
    from ..report.summary import tasks_of
    from ..report.words import answer

    if not is_main_process():
        return
    runs = [read_run(part.folder, role=part.role) for part in parts]
    page = write_report(runs, parts[-1].folder / "report.html", commands=[command]).resolve()
    for task in tasks_of(runs):
        print(f"\nDid the unlabeled images help? {answer(task)}")
    print(f"The report of all {len(runs)} runs, to open in a browser:\n  {page}", flush=True)


def _show_together(config: Any, folders: Sequence[Path]) -> None:
    """The page that is written during the run shows the others, too."""
    hooks = dict(config.get("default_hooks") or {})
    if "report" in hooks and hooks["report"] is None:
        return
    own = {"type": "ReportHook", **hooks.get("report", {})}
    config.default_hooks = {**hooks, "report": {**own, "beside": [str(one) for one in folders]}}


def _agreed(part: Part) -> bool:
    """Whether a run is finished, as the first process sees it, so that all do the same.

    Another one may look later, or a shared disk may show it an older file.
    """
    from mmengine.dist import broadcast_object_list, is_distributed, is_main_process

    from ..engine.distributed import start_process_group

    launcher = part.config.get("launcher") or "none"
    if launcher != "none" and not is_distributed():
        env = part.config.get("env_cfg") or {}
        start_process_group(launcher, **(env.get("dist_cfg") or {}))
    found: list[Any] = [None, None]
    if is_main_process():
        try:
            found = [_finished(part), None]
        except UsageError as error:
            found = [None, str(error)]
    broadcast_object_list(found)
    if found[1] is not None:
        raise UsageError(found[1])
    return bool(found[0])


def _finished(part: Part) -> bool:
    """Whether the folder holds this run at its end; one of another config is refused."""
    from ..engine.config_changes import config_changes, described

    try:
        info = json.loads((part.folder / "run.json").read_text(encoding="utf-8"))
        before = (part.folder / "config.py").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    planned = part.config.train_cfg.get("max_iters")
    if info.get("state") != "finished" or planned not in (None, info.get("max_iterations")):
        return False
    changes = config_changes(before, part.config.pretty_text)
    if changes and not part.config.get("resume_anyway"):
        raise UsageError(
            f"--resume: the finished {part.role} in {part.folder} has another config:\n"
            f"{described(changes)}\nThe runs would not be comparable. Restore these values, or "
            f"start all of them in another --work-dir"
        )
    return True


def _free_memory() -> None:
    """The model, its gradients and the loaders of a run that is over."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _say(text: str) -> None:
    from mmengine.dist import is_main_process

    if is_main_process():
        print(f"\n{text}", flush=True)
