"""A checkpoint as a network that is ready to label: weights, classes, pipeline, thresholds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DATASETS, DefaultScope
from torch import nn

from ..engine.checkpoint_file import read_checkpoint, sha256
from ..engine.checkpoint_place import checkpoint_of, config_of
from ..engine.configs import load_config
from ..engine.export import LABELS, NETWORKS, plain_checkpoint, plain_config
from ..exits import CheckpointError, UsageError
from ..extras import load
from ..messages import warn
from ..openmmlab import register
from ..registry import MODELS

Weights = dict[str, Any]


@dataclass
class Network:
    """What labels.

    Attributes:
        path: Of the checkpoint.
        config: Of the plain model.
        weights: Of that model.
        classes: Names in the order of the labels.
        role: "teacher" or "student"; "" for a plain model.
        run_config: Of the training.
        hook_states: What its hooks have learned.
        checksum: Of the checkpoint.
    """

    path: Path
    config: Config
    weights: Weights
    classes: tuple[str, ...]
    role: str
    run_config: Config
    hook_states: Mapping[str, Any]
    checksum: str

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.role} of {self.path}" if self.role else str(self.path)

    def pipeline(self) -> list[dict[str, Any]]:
        """The transforms of the test pipeline that need no labels."""
        steps = self.config.get("test_pipeline")
        if steps is None:
            dataset = self.config.test_dataloader.dataset
            while "pipeline" not in dataset:  # of a wrapper around a data set
                dataset = dataset.dataset
            steps = dataset.pipeline
        return [dict(step) for step in steps if step["type"].rpartition(".")[2] not in LABELS]

    def build(self, device: str, lowest: float = 0.0) -> nn.Module:
        """The model in eval mode.

        Args:
            device: Where it runs.
            lowest: Boxes of a lower score are not wanted; they are left out before suppression.
        """
        cfg = self.config.model.copy()
        _leave_out_below(cfg.get("test_cfg"), lowest)
        with DefaultScope.overwrite_default_scope(self.config.get("default_scope", "mmdet")):
            model: Any = revert_sync_batchnorm(MODELS.build(cfg))
        missing, other = model.load_state_dict(self.weights, strict=False)
        if missing:
            raise CheckpointError(
                f"checkpoint {self.path}: it lacks {len(missing)} tensors of the model of the "
                f"config, such as {missing[0]}; give the config that it was trained with"
            )
        if other:
            warn(f"{self.path}: {len(other)} tensors are not used, such as {other[0]}")
        return model.to(device).eval()


def load_network(
    checkpoint: str | Path, config: str | None = None, role: str = "teacher"
) -> Network:
    """Read a checkpoint of ours, an exported one, or a plain one with its config.

    Args:
        checkpoint: A file, a run folder (its best checkpoint), or a folder of `ssdet export`.
        config: Path or name of the config. None: `config.py` of the run folder.
        role: "teacher" or "student", where there are both.
    """
    register()
    path = checkpoint_of(checkpoint, role)
    whole = load_config(str(config or config_of(path)))
    saved = _read(path)
    pair = any(kind in whole.get("model", {}) for kind in NETWORKS)
    if pair:
        plain = plain_config(whole, role)
        # A teacher of another kind has classes of its own.
        saved |= plain_checkpoint(saved, plain, role, whole.model.get("teacher"))
        weights = saved["state_dict"]
    else:
        plain = whole
        weights = saved.get("state_dict", saved)
    return Network(
        path=path,
        config=plain,
        weights=weights,
        classes=_classes(saved, whole, path),
        role=role if pair else "",
        run_config=whole,
        hook_states=saved.get("step_hooks") or {},
        checksum=sha256(path),
    )


def _read(path: Path) -> dict[str, Any]:
    if path.suffix != ".safetensors":
        return read_checkpoint(path)
    with load("safetensors", extra="hf").safe_open(str(path), "pt") as file:
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        meta = {key: json.loads(text) for key, text in (file.metadata() or {}).items()}
    return {"state_dict": weights, "meta": meta}


def _classes(saved: Weights, config: Config, path: Path) -> tuple[str, ...]:
    """The names: from the checkpoint, or else from the data set of the config."""
    meta = saved.get("meta") or {}
    known = {k.lower(): v for k, v in (meta.get("dataset_meta") or {}).items()}
    names = known.get("classes") or meta.get("CLASSES")
    dataset = (config.get("test_dataloader") or {}).get("dataset") or {}
    while "dataset" in dataset:
        dataset = dataset["dataset"]
    if not names:
        names = (dataset.get("metainfo") or {}).get("classes")
    if not names and dataset.get("type"):
        with DefaultScope.overwrite_default_scope(config.get("default_scope", "mmdet")):
            names = getattr(DATASETS.get(dataset["type"]), "METAINFO", {}).get("classes")
    if not names:
        raise UsageError(
            f"checkpoint {path}: neither it nor its config names the classes; set "
            "test_dataloader.dataset.metainfo=dict(classes=(...)) in the config"
        )
    return (names,) if isinstance(names, str) else tuple(names)


def _leave_out_below(part: Any, lowest: float) -> None:
    """Raise `score_thr` wherever a detector has it: what is below is never looked at."""
    if isinstance(part, (list, tuple)):
        for one in part:
            _leave_out_below(one, lowest)
    elif isinstance(part, dict):
        if isinstance(part.get("score_thr"), (int, float)):
            # Detectors keep what is above, and here what is at the threshold is kept, too.
            part["score_thr"] = max(part["score_thr"], lowest - 1e-6)
        _leave_out_below(part.get("rcnn"), lowest)
