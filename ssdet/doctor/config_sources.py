"""The data sets that a config names, as the doctor sees them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..datasets.branches import has_labels
from ..datasets.elsewhere import addresses, local_copy, place_of_images
from ..datasets.image_limits import DEEP
from ..datasets.sources import lies_elsewhere
from ..datasets.splits import match
from ..formats import Annotations, DataError, ImageRecord, MaskEncoding, examine
from ..formats.annotations import Reading
from ..formats.benchmarks import PRESETS, preset_classes
from ..formats.class_values import encoding_of
from ..formats.coco import open_coco, parse_coco
from ..formats.files import read_lines
from ..formats.issues import Kind
from ..formats.json_stream import JsonFile
from ..labels import IGNORE
from .findings import Findings
from .sources import Listed, Role, Source, listing, use
from .uncorrected import as_mmdetection_reads, check_mark

# Records that MMDetection's `CocoDataset` drops silently.
_DROPPED: tuple[Kind, ...] = ("unknown image", "unknown category", "empty box", "outside box")
# Packing the list takes a quarter of a second, which pays for workers only.
_LIST_ONLY: dict[str, Any] = {"pipeline": [], "serialize_data": False}
READERS = ("LabeledImages", "LabeledMasks")


def of_config(config: Any, findings: Findings) -> list[Source]:
    """All sources of a config, and what their readers found."""
    sources = []
    for name, role, options in entries(config):
        source = Source(role, name, rotates=_rotates(options.get("pipeline")))
        source.deep = _is_deep(options.get("pipeline"))
        source.bad_image_limit = _limit(config)
        try:
            _fill(source, options, findings)
        except DataError as error:
            findings.extend(error.issues)
        except Exception as error:
            findings.add(
                "error", "files", "data set that cannot be opened", name, kind="closed",
                found=f"{type(error).__name__}: {error}", allowed="files and folders that exist",
                advice="Correct the paths in the config; they start in the current folder",
            )  # fmt: skip
        sources.append(source)
    return sources


def entries(config: Any) -> Iterator[tuple[str, Role, Mapping[str, Any]]]:
    """(key, role, config) of every data set, without the wrappers around them."""
    train = (config.get("train_dataloader") or {}).get("dataset")
    if train is not None:
        yield from _unwrapped("train_dataloader.dataset", train, None)
    seen = []
    for loader in ("val_dataloader", "test_dataloader"):
        dataset = (config.get(loader) or {}).get("dataset")
        if dataset is not None and dataset not in seen:
            seen.append(dataset)
            for name, _, options in _unwrapped(f"{loader}.dataset", dataset, "validation"):
                yield name, "validation", options


def _unwrapped(
    name: str, options: Mapping[str, Any], role: Role | None
) -> Iterator[tuple[str, Role, Mapping[str, Any]]]:
    if "datasets" in options:
        ours = options.get("type") == "LabeledUnlabeledDataset"
        labeled = options.get("labeled", 1) if ours else len(options["datasets"])
        for number, part in enumerate(options["datasets"]):
            part_role: Role | None = role or ("unlabeled" if number >= labeled else None)
            yield from _unwrapped(f"{name}.datasets[{number}]", part, part_role)
    elif "dataset" in options:
        yield from _unwrapped(f"{name}.dataset", options["dataset"], role)
    else:
        yield name, role or _role(options), options


def _role(options: Mapping[str, Any]) -> Role:
    """Labeled, unless the class or the views of the pipeline say otherwise."""
    bare = options.get("type") == "UnlabeledImages"
    return "labeled" if has_labels(options.get("pipeline")) and not bare else "unlabeled"


def _fill(source: Source, options: Mapping[str, Any], findings: Findings) -> None:
    from ..datasets.unlabeled import UnlabeledImages
    from ..registry import DATASETS

    kind = str(options.get("type")).rpartition(".")[2]
    with DATASETS.switch_scope_and_registry(None) as registry:
        cls = registry.get(options["type"]) if isinstance(options["type"], str) else options["type"]
    if cls is None:
        raise ValueError(f"no data set is registered as {options['type']!r}")
    source.classes = _classes(options, cls)
    bases = {base.__name__ for base in cls.__mro__}
    if issubclass(cls, UnlabeledImages):
        source.images = listing(options)
    elif kind in READERS:
        _read(source, options, findings)
    elif "CocoDataset" in bases:
        _read_coco(source, options, findings)
        if "FoggyCityscapes" in bases and source.data is not None:
            _add_fog(source, source.data, options)
    elif "BaseSegDataset" in bases:
        _list_pairs(source, options)
    elif "BaseDetDataset" in bases and options.get("ann_file"):
        _list_built(source, options)


def _classes(options: Mapping[str, Any], cls: Any) -> tuple[str, ...] | None:
    stated = (options.get("metainfo") or {}).get("classes") or options.get("classes")
    if isinstance(stated, str):
        return tuple(preset_classes(stated)["classes"]) if stated in PRESETS else None
    stated = stated or getattr(cls, "METAINFO", {}).get("classes")
    return tuple(stated) if stated else None


def _read(source: Source, options: Mapping[str, Any], findings: Findings) -> None:
    file, images = options["source"], options.get("images")
    if options["type"] == "LabeledMasks" and lies_elsewhere(file, images):
        _list_built(source, options)  # the maps are not opened
        return
    at = place_of_images(file, images) if options["type"] == "LabeledImages" else None
    path = Path(local_copy(file) if at else file)
    format = options.get("format", "coco" if options["type"] == "LabeledImages" else "list")
    keys = ("images", "masks", "split", "follow_links", "ignore", "predictions")
    reading: dict[str, Any] = {key: options[key] for key in keys if options.get(key)}
    if at is not None:
        reading.pop("images", None)
    if options["type"] == "LabeledMasks":
        reading["classes"] = source.classes or ()
        if options.get("values") or options.get("colors"):
            said = {key: options.get(key) for key in ("values", "colors")}
            reading["encoding"] = encoding_of(**said, ignore=reading.pop("ignore", ()))
    elif options.get("names"):
        reading["classes"] = tuple(options["names"])
    data, issues = examine(path, format, **reading)
    lenient = data is not None and not options.get("strict", False)
    findings.extend(issues, lambda issue: lenient and issue.left_out)
    if data is None:
        return
    if options.get("only"):
        only = Path(options["only"])
        data = data.subset(match(read_lines(only), [p.name for p in data.records], only))
    use(source, data)
    if at is not None:
        found = addresses(at, data.records)
        source.images = [
            Listed(found[r.name], r.where or str(path), r.width, r.height) for r in data.records
        ]


def _read_coco(source: Source, options: Mapping[str, Any], findings: Findings) -> None:
    path = Path(_annotation_file(options))
    images = Path(_joined(options, (options.get("data_prefix") or {}).get("img", "")))
    content = open_coco(path)
    if source.role == "unlabeled":
        _hidden_annotations(source, content, findings)
        names = [r["file_name"] for r in content.get("images", [])]
        source.images = [Listed(str(images / name), str(path)) for name in names]
        return
    source.uncorrected = True
    check_mark(path, findings)
    watch = partial(as_mmdetection_reads, findings)
    # Sizes are not read from the files: `CocoDataset` wants them in the annotations.
    data = parse_coco(content, path, reading := Reading(outlines=False, watch=watch))
    findings.extend(reading.issues.found, lambda issue: issue.kind in _DROPPED)
    data.images = images
    use(source, data)


def _add_fog(source: Source, data: Annotations, options: Mapping[str, Any]) -> None:
    """The files of `FoggyCityscapes` have other names than its annotation file says."""
    from ..datasets.foggy import foggy_name

    for record in data.records:
        record.name = foggy_name(record.name, options.get("beta", 0.02), str(data.source))
    use(source, data)


def _hidden_annotations(source: Source, content: JsonFile, findings: Findings) -> None:
    count = len(content.get("annotations") or [])
    if count:
        findings.add(
            "warning", "annotations", "unlabeled source with annotations", content.path,
            found=f"{count} annotations in {source.name}", allowed="none",
            advice="They stay unused only if the pipeline never loads them: use UnlabeledImages, "
            "which does not read them",
        )  # fmt: skip


def _list_pairs(source: Source, options: Mapping[str, Any]) -> None:
    """Images and label maps of a data set of MMSegmentation."""
    from ..registry import DATASETS

    dataset = DATASETS.build({**options, **_LIST_ONLY})
    infos = [dataset.get_data_info(n) for n in range(len(dataset))]
    classes = tuple(dataset.metainfo.get("classes") or ())
    source.classes = classes or source.classes
    records = [
        ImageRecord(
            info["img_path"],
            mask=Path(mask) if (mask := info.get("seg_map_path")) else None,
            where=info["img_path"],
        )
        for info in infos
    ]
    own = getattr(dataset, "encoding", None)  # of ImagePairs
    encoding = own or MaskEncoding(len(classes), _values(dataset, len(classes)))
    place = Path(dataset.ann_file or dataset.data_prefix.get("img_path") or "")
    use(source, Annotations(place, Path(), classes, records, encoding))
    if source.role == "unlabeled" or not classes:
        source.data = None


def _values(dataset: Any, count: int) -> dict[int, int]:
    """How MMSegmentation decodes the values of a label map."""
    if dataset.label_map:
        return {IGNORE: IGNORE, **{old: new for old, new in dataset.label_map.items()}}
    first = 1 if dataset.reduce_zero_label else 0
    return {0: IGNORE, IGNORE: IGNORE, **{label + first: label for label in range(count)}}


def _list_built(source: Source, options: Mapping[str, Any]) -> None:
    """The files of any other data set that has files."""
    from ..registry import DATASETS

    dataset = DATASETS.build({**options, **_LIST_ONLY})
    for number in range(len(dataset)):
        info = dataset.get_data_info(number)
        if isinstance(info.get("img_path"), str):
            sides = info.get("width"), info.get("height")
            source.images.append(Listed(info["img_path"], str(dataset.ann_file), *sides))


def _annotation_file(options: Mapping[str, Any]) -> str:
    return _joined(options, options.get("ann_file") or "")


def _joined(options: Mapping[str, Any], path: str) -> str:
    root = options.get("data_root") or ""
    return path if os.path.isabs(path) else os.path.join(root, path)


def _limit(config: Any) -> float:
    """What the training set of a config allows."""
    dataset = (config.get("train_dataloader") or {}).get("dataset") or {}
    return float(dataset.get("bad_image_limit", Source.bad_image_limit))


def _is_deep(pipeline: Any) -> bool:
    """Whether no loader of a pipeline would turn 16 bits into the upper 8 of them."""
    loaders = [s for s in _steps(pipeline) if s.get("type") == "LoadImageFromFile"]
    return pipeline is not None and all(s.get("color_type") in DEEP for s in loaders)


def _rotates(pipeline: Any) -> bool:
    """Whether the first loader of images in a pipeline applies the EXIF orientation."""
    for step in _steps(pipeline):
        if step.get("type") == "LoadImageFromFile":
            return step.get("color_type", "color") in ("color", "grayscale")
    return True


def _steps(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, Mapping):
        yield node
        for part in node.values():
            yield from _steps(part)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for part in node:
            yield from _steps(part)
