"""The model of a recipe: any config of MMDetection or MMSegmentation, fitted to the classes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .recipe import Code, Settings
from .short_names import BASES

_SEMI_SUPERVISED = ("TeacherStudent", "SemiBase", "SoftTeacher")
_UNTOUCHED = ("backbone", "neck", "rpn_head")  # their num_classes are not those of the data
# (key, its values or any, what a model with it learns from)
_INPUTS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("semantic_head", (), "label maps beside boxes"),
    ("panoptic_head", (), "panoptic labels"),
    ("language_model", (), "texts"),
    ("tracker", (), "tracks of videos"),
    ("type", ("VPDDepthHead",), "maps of depth"),
)
# Heads that cannot learn from pseudo boxes, and why.
_REFUSED = {
    "CenterNetHead": "needs the borders that RandomCenterCropPad adds to test images",
    "SSDHead": "computes its losses itself, where pseudo boxes cannot have weights",
    "YOLACTHead": "needs images of one size, as its own pipeline makes them",
}
_MASK_TYPES = ("RTMDetInsHead", "RTMDetInsSepBNHead")  # a mask head that is a box head, too
_STRIDE = 32  # of the coarsest level of most detectors
_WHOLE_STRIDES = (
    "UNet",
    "DDRNet",
    "PIDNet",
)  # backbones whose maps must halve evenly, in an evaluation too
REMOVED = Code("<removed>")  # what an inherited model has and the model has not


@dataclass(frozen=True)
class Base:
    """A supervised config.

    Attributes:
        name: As the user gave it.
        config: All of it.
        task: 'detection' or 'segmentation'.
        inherited: The config of its model alone, as a config names it; None if it has none.
        inherited_model: What that one says.
    """

    name: str
    config: dict[str, Any]
    task: str
    inherited: str | None
    inherited_model: dict[str, Any]

    @property
    def model(self) -> dict[str, Any]:
        """The supervised model."""
        return self.config["model"]  # type: ignore[no-any-return]

    @property
    def has_masks(self) -> bool:
        """Whether a detector predicts masks."""
        return self.task == "detection" and any(
            (key == "mask_head" and value) or (key == "type" and value in _MASK_TYPES)
            for key, value, _ in _walk(self.model)
        )


def find_base(name: str) -> Base:
    """Load the config that a name, a path or `package::path` means, and say what it is."""
    from mmengine.config import Config

    from ..engine.configs import find_config, load_config
    from ..exits import UsageError

    path = BASES.get(name, name)
    plain = "::" not in name and "/" not in name and not name.endswith(".py")
    if path is name and plain:
        close = difflib.get_close_matches(name, BASES, n=3, cutoff=0.5)
        near = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(BASES)}."
        raise UsageError(
            f"base {name!r}: no such short name; {near} Or give a config: a path, mmdet::..., "
            f"mmseg::..."
        )
    config = load_config(path)._cfg_dict.to_dict()
    model = config.get("model")
    if not isinstance(model, dict) or "type" not in model:
        raise UsageError(f"base {name!r}: the config has no model=dict(type=...); give another one")
    if str(model["type"]).startswith(_SEMI_SUPERVISED):
        raise UsageError(
            f"base {name!r}: its model is a {model['type']}, which is semi-supervised already; "
            f"give the supervised config that it is built on, or train this one: ssdet train {name}"
        )
    _check_inputs(name, model)
    task = "segmentation" if _segments(model) else "detection"
    own = next(_model_files(find_config(path)), None)
    if own is None:
        return Base(name, config, task, None, {})
    loaded = Config.fromfile(own, import_custom_modules=False)._cfg_dict.to_dict()
    if "model" not in loaded:  # a variable of another name, as in configs of ours
        return Base(name, config, task, None, {})
    return Base(name, config, task, _config_name(own), loaded["model"])


def _segments(model: dict[str, Any]) -> bool:
    pixels = str((model.get("data_preprocessor") or {}).get("type"))
    return "decode_head" in model or pixels.rpartition(".")[2] == "SegDataPreProcessor"


def _check_inputs(name: str, model: dict[str, Any]) -> None:
    """Refuse models that learn from what neither boxes nor label maps say."""
    from ..exits import UsageError

    for node in _dicts(model):
        for key, types, need in _INPUTS:
            found = node.get("type") if key == "type" else node.get(key)
            if (found in types) if types else bool(found):
                raise UsageError(
                    f"base {name!r}: its {found if types else key} learns from {need}, which "
                    f"pseudo labels do not have; take another model (`ssdet init --list`)"
                )
        if why := _REFUSED.get(str(node.get("type")), ""):
            other = "mask-rcnn-r50" if "mask_head" in model else "fcos-r50"
            raise UsageError(
                f"base {name!r}: its {node['type']} {why}; take another model, such as {other}"
            )


def fit_model(
    base: Base,
    changes: Settings | None = None,
    *,
    pretrained: bool = True,
    loaded: bool = False,
) -> dict[str, Any]:
    """The model for `classes` (and `crop_size`), the variables of the config.

    Args:
        base: Whose model it is.
        changes: `Recipe.network`.
        pretrained: Start from published weights, as the base does.
        loaded: A checkpoint of the whole model follows, so those of its parts are not needed.
    """
    from ..exits import UsageError

    model = deepcopy(base.model)
    found = [(head, head["num_classes"]) for head in _heads(model)]
    if not found:
        raise UsageError(
            f"base {base.name!r}: no head of its model has num_classes, so it is unknown where the "
            f"classes go; write the config by hand: model = dict(type='TeacherStudentDetector', "
            f"detector=<config>), or TeacherStudentSegmentor and segmentor, and custom_hooks"
        )
    for head, number in found:
        head["num_classes"] = Code("len(classes)")
        _fit_class_weights(head, number)
    if base.task == "segmentation":
        _fit_crops(model)
        _name_classes(model)
    if base.task == "detection":
        _pad_to_strides(model)
    if not pretrained or loaded:
        _without_files(model)
    if not pretrained:
        _unfreeze(model)
    for place, value in (changes or {}).items():
        *owners, key = place.split(".")
        owner = model
        for name in owners:
            owner = owner[name]
        owner[key] = value
    return model


def _fit_crops(model: dict[str, Any]) -> None:
    """A segmentor trains on crops of one size, and is evaluated on whole images."""
    model.setdefault("data_preprocessor", {"type": "SegDataPreProcessor"})
    model["data_preprocessor"]["size"] = Code("crop_size")
    model["data_preprocessor"].pop("size_divisor", None)
    if (model.get("backbone") or {}).get("type") in _WHOLE_STRIDES:
        model["data_preprocessor"]["test_cfg"] = {"size_divisor": _STRIDE}
    _count_labeled_pixels(model)
    test = model.get("test_cfg") or {}
    if test.get("mode") == "slide":
        test["crop_size"] = Code("crop_size")
        test["stride"] = Code("tuple(side * 2 // 3 for side in crop_size)")


def _name_classes(model: dict[str, Any]) -> None:
    """SAN reads the names of classes, those of a known data set where it is named."""
    if "dataset_name" in (model.get("text_encoder") or {}):
        model["text_encoder"].update(dataset_name=None, vocabulary=Code("list(classes)"))


def _pad_to_strides(model: dict[str, Any]) -> None:
    """Some train on images of one size; here they have any, and levels must fit one another."""
    model.setdefault("data_preprocessor", {"type": "DetDataPreprocessor"})
    model["data_preprocessor"].setdefault("pad_size_divisor", _STRIDE)


def _count_labeled_pixels(model: dict[str, Any]) -> None:
    """The mean of the cross entropy over labeled pixels: MMSegmentation counts ignored ones too.

    Not where classes have weights, which it never sums over ignored ones: it fails with both.
    """
    for key, value, _ in _walk(model):
        if key == "loss_decode":
            for loss in value if isinstance(value, (list, tuple)) else [value]:
                if loss.get("type") == "CrossEntropyLoss" and not loss.get("class_weight"):
                    loss["avg_non_ignore"] = True


def model_settings(base: Base, model: dict[str, Any]) -> dict[str, Any]:
    """Assignments that make `detector` or `segmentor` the model: the differences from the
    inherited one."""
    name = "detector" if base.task == "detection" else "segmentor"
    if base.inherited is None:
        return {name: model}
    differences = _differences(base.inherited_model, model, name)
    return {name: Code("_base_.model"), **dict(differences)}


def _model_files(path: Path) -> Iterator[Path]:
    """Configs below `path` in a folder `models`, the nearest first."""
    from mmengine.config import Config

    for name in Config._get_base_files(str(path)):
        base, _ = Config._get_cfg_path(name, str(path))
        if Path(base).parent.name == "models":
            yield Path(base)
        else:
            yield from _model_files(Path(base))


def _config_name(path: Path) -> str:
    from ..engine.configs import PACKAGES, shipped_configs

    for package in PACKAGES:
        folder = shipped_configs(package)
        if folder and path.resolve().is_relative_to(folder.resolve()):
            return f"{package}::{path.resolve().relative_to(folder.resolve()).as_posix()}"
    return str(path.resolve())


def _differences(old: dict[str, Any], new: dict[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    for key in sorted(old.keys() - new.keys()):
        yield f"{place}.{key}", REMOVED
    for key, value in new.items():
        yield from _difference(old.get(key), value, f"{place}.{key}", missing=key not in old)


def _difference(old: Any, new: Any, place: str, *, missing: bool) -> Iterator[tuple[str, Any]]:
    if isinstance(old, dict) and isinstance(new, dict) and old.get("type") == new.get("type"):
        yield from _differences(old, new, place)
    elif _are_dicts(old) and _are_dicts(new) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from _difference(*pair, f"{place}[{number}]", missing=False)
    elif missing or isinstance(new, Code) or old != new:
        yield place, new


def _are_dicts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _walk(node: Any, inside: str = "") -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """(key, value, the dict that has it), but not below the keys of `_UNTOUCHED`."""
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from _walk(item, inside)
    elif isinstance(node, dict):
        for key, value in list(node.items()):
            yield key, value, node
            if key not in _UNTOUCHED:
                yield from _walk(value, key)


def _heads(model: dict[str, Any]) -> list[dict[str, Any]]:
    return [owner for key, value, owner in _walk(model) if key == "num_classes"
            and isinstance(value, int) and "type" in owner]  # fmt: skip


def _fit_class_weights(head: dict[str, Any], number: int) -> None:
    """Weights for each class of another data set: the first one's for all, background last."""
    for key, value, owner in _walk(head):
        if key == "class_weight" and isinstance(value, (list, tuple)):
            rest = f" + {list(value[-1:])!r}" if len(value) > number else ""
            owner[key] = Code(f"[{value[0]!r}] * len(classes){rest}")


def _without_files(model: dict[str, Any]) -> None:
    """No file of weights anywhere."""
    for node in _dicts(model):
        init = node.get("init_cfg")
        # Some backbones take the file alone, without a type.
        if isinstance(init, dict) and (init.get("type") == "Pretrained" or "checkpoint" in init):
            node["init_cfg"] = None
        if "pretrained" in node:
            node["pretrained"] = None


def _unfreeze(model: dict[str, Any]) -> None:
    """Nothing is frozen that has not learned anything."""
    for node in _dicts(model):
        for key, value in (("frozen_stages", -1), ("norm_eval", False)):
            if key in node:
                node[key] = value
        if isinstance(node.get("norm_cfg"), dict) and "requires_grad" in node["norm_cfg"]:
            node["norm_cfg"] = {**node["norm_cfg"], "requires_grad": True}


def _dicts(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in list(node.values()):
            yield from _dicts(value)
    elif isinstance(node, (list, tuple)):
        for item in node:
            yield from _dicts(item)
