"""Whether a run that is resumed is still the run that was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process

from ..exits import DataChangedError, RunError, UsageError
from .checkpoint_content import config_text
from .config_changes import config_changes, described, length_changed
from .data_files import DataFiles, files_of

SHOWN = 5
OPTION = "--resume-anyway"


def check_config(runner: Any, meta: dict[str, Any]) -> str | None:
    """What differs in the config, in words; None if nothing that a result depends on does."""
    before = meta.get("cfg")
    if not isinstance(before, str):
        return None
    now = config_text(runner)
    changes = config_changes(before, now)
    if changes is None:
        runner.logger.warning("The config in the checkpoint cannot be read: it is not compared")
        return None
    if length_changed(before, now):
        for hook in runner.hooks:
            if getattr(hook, "follows_length", False):
                changes[f"custom_hooks.{type(hook).__name__}"] = (
                    "follows the length of the run", "another length",
                )  # fmt: skip
    if not changes:
        return None
    return (
        f"the config is not the one of iteration {meta.get('iter')}:\n{described(changes)}\n"
        f"The result would be that of neither config. Restore these values, or start a new run in "
        f"another --work-dir"
    )


def check_data(runner: Any, meta: dict[str, Any], current: dict[str, str]) -> str | None:
    """What differs in lists, annotations and images, in words; None if nothing does."""
    before, iteration = meta.get("data") or {}, meta.get("iter")
    for name in before:
        if name in current and before[name] != current[name]:
            return (
                f"the {name} data changed since iteration {iteration}: checksum "
                f"{current[name][:12]} instead of {before[name][:12]}. Restore the data"
            )
    found: list[Any] = [None]
    if is_main_process():
        source = runner._load_from  # of another run's folder, perhaps
        folder = Path(source).resolve().parents[1] if source else Path(runner.work_dir)
        known = DataFiles.load(folder)
        changed = known.differences(data_paths(runner)) if known is not None else []
        if changed:
            lines = "\n".join(f"  {text}" for text in changed[:SHOWN])
            more = f"\n  and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
            count = f"{len(changed)} file{'s' if len(changed) > 1 else ''}"
            found = [f"{count} changed since the run was started:\n{lines}{more}\nRestore the data"]
    broadcast_object_list(found)
    return found[0]


def settle(runner: Any, problem: str | None, error: type[RunError], accepted: bool) -> None:
    """Raise a problem as an error, unless it is accepted: then it is a warning."""
    if problem is None:
        return
    if accepted or runner.cfg.get("resume_anyway", False):
        runner.logger.warning(f"Resumed anyway: {problem}")
        return
    raise error(f"cannot resume exactly: {problem}, or accept the change with {OPTION}")


def check_resume(
    runner: Any, meta: dict[str, Any], data: dict[str, str], accept_data: bool
) -> None:
    """Compare config and data with those of the checkpoint; every rank must call it."""
    settle(runner, check_config(runner, meta), UsageError, accepted=False)
    settle(runner, check_data(runner, meta, data), DataChangedError, accept_data)


def record_data(runner: Any) -> None:
    """Write down the data files of this run, as they are now."""
    folder = Path(runner.work_dir)
    files = DataFiles.load(folder) or DataFiles(folder)
    files.update(data_paths(runner))
    if files.records:
        files.save(folder)


def data_paths(runner: Any) -> list[str]:
    """The files of training and validation data, each once."""
    loaders = (runner.train_dataloader, getattr(runner.val_loop, "dataloader", None))
    datasets = (loader.dataset for loader in loaders if loader is not None)
    return list(dict.fromkeys(path for dataset in datasets for path in files_of(dataset)))
