"""Published recipes of detection."""

from __future__ import annotations

from . import readers as read
from .table import Recipe, Repository, Row

REPOSITORIES = {
    "ST": Repository("microsoft/SoftTeacher", "0423bb2f"),
}
UNPUBLISHED: dict[str, str] = {}

_ST = "ST:configs/soft_teacher/base.py"
RECIPES = (
    Recipe(
        config="soft_teacher/faster-rcnn_r50_coco.py",
        title="Soft Teacher, 10 % of COCO",
        published_result="box AP 33.78",
        protocol="val2017, fold 1",
        rows=(Row("learning rate", 0.01, read.rate, f"{_ST}:262"),),
    ),
)
