"""What a config says of hooks and heads, checked without building anything."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .findings import Findings
from .training import MODELS, Settings, declares

_OTHERS = ("loss", "neck", "backbone", "rpn_head")  # their num_classes has another meaning


def check_hooks(settings: Settings, findings: Findings) -> None:
    """Hooks that average the weights, or select pseudo labels: too many, or none."""
    if not settings.is_pair:
        if settings.unlabeled and settings.model:
            findings.add(
                "warning", "config", "unlabeled images, but no teacher-student model", "model.type",
                found=settings.model.get("type"), allowed=", ".join(MODELS),
                advice="Wrap the model: model=dict(type='TeacherStudentDetector', detector=...)",
            )  # fmt: skip
        return
    hooks = settings.hooks
    averages = [hook for hook in hooks if declares(hook, "averages_weights")]
    rivals = [hook for hook in hooks if _is_rival(hook)]
    if len(averages) + len(rivals) > 1:
        findings.add(
            "error", "config", "two averages of the weights", "custom_hooks",
            found=_names([*averages, *rivals]), allowed="one TeacherEMAHook",
            advice="Both would move the teacher: remove all but one",
        )  # fmt: skip
    if not settings.unlabeled:
        return
    if not averages and not settings.frozen_teacher:
        findings.add(
            "warning", "config", "teacher that never moves", "custom_hooks", found=_names(hooks),
            allowed="a TeacherEMAHook", advice="Without TeacherEMAHook it stays as it was at the "
            "start: add it, unless the teacher is meant to be fixed",
        )  # fmt: skip
    if settings.learns_labels and not any(settings.selects(hook) for hook in hooks):
        findings.add(
            "warning", "config", "no threshold on pseudo labels", "custom_hooks",
            found=_names(hooks), allowed="a hook such as FixedThresholdHook",
            advice="Every prediction of the teacher would be learned: add one",
        )  # fmt: skip


def check_heads(settings: Settings, findings: Findings) -> None:
    """Every head must have as many classes as the labeled data."""
    labeled = next((s for s in settings.sources if s.role == "labeled"), None)
    classes = labeled and (labeled.classes or (labeled.data and labeled.data.classes))
    inner = settings.model.get(MODELS.get(settings.model.get("type", ""), ""), settings.model)
    if not classes or labeled is None:
        return
    for where, count in _class_counts(inner, "model"):
        if count != len(classes):
            findings.add(
                "error", "config", "head and data differ in the number of classes", where,
                found=f"{count}", allowed=f"{len(classes)}: {', '.join(classes)}",
                advice=f"Set num_classes={len(classes)}, or correct metainfo.classes of "
                f"{labeled.name}",
            )  # fmt: skip


def _is_rival(hook: Any) -> bool:
    """Whether a hook of another package averages weights; its registry may be out of reach."""
    from ..hooks.networks.teacher_ema import RIVALS

    if isinstance(hook, type):
        return issubclass(hook, RIVALS)
    return str(hook).rpartition(".")[2] in {rival.__name__ for rival in RIVALS}


def _name(hook: Any) -> str:
    return str(getattr(hook, "__name__", hook))


def _names(hooks: Sequence[Any]) -> str:
    return ", ".join(map(_name, hooks)) or "no hook"


def _class_counts(node: Any, where: str) -> Iterator[tuple[str, int]]:
    """(key, num_classes) of all heads."""
    if isinstance(node, Mapping):
        if isinstance(node.get("num_classes"), int):
            yield f"{where}.num_classes", node["num_classes"]
        for key, part in node.items():
            if not any(word in str(key) for word in _OTHERS):
                yield from _class_counts(part, f"{where}.{key}")
    elif isinstance(node, (list, tuple)):
        for number, part in enumerate(node):
            yield from _class_counts(part, f"{where}[{number}]")
