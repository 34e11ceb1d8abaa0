"""The teacher-student pair of a method and its hooks, as assignments of the config."""

from __future__ import annotations

from typing import Any

from .models import Base
from .recipe import Code, Note, Recipe, Settings


def pair_settings(recipe: Recipe, base: Base, model: Settings) -> dict[str, Any]:
    """Scope, models and hooks.

    Args:
        recipe: The method.
        base: The supervised config.
        model: Assignments that make its model, see `model_settings`.
    """
    gallery = {"type": "GalleryHook", "interval": Code("max(iterations // 8, 1)")}
    replaces = {"_delete_": True} if base.inherited else {}
    settings: dict[str, Any] = {}
    if base.task == "detection":
        settings |= model
        pair = {"type": "TeacherStudentDetector", "detector": Code("detector"), "unsup_weight": 1.0}
        burn_in = Code("iterations // 4")
    else:
        settings |= {"default_scope": "mmseg", **model}
        if base.inherited:
            looked_at = Note(Code("segmentor.data_preprocessor"), "the runner looks here first")
            settings["data_preprocessor"] = looked_at
        pair = {"type": "TeacherStudentSegmentor", "segmentor": Code("segmentor")}
        burn_in = Code("iterations // 10")
    settings["model"] = {**replaces, **pair, **recipe.model, "burn_in": burn_in}
    return {**settings, **recipe.variables, "custom_hooks": [*recipe.hooks, gallery]}
