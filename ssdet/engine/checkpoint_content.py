"""What goes into a checkpoint and how it comes back: everything as tensors, numbers and text."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.model import is_model_wrapper
from mmengine.runner.checkpoint import weights_to_cpu

from ..exits import NumericError
from ..version import __version__

# Of each logged scalar the newest values are kept, so that smoothed logs continue as if never
# interrupted while checkpoints do not grow with the length of the run.
HISTORY = 1000
WALL_CLOCK = ("time", "data_time", "eta", "memory")


def collect(runner: Any, meta: dict[str, Any], *, training: bool) -> dict[str, Any]:
    """Return the checkpoint of `runner`; without `training`, the weights and `meta` only.

    Hooks add their part through MMEngine's `before_save_checkpoint`.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    meta = dict(
        meta,
        ssdet_version=__version__,
        mmengine_version=mmengine.__version__,
        cfg=config_text(runner),
        seed=runner.seed,
        experiment_name=runner.experiment_name,
        time=time.strftime("%Y%m%d_%H%M%S"),
        dataset_meta=getattr(runner.train_dataloader.dataset, "metainfo", None),
    )
    checkpoint: dict[str, Any] = {
        "meta": meta,
        "state_dict": weights_to_cpu(model.state_dict()),
        "message_hub": pack_message_hub(runner.message_hub),
    }
    if training:
        checkpoint["optimizer"] = runner.optim_wrapper.state_dict()
        checkpoint["param_schedulers"] = _scheduler_states(runner.param_schedulers)
    runner.call_hook("before_save_checkpoint", checkpoint=checkpoint)
    weights = checkpoint.pop("state_dict")
    content = {**plain(checkpoint, "checkpoint"), "state_dict": weights}
    _refuse_nan(content)
    return content


def _refuse_nan(content: dict[str, Any]) -> None:
    """A checkpoint with a NaN in weights, optimizer or hooks would ruin whatever starts from it."""
    parts = {name: content.get(name) for name in ("state_dict", "optimizer", "step_hooks")}
    bad = [name for name, value in _tensors(parts, "") if bool(torch.isnan(value).any())]
    if bad:
        raise NumericError(
            f"no checkpoint is written, since {len(bad)} tensors in it are NaN, first {bad[0]}. "
            f"Continue from the last checkpoint with --resume and a lower learning rate"
        )


def _tensors(value: Any, where: str) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        if value.is_floating_point():
            yield where, value
    elif isinstance(value, (dict, list, tuple)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _tensors(item, f"{where}.{key}" if where else str(key))


def config_text(runner: Any) -> str:
    """Return the whole config as text; it is formatted once for a run, which takes seconds."""
    known: dict[str, Any] = vars(runner)
    if "_config_text" not in known:
        known["_config_text"] = runner.cfg.pretty_text
    return known["_config_text"]


def plain(value: Any, where: str) -> Any:
    """Return `value` made of dicts, lists, tuples, CPU tensors, numbers and text only."""
    if value is None or isinstance(value, (bool, int, float, str, bytes, torch.Size, torch.dtype)):
        return value
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {plain(key, where): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item, where) for item in value)
    raise TypeError(
        f"{where} is a {type(value).__module__}.{type(value).__name__}; a checkpoint holds "
        f"tensors, numbers, text, lists and dicts only. Return such values from state_dict()"
    )


def data_checksums(runner: Any) -> dict[str, str]:
    """Return the checksum of the training data, where the dataset offers one."""
    dataset = runner.train_dataloader.dataset
    while not hasattr(dataset, "checksum") and hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    return {"train": str(dataset.checksum())} if hasattr(dataset, "checksum") else {}


def pack_message_hub(hub: MessageHub) -> dict[str, Any]:
    """Return what the hub would resume, in its own layout, as plain data.

    Wall-clock values are left out (they belong to one process), and so is runtime information
    that is not plain: other code puts whole objects there.
    """
    state = hub.state_dict()
    scalars = {
        name: {"values": _tail(buffer.data[0]), "counts": _tail(buffer.data[1])}
        for name, buffer in state["log_scalars"].items()
        if name.rsplit("/", 1)[-1] not in WALL_CLOCK
    }
    info = {}
    for name, value in state["runtime_info"].items():
        try:
            if name not in WALL_CLOCK and name not in ("cfg", "loop_stage"):
                info[name] = plain(value, name)
        except TypeError:
            continue
    kept = {name: True for name in (*scalars, *info)}
    return {"log_scalars": scalars, "runtime_info": info, "resumed_keys": kept}


def unpack_message_hub(state: dict[str, Any]) -> dict[str, Any]:
    """Rebuild the history buffers of `pack_message_hub`, as `MessageHub.load_state_dict` wants."""
    scalars = {}
    for name, item in state.get("log_scalars", {}).items():
        if isinstance(item, dict):
            item = HistoryBuffer(item["values"].tolist(), item["counts"].tolist())
        scalars[name] = item
    return {
        "log_scalars": scalars,
        "runtime_info": state.get("runtime_info", {}),
        "resumed_keys": state.get("resumed_keys", {}),
    }


def _tail(history: np.ndarray) -> torch.Tensor:
    return torch.tensor(np.asarray(history[-HISTORY:], dtype=np.float64))


def _scheduler_states(schedulers: Any) -> Any:
    if isinstance(schedulers, dict):
        return {name: _scheduler_states(members) for name, members in schedulers.items()}
    return [scheduler.state_dict() for scheduler in schedulers or []]
