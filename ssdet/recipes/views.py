"""How images become views and batches, as assignments of the config."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .recipe import Code, Note, Recipe, Settings

STRONG: dict[str, Sequence[Settings]] = {
    "detection": [
        dict(type="StrongPhotometric"),
        dict(type="ErasePatches", count=(1, 4), size=(0.0, 0.2)),
    ],
    "segmentation": [dict(type="StrongPhotometric")],
}
_LOAD = dict(type="LoadImageFromFile")
_RESIZE = dict(type="Resize", scale=Code("image_scale"), keep_ratio=True)
_VAL_META = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "instances")


def view_settings(recipe: Recipe, val_source: Settings) -> dict[str, Any]:
    """Pipelines, loaders and evaluators.

    Args:
        recipe: Says what a strong view is, and how many there are.
        val_source: The data set to validate on.
    """
    make = _detection if recipe.task == "detection" else _segmentation
    return {**make(recipe, val_source), "test_evaluator": Code("val_evaluator")}


def _detection(recipe: Recipe, val_source: Settings) -> dict[str, Any]:
    geometry, pack = [Code("resize"), Code("flip")], dict(type="PackDetInputs")
    shared, own = (geometry, []) if recipe.same_geometry else ([], geometry)
    # `CocoMetric` makes such a file itself where the data set has none.
    file = {"ann_file": val_source["ann_file"]} if val_source["type"] == "CocoDataset" else {}
    return {
        "load_labels": dict(type="LoadAnnotations", with_bbox=True, with_mask=Code("with_mask")),
        "resize": _random_resize(0.6, 1.2),
        "flip": dict(type="RandomFlip", prob=0.5),
        "sup_view": [Code("load_labels"), *geometry, dict(type="PhotoMetricDistortion"), pack],
        "weak_view": [*own, pack],
        "strong_view": [*own, *_strong(recipe), pack],
        "labeled_images": {
            "filter_cfg": dict(filter_empty_gt=False),
            **_labeled(recipe, [_LOAD]),
        },
        "unlabeled_images": _unlabeled(recipe, [_LOAD, *shared]),
        **_loaders(recipe, [_LOAD, _RESIZE, Code("load_labels"), {**pack, "meta_keys": _VAL_META}]),
        "val_evaluator": dict(
            type="CocoMetric",
            **file,
            metric=Code("['bbox', 'segm'] if with_mask else 'bbox'"),
            proposal_nums=(1, 10, 100),  # as pycocotools has it; MMDetection's AP50 takes 1,000
        ),
    }


def _segmentation(recipe: Recipe, _: Settings) -> dict[str, Any]:
    geometry, pack = Code("*geometry"), dict(type="PackSegInputs")
    after = "After `Resize`: predictions are compared with labels of the original size."
    return {
        "load_labels": dict(type="LoadMask"),
        "geometry": [
            _random_resize(0.5, 2.0),
            dict(type="RandomCrop", crop_size=Code("crop_size")),
            dict(type="RandomFlip", prob=0.5),
        ],
        "sup_view": [dict(type="PhotoMetricDistortion"), pack],
        "weak_view": [pack],
        "strong_view": [*_strong(recipe), pack],
        "labeled_images": _labeled(recipe, [_LOAD, Code("load_labels"), geometry]),
        "unlabeled_images": _unlabeled(recipe, [_LOAD, geometry]),
        **_loaders(recipe, [_LOAD, _RESIZE, Note(Code("load_labels"), after), pack]),
        "val_evaluator": dict(type="IoUMetric", iou_metrics=["mIoU", "mDice"]),
    }


def _random_resize(low: float, high: float) -> Settings:
    return dict(
        type="RandomResize", scale=Code("image_scale"), ratio_range=(low, high), keep_ratio=True
    )


def _strong(recipe: Recipe) -> Iterable[Settings]:
    return STRONG[recipe.task] if recipe.strong is None else recipe.strong


def _labeled(recipe: Recipe, shared: Sequence[Any]) -> dict[str, Any]:
    return _data_set("labeled", [_branches(recipe, shared, {"sup": Code("sup_view")})])


def _unlabeled(recipe: Recipe, shared: Sequence[Any]) -> dict[str, Any]:
    views = {"unsup_teacher": Code("weak_view")}
    views |= dict.fromkeys(_strong_branches(recipe), Code("strong_view"))
    return _data_set("unlabeled", [_branches(recipe, shared, views)])


def _branches(recipe: Recipe, shared: Sequence[Any], views: Settings) -> Settings:
    every = ("sup", "unsup_teacher", *_strong_branches(recipe))
    names = {"branch_field": every} if recipe.strong_views > 1 else {}
    return {"type": "WeakStrongViews", **names, "shared": shared, "views": views}


def _strong_branches(recipe: Recipe) -> list[str]:
    more = range(2, recipe.strong_views + 1)
    return ["unsup_student", *(f"unsup_student_{number}" for number in more)]


def _data_set(source: str, pipeline: Sequence[Any]) -> dict[str, Any]:
    return {"pipeline": pipeline, "**": Code(f"{source}_source")}


def _loaders(recipe: Recipe, val_pipeline: Sequence[Any]) -> dict[str, Any]:
    workers = {
        "num_workers": Code("num_workers"),
        "persistent_workers": Code("num_workers > 0"),
    }
    held_out: dict[str, Any] = {}
    if recipe.held_out:
        told = "share of the labeled images that judge the teacher and are not trained on"
        held_out["held_out"] = Note(recipe.held_out, told)
    return {
        "train_dataloader": dict(
            batch_size=Code("sum(batch)"),
            **workers,
            sampler=dict(type="LabeledUnlabeledSampler", batch=Code("batch")),
            dataset=dict(
                type="LabeledUnlabeledDataset",
                datasets=[Code("labeled_images"), Code("unlabeled_images")],
                **held_out,
            ),
        ),
        "val_dataloader": dict(
            batch_size=1,
            **workers,
            drop_last=False,
            sampler=dict(type="DefaultSampler", shuffle=False),
            dataset=dict(test_mode=True, **_data_set("val", val_pipeline)),
        ),
        "test_dataloader": Code("val_dataloader"),
    }
