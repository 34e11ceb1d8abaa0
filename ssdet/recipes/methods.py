"""The methods, each a shipped config on own data, taken apart into its statements."""

import ast
import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..engine.configs import find_config
from ..exits import UsageError
from .literals import literal


@dataclass(frozen=True)
class Method:
    """A method that `ssdet init` can write.

    Attributes:
        config: The shipped config that is followed, for one kind of model on own data.
        task: 'detection' or 'segmentation'.
        does: What it does, in a line.
        needs: Of the model; a key of `ssdet.recipes.needs.NEEDS`.
        instead: Methods for models that it does not suit, the nearest first.
        views: The data config that is followed, where one strong view that is drawn over and erased
            would not do; what it assigns takes the place of that of the task's data config.
    """

    config: str
    task: str
    does: str
    needs: str = ""
    instead: tuple[str, ...] = ()
    views: str = ""

    @property
    def passes(self) -> int:
        """How often each unlabeled image is seen in a training."""
        return PASSES[self.task]


PASSES = {"detection": 40, "segmentation": 80}
_FILES = {"detection": "own_det.py", "segmentation": "own_seg.py"}  # of data and of schedules

# A new method is one entry here; its config uses `configs/_base_/datasets/own_*.py` and
# `configs/_base_/schedules/own_{det,seg}.py`.
METHODS = {
    "mean-teacher": Method(
        "mean_teacher/retinanet_r50_own.py", "detection",
        "boxes of an averaged teacher above one threshold"),
    "soft-teacher": Method(
        "soft_teacher/faster-rcnn_r50_own.py", "detection",
        "two-stage: boxes where the teacher is steady, background by its score",
        needs="two-stage", instead=("soft-teacher-one-stage", "mean-teacher")),
    "soft-teacher-one-stage": Method(
        "soft_teacher/retinanet_r50_own.py", "detection",
        "one-stage: boxes where the predictions that NMS merged agree",
        needs="one-stage", instead=("soft-teacher", "mean-teacher")),
    "unbiased-teacher": Method(
        "unbiased_teacher/faster-rcnn_r50_own.py", "detection",
        "two-stage: focal loss; pseudo boxes teach classes alone",
        needs="one box head", instead=("soft-teacher", "soft-teacher-one-stage", "mean-teacher")),
    "gmm-thresholds": Method(
        "thresholds/gmm_retinanet_r50_own.py", "detection",
        "Consistent-Teacher's threshold for each class, from its latest scores"),
    "data-distillation": Method(
        "data_distillation/retinanet_r50_own.py", "detection",
        "what the teacher finds in an image and in its mirror image, fused"),
    "dual-thresholds": Method(
        "hssda/retinanet_r50_own.py", "detection",
        "HSSDA's two thresholds for each class, fitted on the labeled images"),
    "mixpl": Method(
        "mixpl/retinanet_r50_own.py", "detection",
        "MixPL: mosaics and mixtures of pseudo-labeled images", views="own_det_unerased.py"),
    "mixed": Method(
        "mixed/faster-rcnn_r50_own.py", "detection",
        "two-stage: thresholds by class, steady boxes, copy-paste, patch shuffle",
        needs="two-stage", instead=("mixpl",)),
    "copy-paste": Method(
        "copy_paste/mask-rcnn_r50_own.py", "detection",
        "models with masks: labeled objects are pasted into the strong views",
        needs="masks", instead=("mixpl",)),
    "fixmatch": Method(
        "fixmatch_seg/deeplabv3plus_r50_own.py", "segmentation",
        "pixels of an averaged teacher above one threshold; CutMix"),
    "classmix": Method(
        "fixmatch_seg/deeplabv3plus_r50_classmix_own.py", "segmentation",
        "the same with ClassMix: half of a labeled image's classes are pasted"),
    "unimatch": Method(
        "unimatch/deeplabv3plus_r50_own.py", "segmentation",
        "two strong views and a stream of perturbed features",
        views="own_seg_two_views.py"),
    "unimatch-v2": Method(
        "unimatch_v2/deeplabv3plus_r50_own.py", "segmentation",
        "two strong views; each channel is dropped in one of them",
        views="own_seg_two_views.py"),
    "cw-bass": Method(
        "cw_bass/deeplabv3plus_r50_own.py", "segmentation",
        "pixels weigh their confidence; more loss at boundaries",
        needs="pixels", instead=("fixmatch",)),
    "corr-threshold": Method(
        "thresholds/correlation_deeplabv3plus_r50_own.py", "segmentation",
        "CorrMatch's threshold, which follows the teacher's confidence; CutMix"),
    "mean-teacher-soft": Method(
        "mean_teacher_seg/deeplabv3plus_r50_own.py", "segmentation",
        "probabilities follow the averaged teacher's; no pseudo labels",
        needs="pixels", instead=("fixmatch",)),
}  # fmt: skip


