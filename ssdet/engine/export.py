"""The teacher or the student of a run as a plain model of MMDetection or MMSegmentation."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope, Registry

from ..exits import CheckpointError, UsageError, replacing
from ..extras import load
from ..registry import MODELS, TRANSFORMS
from ..teacher_student.foreign_parts import read_weights
from ..version import __version__

NETWORKS = {"detector": "CocoDataset", "segmentor": "BaseSegDataset"}  # and a plain data set of it
LABELS = ("LoadAnnotations", "LoadPanopticAnnotations", "LoadMask", "LoadExternalLabels")
GENERATED = "LoadDigitScene"  # a demo draws its images; others come from files


def plain_config(config: Any, role: str = "student") -> Config:
    """What inference with "teacher" or "student" of a config needs, and nothing else."""
    kind = next((kind for kind in NETWORKS if kind in config.get("model", {})), None)
    if kind is None:
        raise UsageError("its model has no detector or segmentor: it is no teacher-student model")
    model, dataset = _network(config.model, kind, role), config.test_dataloader.dataset
    while "pipeline" not in dataset:  # of a wrapper around a data set
        dataset = dataset.dataset
    pipeline = [
        dict(type="LoadImageFromFile") if step["type"] == GENERATED else step
        for step in dataset.pipeline
        if step["type"] not in LABELS
    ]
    plain = Config(
        dict(
            default_scope=config.default_scope,
            model=model,
            test_pipeline=pipeline,
            # Where MMDetection looks for the pipeline; nothing is loaded.
            test_dataloader=dict(dataset=dict(type=NETWORKS[kind], pipeline=pipeline)),
        )
    )
    if _has_ours(model, MODELS) or _has_ours(pipeline, TRANSFORMS):
        plain.custom_imports = dict(imports=["ssdet"])
    return plain


def _network(pair: Any, kind: str, role: str) -> Any:
    """The config of the model that has this role."""
    teacher = pair.get("teacher") or {}
    if role == "student" or not teacher or teacher.get("beside_twin"):
        return pair[kind]
    return teacher["model"] if "model" in teacher else pair["auxiliary"][teacher["partner"]]


def plain_checkpoint(
    checkpoint: dict[str, Any], config: Config, role: str, teacher: Any = None
) -> dict[str, Any]:
    """The weights of "teacher" or "student", checked against the model that they are for.

    `teacher` are the settings of a teacher of another kind, whose weights may be in its own file.
    """
    state, classes = checkpoint.get("state_dict", {}), None
    prefix = f"{role}."
    if role == "teacher" and "teacher.sha256" in state:
        prefix, classes = "teacher.network.", (teacher or {}).get("classes")
    weights = {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}
    elsewhere = not weights and "teacher.sha256" in state and role == "teacher"
    if not weights and not elsewhere:
        raise CheckpointError(f"it has no {role}; a checkpoint of `ssdet train` has both models")
    with DefaultScope.overwrite_default_scope(config.default_scope):
        model = MODELS.build(config.model)
    if elsewhere:
        weights, names = _from_its_file(state["teacher.sha256"], teacher or {}, model)
        classes = classes or names
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"its {role} does not fit the model of the config: {error}") from None
    _warn_of_draws(model)
    about = checkpoint["meta"].get("dataset_meta")
    about = about if classes is None else {"classes": tuple(classes)}
    meta = dict(dataset_meta=about, ssdet_version=__version__)
    return dict(meta=meta, state_dict=weights)


def _warn_of_draws(model: Any) -> None:
    """Say so if a model draws random numbers when it predicts: the decoder of SegNeXt."""
    drawn = [type(part).__name__ for part in model.modules() if getattr(part, "rand_init", False)]
    if drawn:
        print_log(
            f"export: {drawn[0]} of this {type(model).__name__} draws random numbers for each "
            "prediction, so two predictions for an image differ a little. They are equal after the "
            "same torch.manual_seed(...)",
            "current",
            logging.WARNING,
        )


def _from_its_file(sha256: Any, teacher: Any, model: Any) -> tuple[dict[str, Any], Any]:
    """Weights and classes of a frozen teacher, of which a checkpoint has the sha256 alone."""
    name = teacher.get("checkpoint")
    if name is not None:
        weights, classes, found = read_weights(name)
    elif hasattr(model, "read_published"):
        name, found = model.pretrained, model.read_published()
        weights, classes = model.state_dict(), model.classes
    else:
        raise CheckpointError("it has no weights of the teacher, and the config names no file")
    if not bool((found == sha256.cpu()).all()):
        raise CheckpointError(f"its teacher was another file than {name} is now: restore the file")
    return weights, classes


def write_safetensors(checkpoint: dict[str, Any], path: Path) -> None:
    """Weights without pickle; classes and version stand in the header, as JSON."""
    save = load("safetensors.torch", extra="hf").save
    meta = {key: json.dumps(value, default=str) for key, value in checkpoint["meta"].items()}
    # Tensors of their own: the format knows no shared memory.
    weights = {key: value.clone().contiguous() for key, value in checkpoint["state_dict"].items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(save(weights, metadata=meta))


def write_transformers(checkpoint: dict[str, Any], config: Config, folder: Path) -> None:
    """A folder that `from_pretrained` of transformers reads, with the names of the classes."""
    with DefaultScope.overwrite_default_scope(config.default_scope):
        model = MODELS.build(config.model)
    if not hasattr(model, "save_pretrained"):
        raise UsageError(
            f"--format transformers: a {type(model).__name__} is no model of transformers, as an "
            "HFDetector or HFSegmentor is; use pth or safetensors"
        )
    model.load_state_dict(checkpoint["state_dict"])
    classes = (checkpoint["meta"].get("dataset_meta") or {}).get("classes")
    model.save_pretrained(folder, classes=classes)


def _has_ours(part: Any, registry: Registry) -> bool:
    """Whether a type within a part of a config is one of ours."""
    if isinstance(part, dict):
        found = registry.get(part["type"]) if isinstance(part.get("type"), str) else None
        ours = found is not None and found.__module__.startswith("ssdet.")
        return ours or any(_has_ours(value, registry) for value in part.values())
    return isinstance(part, (list, tuple)) and any(_has_ours(one, registry) for one in part)
