"""The checks in a row: for a config, for data alone, and the quick ones that training runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..formats import DataError, Guess, Issue
from .annotations import check_annotations, compare_classes
from .config_sources import READERS, of_config
from .files import check_files
from .findings import Findings
from .overlap import check_overlap
from .parallel import Progress, silent
from .settings import check_settings
from .sources import Role, Source, of_data


def examine_config(
    config: Any, *, full: bool = False, workers: int | None = None, progress: Progress = silent
) -> Findings:
    """All that can be known about a training before it starts.

    Args:
        config: An MMEngine config.
        full: Decode every image, instead of reading header and end; compare images by their
            looks.
        workers: Processes; None: one for each core.
        progress: Called with (what, done, total).
    """
    findings = Findings()
    pool: dict[str, Any] = {"workers": workers, "progress": progress}
    with _scope(config):
        sources = of_config(config, findings)
        check_settings(config, sources, findings)
        _weights(config, findings)
        for source in sources:
            check_annotations(source, findings, **pool)
        compare_classes(sources, findings)
        check_files(sources, findings, full=full, **pool)
        check_overlap(sources, findings, **pool)
        if full:
            _pictures(sources, findings, pool)
        _views(config, findings)
    return findings


def examine_data(
    parts: Mapping[Role, Guess],
    *,
    full: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
    **reading: Any,
) -> Findings:
    """The same for data without a config; `reading` goes before what the guesses say."""
    findings = Findings()
    pool: dict[str, Any] = {"workers": workers, "progress": progress}
    sources: list[Source] = []
    for role, found in parts.items():
        try:
            sources.append(of_data(found, role, findings, **reading))
        except DataError as error:
            findings.extend(error.issues)
        except (OSError, ValueError) as error:
            findings.add(
                "error", "files", "data that cannot be opened", found.source, found=str(error),
                advice="Check the path; docs/datasets.md shows the layout of each format",
            )  # fmt: skip
    for source in sources:
        check_annotations(source, findings, **pool)
    check_files(sources, findings, full=full, **pool)
    check_overlap(sources, findings, **pool)
    if full:
        _pictures(sources, findings, pool)
    return findings


def _pictures(sources: Sequence[Source], findings: Findings, pool: Mapping[str, Any]) -> None:
    """What needs the pixels of all images."""
    from .foreign import check_foreign
    from .near import check_near
    from .pictures import look_at_pictures

    pictures = look_at_pictures(sources, **pool)
    check_near(sources, pictures, findings)
    check_foreign(sources, pictures, findings)
    findings.looked_at["pictures"] = f"{len(pictures)} compared: looks, patterns, statistics"


def try_training(config: Any, name: str, findings: Findings) -> None:
    """Two steps, an evaluation, a checkpoint: does it run, and how long will it take?"""
    from ..engine.trial import try_out
    from ..exits import CheckpointError, RunError

    try:
        trial = try_out(config, name)
    except RunError as error:
        told = str(error).removeprefix(f"config {name}: ").splitlines()[0]
        advice = f"SSDET_TRACEBACK=1 ssdet train {name} --dry-run shows where"
        if isinstance(error.__cause__, CheckpointError):
            advice = (
                "Fetch the file as the note on weights says, or write the config anew: "
                "ssdet init --weights none --force"
            )
        findings.add(
            "error", "model", "training that does not run", name, found=told, allowed="",
            advice=advice,
        )  # fmt: skip
        return
    findings.looked_at["model"] = trial.told
    dead = [key for key, value in trial.losses.items() if value != value]
    if dead:
        findings.add(
            "error", "model", "loss that is not a number", name, found=", ".join(dead),
            allowed="finite losses", advice="Make the learning rate smaller; look at the labels",
        )  # fmt: skip


def quick_check(config: Any, *, strict: bool = False) -> Findings:
    """What training checks of itself: settings, annotation files, overlap by name.

    Raises `DataError` with all errors. Faulty records that training leaves out are warnings, unless
    `strict`. Annotation files are read record by record, whatever their size; label maps are not.
    """
    findings = Findings()
    with _scope(config):
        sources = of_config(config, findings)
        check_settings(config, sources, findings)
        _weights(config, findings)
        for source in sources:
            check_annotations(source, findings, decode=False)
        compare_classes(sources, findings)
        check_overlap(sources, findings, content=False)
    # What cannot be built is reported when it is built.
    findings.found = [issue for issue in findings.found if issue.kind != "closed"]
    if not strict:
        findings.found = [_go_on(issue) for issue in findings.found]
    errors = findings.of("error", "warning") if strict else findings.of("error")
    if errors:
        raise DataError(*errors)
    return findings


def _go_on(issue: Issue) -> Issue:
    what = f"{issue.what} (left out)"
    return replace(issue, severity="warning", what=what) if issue.left_out else issue


def _weights(config: Any, findings: Findings) -> None:
    from .weights import check_weights  # which imports torch

    check_weights(config, findings)


def _scope(config: Any) -> Any:
    from mmengine.registry import DefaultScope

    return DefaultScope.overwrite_default_scope(config.get("default_scope", "mmengine"))


def _views(config: Any, findings: Findings) -> None:
    """Whether every transform of the unlabeled views records how it moves pixels."""
    from ..datasets.view_check import ViewGeometryError, check_views
    from ..registry import DATASETS

    dataset = (config.get("train_dataloader") or {}).get("dataset")
    if dataset is None or findings.of("error"):
        return  # the data set may not open, and that was reported
    where = "train_dataloader.dataset"
    try:
        check_views(DATASETS.build(dataset))
    except ViewGeometryError as error:
        for problem in error.problems:
            findings.add(
                "error", "views", "transform does not record its geometry", where,
                found=problem.strip(),
                allowed="transforms that record how they move pixels", advice=error.advice,
            )  # fmt: skip
    except Exception as error:
        findings.add(
            "error", "views", "training set without a usable sample", where,
            found=f"{type(error).__name__}: {error}", allowed="a first sample",
                advice="Correct the pipeline or the data",
        )  # fmt: skip
    else:
        findings.looked_at["views"] = "every transform tried on a test image"


def make_strict(config: Any) -> None:
    """Make an error of everything that data sets would skip and count."""
    for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
        _make_strict((config.get(loader) or {}).get("dataset"))


def _make_strict(options: Any) -> None:
    if not isinstance(options, Mapping):
        return
    if options.get("type") == "LabeledUnlabeledDataset":
        options["bad_image_limit"] = 0  # type: ignore[index]
    elif options.get("type") in READERS:
        options["strict"] = True  # type: ignore[index]
    for part in (*(options.get("datasets") or ()), options.get("dataset")):
        _make_strict(part)
