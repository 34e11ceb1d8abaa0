"""A config that trains, from a supervised config, a method and the data."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..exits import UsageError
from ..formats import read_classes
from ..formats.issues import raise_data_error
from .bases import Base, find_base, fit_model, model_text
from .literals import Code, literal
from .methods import Statement, constants, find_method, method_statements, view_statements
from .needs import check_needs, choose_method
from .schedule import Plan, base_batch, image_scale, plan_batch, plan_iterations, plan_momentum
from .sources import Data, Sources

_FEWEST = 20  # iterations
_SIDE = "{}_data"  # folder of what has to be written, beside the config


@dataclass
class Recipe:
    """What was written, or is to be: a config, its method, and what the user has to know."""

    text: str
    summary: str
    method: str
    notes: list[str] = field(default_factory=list)


def semi_supervise(
    base_config: str,
    *,
    labeled: str | Path,
    unlabeled: str | Path,
    method: str = "auto",
    val: str | Path | None = None,
    classes: str | Path | Sequence[str] | None = None,
    work: str | Path = "semi_supervised_data",
    **options: Any,
) -> Config:
    """The config of a semi-supervised training; what `ssdet init` writes as a file.

    Args:
        base_config: A config of MMDetection or MMSegmentation (path, `mmdet::...`, `mmseg::...`),
            or a short name (`ssdet.recipes.BASES`).
        labeled: Labeled data, in any format of `ssdet.formats.FORMATS`.
        unlabeled: Folder, glob, list or COCO json.
        method: A key of `ssdet.recipes.METHODS`, or "auto": the one that is recommended for the
            model of the base.
        val: Data to validate on. None: a fifth of the labeled images.
        classes: Names, or a file of them, where the data does not say them.
        work: Folder for lists and converted labels, where any are needed.
        options: Further arguments of `make_recipe` (`gpus`, `batch`, `iterations`, `pretrained`)
            and of `Data` (`format`, `only`, `split`, `val_split`, `images`, `val_images`).
    """
    own = ("gpus", "batch", "iterations", "pretrained")
    numbers = {key: options.pop(key) for key in own if key in options}
    for key in ("only", "images", "val_images"):
        if options.get(key) is not None:
            options[key] = Path(options[key])
    reading = dict(options.pop("reading", {}))
    if isinstance(classes, (str, Path)):
        options["class_file"] = Path(classes)
        reading["classes"], reading["colors"] = read_classes(Path(classes))
    elif classes is not None:
        reading["classes"] = tuple(classes)
    data = Data(
        Path(labeled), str(unlabeled), Path(val) if val else None, reading=reading, **options
    )
    recipe = make_recipe(base_config, method, data, side=Path(work), **numbers)
    return Config.fromstring(recipe.text, ".py")


def make_recipe(
    base: str,
    method: str,
    data: Data,
    *,
    side: Path,
    gpus: int = 1,
    batch: tuple[int, int] | None = None,
    iterations: int | None = None,
    pretrained: bool = True,
    title: str = "",
) -> Recipe:
    """Read the data, choose the numbers, and put the text together.

    Args:
        base, method, data: See `semi_supervise`.
        side: Folder for lists and converted labels.
        gpus: Processes of the training.
        batch: Labeled and unlabeled images per process and iteration.
        iterations: Length of the training.
        pretrained: Start the backbone from published weights, as the base does.
        title: Comment lines at the top.
    """
    if iterations is not None and iterations < _FEWEST:
        raise UsageError(
            f"--iterations {iterations}: {_FEWEST} or more, since evaluations and pictures come at "
            f"fractions of them; a trial: ssdet train CONFIG --cfg-options iterations={_FEWEST}"
        )
    supervised = find_base(base)
    method = choose_method(method, supervised)
    recipe_of = find_method(method, supervised.task)
    check_needs(method, supervised)
    sources = Sources(data, supervised.task, side)
    if supervised.has_masks:
        _need_outlines(supervised, sources)
    views, steps = view_statements(recipe_of), method_statements(recipe_of)
    known = {**constants(views), **constants(steps)}
    counts = (len(sources.labeled.data.pictures), sources.count)
    sizes = plan_batch(known["batch"], counts[0], gpus=gpus, given=batch)  # type: ignore[arg-type]
    length = iterations or plan_iterations(counts, sizes, passes=recipe_of.passes, gpus=gpus)
    optimizer, lr = _optimizer(supervised, known, images=sizes[0] * gpus)
    scale, crop = image_scale(sources.labeled.data, supervised.task)
    momentum = plan_momentum(float(str(known.get("momentum", 0.999))), length)
    plan = Plan(sizes, sizes[0] * gpus, length, lr, momentum, scale, crop)
    model = model_text(
        supervised,
        fit_model(supervised, pretrained=pretrained),
        "detector" if supervised.task == "detection" else "segmentor",
    )
    text = _compose(supervised, sources, plan, (views, steps), model, optimizer)
    summary = (
        f"{counts[0]} labeled, {counts[1]} unlabeled and {len(sources.val.data.pictures)} "
        f"validation images; {len(sources.classes)} classes: {', '.join(sources.classes)}"
    )
    heading = _heading(title or f"{method} for {base}", summary)
    return Recipe(heading + text, summary, method, sources.notes)


def _heading(title: str, summary: str) -> str:
    lines = (title, summary, "Paths start in the folder in which the training is started.")
    wrapped = (textwrap.wrap(line, 96, subsequent_indent="    ") for line in lines)
    return "".join(f"# {line}\n" for block in wrapped for line in block)


def _compose(
    base: Base,
    sources: Sources,
    plan: Plan,
    statements: tuple[list[Statement], list[Statement]],
    model: str,
    optimizer: dict[str, Any] | None,
) -> str:
    """The blocks of the config; what is not replaced stands as in the shipped configs."""
    views, steps = statements
    values, replaced = _values(base, sources, plan), _replaced(base, sources, optimizer)
    inherited = [base.inherited] if base.inherited else []
    bases = literal([*inherited, "ssdet::_base_/default_runtime.py"], len("_base_ = "))
    known = {statement.target: statement for statement in (*views, *steps)}
    per_step = f"for {plan.images} labeled images per iteration, in all processes together"
    top = [
        known[target].assigned(value, per_step if target == "lr" else None)
        for target, value in values.items()
        if target in known
    ]
    sources_text = [replaced[f"{name}_source"] for name in ("labeled", "unlabeled", "val")]

    def kept(part: list[Statement], *, constant: bool) -> str:
        texts = [
            replaced.get(statement.target, statement.text)
            for statement in part
            if statement.constant is constant
            and statement.target not in values
            and not statement.target.endswith("_source")
            and f"{statement.target} = " not in model
            # A model that is written out, not inherited, is changed where it stands.
            and (base.inherited or not re.search(r"\b(detector|segmentor)\.", statement.text))
        ]
        return "\n".join(texts).strip("\n")

    blocks = [
        f"_base_ = {bases}",
        "\n".join(["# What to touch first.", *top]),
        "\n".join(["# The data.", *sources_text]),
        f"# From images to views and batches.\n{kept(views, constant=False)}",
        f"# The model and the method.\n{kept(steps, constant=True)}\n{model}",
        kept(steps, constant=False),
    ]
    text = "\n\n".join(blocks).replace("method.\n\n", "method.\n") + "\n"
    return text if base.inherited else text.replace("    _delete_=True,\n", "")


def _values(base: Base, sources: Sources, plan: Plan) -> dict[str, object]:
    """The variables at the top of the config."""
    values: dict[str, object] = {"classes": sources.classes, "image_scale": plan.image_scale}
    if base.task == "segmentation":
        values["crop_size"] = plan.crop_size
    else:
        values["with_mask"] = base.has_masks
    values |= {"batch": plan.batch, "num_workers": 2, "iterations": plan.iterations}
    return {**values, "lr": plan.lr, "momentum": plan.momentum}


def _replaced(base: Base, sources: Sources, optimizer: dict[str, Any] | None) -> dict[str, str]:
    """Statements of the shipped configs that are others here, by what they assign."""
    codes: dict[str, dict[str, Any]] = {
        "labeled_source": sources.labeled.code,
        "unlabeled_source": sources.unlabeled,
        "val_source": sources.val.code,
    }
    if base.task == "detection":
        known = sources.val.code["type"] == "CocoDataset"
        file = {"ann_file": sources.val.code["ann_file"]} if known else {}
        metric = Code("['bbox', 'segm'] if with_mask else 'bbox'")
        codes["val_evaluator"] = {"type": "CocoMetric", **file, "metric": metric}
    else:
        codes["load_labels"] = {"type": "LoadMask"}
    if optimizer is not None:
        codes["optim_wrapper"] = optimizer
    return {
        target: f"{target} = {literal(code, len(target) + 3)}" for target, code in codes.items()
    }


def _optimizer(
    base: Base, known: dict[str, Any], *, images: int
) -> tuple[dict[str, Any] | None, float]:
    """The base's own optimizer where the method's (SGD) would not do, and the learning rate.

    It follows the labeled images of an iteration in all processes, in proportion.
    """
    wrapper = base.config.get("optim_wrapper") or {}
    optimizer = wrapper.get("optimizer") or {}
    if optimizer.get("type", "SGD") == "SGD" or "lr" not in optimizer:
        return None, float(f"{known['lr'] * images / 2:.3g}")
    lr = float(f"{optimizer['lr'] * images / base_batch(base.config, base.name):.3g}")
    plain = {"type": "OptimWrapper", "optimizer": {**optimizer, "lr": Code("lr")}}
    extra = {k: wrapper[k] for k in ("paramwise_cfg", "clip_grad") if wrapper.get(k)}
    return {**plain, **extra}, lr


def _need_outlines(base: Base, sources: Sources) -> None:
    for part in (sources.labeled, sources.val):
        for picture in part.data.pictures:
            for instance in picture.instances:
                if instance.segmentation is None and not instance.ignored:
                    raise_data_error(
                        "objects without an outline",
                        picture.where or part.data.source,
                        found="a box",
                        allowed=f"polygons or masks, which {base.name} learns",
                        advice="Take a base without masks, such as faster-rcnn-r50",
                    )


def side_folder(out: Path) -> Path:
    """Where what has to be written goes, for a config that is written to `out`."""
    return out.with_name(_SIDE.format(out.stem))
