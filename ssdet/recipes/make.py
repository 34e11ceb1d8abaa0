"""From data and the name of a model to a config that trains: `ssdet init` and `semi_supervise`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from ..exits import UsageError
from ..formats import class_settings
from ..formats.class_values import Values
from ..formats.options import option, python_arguments
from .asked import ASKED, asked_settings, gap_notes
from .data import Sources
from .labeled import Data
from .methods import METHODS
from .models import find_base, fit_model, model_settings
from .needs import choose_method
from .pair import pair_settings
from .recipe import Code, Note
from .schedule import make_plan, schedule_settings, variable_settings
from .views import view_settings
from .weights import choose_start
from .writer import literal, write

_FEWEST = 20  # iterations
_WIDTH = 100  # so that each base has a line of its own
_CLASS_OPTIONS = ("colors", "ignore", "reduce_zero_label")
_PATHS = "Paths are relative to the folder in which the training is started."


@dataclass(frozen=True)
class Written:
    """A config, its method, and what the user has to know."""

    text: str
    method: str
    summary: str
    notes: list[str] = field(default_factory=list)


def make_config(
    base: str,
    method: str,
    data: Data,
    *,
    side: Path,
    gpus: int = 1,
    batch: tuple[int, int] | None = None,
    iterations: int | None = None,
    weights: str = "auto",
    title: str = "",
) -> Written:
    """Read the data, choose the numbers, and write the text.

    Args:
        base, method, gpus, batch, iterations, weights: See `semi_supervise`.
        data: What the user says about the data.
        side: Folder for lists and converted labels.
        title: First line of the text.
    """
    if iterations is not None and iterations < _FEWEST:
        raise UsageError(
            f"{option('iterations', iterations)}: {_FEWEST} or more, since evaluations and "
            f"drawings come at fractions of them"
        )
    supervised = find_base(base)
    method = choose_method(method, supervised)
    recipe = METHODS[method]
    start = choose_start(weights, supervised)
    loaded = start.load_from is not None
    fitted = fit_model(supervised, recipe.network, pretrained=start.pretrained, loaded=loaded)
    model = model_settings(supervised, fitted)
    sources = Sources(data, supervised, side)
    asked = asked_settings(method, data, sources.classes)
    plan = make_plan(
        supervised, recipe, sources.labeled.data, sources.count,
        gpus=gpus, batch=batch, iterations=iterations,
    )  # fmt: skip
    inherited = [supervised.inherited] if supervised.inherited else []
    heading = (title or f"{method} for {base}", sources.summary, _PATHS)
    blocks = {
        "": {"_base_": _bases(inherited)},
        "What to change first.": variable_settings(supervised, sources.classes, plan),
        "The data.": {**sources.settings, **asked},
        "From images to views and batches.": view_settings(recipe, sources.val.code),
        "The model and the method.": pair_settings(recipe, supervised, model),
        "The schedule.": schedule_settings(supervised),
    }
    if loaded:
        blocks["The start."] = {"load_from": Note(start.load_from, "fills teacher and student")}
    gaps = gap_notes(method, sources.labeled.data, sources.val.data)
    notes = [*sources.notes, *gaps, start.told]
    return Written(write(heading, blocks), method, sources.summary, notes)


def _bases(inherited: list[str]) -> Note:
    """The bases, in a way that any script can read, not only those that have imported ssdet."""
    names = literal([*inherited, "ssdet::_base_/default_runtime.py"], used=_WIDTH)
    return Note(
        Code(f"__import__('ssdet') and {names}"),
        "Imported here, ssdet tells MMEngine where its configs are, and MMSegmentation's.",
    )


def semi_supervise(
    base_config: str,
    *,
    labeled: str | Path,
    unlabeled: str | Path | None = None,
    method: str = "auto",
    val: str | Path | None = None,
    classes: str | Path | Sequence[str] | None = None,
    values: Values | None = None,
    work: str | Path = "semi_supervised_data",
    gpus: int = 1,
    batch: tuple[int, int] | None = None,
    iterations: int | None = None,
    weights: str = "auto",
    pretrained: bool = True,
    **options: Any,
) -> Config:
    """The config of a semi-supervised training; what `ssdet init` writes as a file.

    Args:
        base_config: A config of MMDetection or MMSegmentation (path, `mmdet::...`, `mmseg::...`),
            or a short name (`ssdet.recipes.BASES`).
        labeled: Labeled data, in any format of `ssdet.formats.FORMATS`.
        unlabeled: Folder, glob, list or COCO json. None: what `ssdet split` wrote beside the
            labeled list, or `unlabeled:` of a data.yaml.
        method: A key of `ssdet.recipes.METHODS`, or "auto": the one that is recommended for the
            model of the base.
        val: Data to validate on. None: a fifth of the labeled images.
        classes: Names, or a file of them, where the data does not say them.
        values: Gray values of label maps in the order of the classes, such as (0, 255); several
            for one class are a sequence.
        work: Folder for lists and converted labels, where any are needed.
        gpus: Processes of the training.
        batch: Labeled and unlabeled images per process and iteration.
        iterations: Length of the training.
        weights: What to start from: "coco", "imagenet" (the files that the base names), "none", a
            file, an address or a name. "auto": COCO, where the base was trained on it.
        pretrained: False is `weights="none"`.
        options: Further fields of `Data` (`format`, `only`, `split`, `val_split`, `images`,
            `val_images`, `val_masks`, `external`, `tags`) and of `ssdet.formats.Reading` (`masks`,
            `ignore`, `colors`, `reduce_zero_label`, `follow_links`).
    """
    for key in ("only", "images", "val_images", "masks", "val_masks", "colors", *ASKED):
        if options.get(key) is not None:
            options[key] = Path(options[key])
    with python_arguments():
        names = Path(classes) if isinstance(classes, (str, Path)) else classes
        about = {key: options.pop(key) for key in _CLASS_OPTIONS if key in options}
        reading = {**class_settings(names, values, **about), **options.pop("reading", {})}
        reading |= {key: options.pop(key) for key in ("masks", "follow_links") if key in options}
        data = Data(
            Path(labeled), str(unlabeled or ""), Path(val) if val else None,
            reading={key: value for key, value in reading.items() if value}, **options,
        )  # fmt: skip
        written = make_config(
            base_config, method, data,
            side=Path(work), gpus=gpus, batch=batch, iterations=iterations,
            weights=weights if pretrained else "none",
        )  # fmt: skip
    for note in written.notes:
        print_log(note, logger="current")
    return Config.fromstring(written.text, ".py")