@dataclass
class Statement:
    """An assignment of a config with the comment lines above it.

    Attributes:
        target: What is assigned, such as `model` or `detector.bbox_head.num_classes`.
        text: As it stands in the file.
        constant: Whether the value is written out.
    """

    target: str
    text: str
    constant: bool

    def assigned(self, value: object, comment: str | None = None) -> str:
        """The same assignment of another value, with the comment behind it, or another one."""
        own = self.text.splitlines()[-1].partition("  # ")[2]
        line = f"{self.target} = {literal(value, len(self.target) + 3)}"
        remark = comment or own
        return f"{line}  # {remark}" if remark and len(line + remark) < 96 else line


def find_method(name: str, task: str) -> Method:
    """The method of this name, if it is one for the task."""
    method = METHODS.get(name)
    if method is not None and method.task == task:
        return method
    known = ["auto"] + [key for key, value in METHODS.items() if value.task == task]
    close = difflib.get_close_matches(name, known, n=1)
    if close and method is None:
        raise UsageError(f"--method {name!r}: no such method; did you mean {close[0]!r}?")
    what = (
        f"a method for {method.task}, and the base is a model for {task}" if method else "unknown"
    )
    raise UsageError(
        f"--method {name!r}: {what}; for {task}: {', '.join(known)}. `ssdet init --list` shows all"
    )


def method_statements(method: Method) -> list[Statement]:
    """What the method's config and its schedule say, without the model that it is shown with."""
    own = read_statements(find_config(method.config))
    schedule = read_statements(find_config(f"_base_/schedules/{_FILES[method.task]}"))
    return _flat(
        statement
        for statement in (*own, *schedule)
        if not re.fullmatch(r"detector|segmentor|.*\.num_classes|auto_scale_lr", statement.target)
    )


def view_statements(method: Method) -> list[Statement]:
    """How images become views: the shipped data config of the task, or of the method."""
    names = dict.fromkeys([_FILES[method.task], method.views or _FILES[method.task]])
    found = [read_statements(find_config(f"_base_/datasets/{name}")) for name in names]
    return _flat(statement for part in found for statement in part)


def _flat(statements: Iterable[Statement]) -> list[Statement]:
    """Statements of several files as those of one: the last one of each name, in the first's place.

    That is what inheriting does, as long as what is assigned anew is assigned whole.
    """
    merged: dict[str, Statement] = {}
    for statement in statements:
        statement.text = statement.text.replace("_base_.", "")
        merged[statement.target] = statement
    return list(merged.values())


def read_statements(path: Path) -> list[Statement]:
    """The assignments of a config, without `_base_` and what stands above it."""
    text = path.read_text(encoding="utf-8")
    lines, end, found = text.splitlines(), 0, []
    for node in ast.parse(text).body:
        start, end = end, node.end_lineno or 0
        if isinstance(node, ast.Assign):
            block = lines[start:end] if start else lines[node.lineno - 1 : end]
            target = ast.unparse(node.targets[0])
            plain = isinstance(node.targets[0], ast.Name)
            constant = plain and isinstance(node.value, (ast.Constant, ast.Tuple))
            found.append(Statement(target, "\n".join(block), constant))
    return [statement for statement in found if statement.target != "_base_"]


def constants(statements: Iterable[Statement]) -> dict[str, object]:
    """The values that are written out, by name."""
    return {
        statement.target: ast.literal_eval(statement.text.partition("=")[2].strip())
        for statement in statements
        if statement.constant
    }
