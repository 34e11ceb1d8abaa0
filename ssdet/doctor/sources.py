"""The data sets of a config as the doctor sees them: role, images, annotations, classes."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ..datasets.branches import has_labels
from ..datasets.image_limits import DEEP
from ..datasets.image_list import ImageList
from ..datasets.splits import match
from ..formats import Annotations, DataError, Guess, ImageRecord, MaskEncoding, examine
from ..formats.annotations import Reading
from ..formats.class_values import encoding_of
from ..formats.coco import open_coco, parse_coco
from ..formats.files import read_lines
from ..formats.guessed import options_for
from ..formats.guessing import Survey, label_maps
from ..formats.issues import Kind
from ..formats.json_stream import JsonFile
from ..formats.made_lists import root_of
from ..formats.masks import PRESETS, preset_classes
from ..formats.options import option
from ..formats.places import images_near, names_in
from ..labels import IGNORE
from .findings import Findings
from .uncorrected import as_mmdetection_reads, check_mark

Role = Literal["labeled", "unlabeled", "validation"]
# Records that MMDetection's `CocoDataset` drops silently.
_DROPPED: tuple[Kind, ...] = ("unknown image", "unknown category", "empty box", "outside box")
# Packing the list takes a quarter of a second, which pays for workers only.
_LIST_ONLY: dict[str, Any] = {"pipeline": [], "serialize_data": False}
READERS = ("LabeledImages", "LabeledMasks")


@dataclass(frozen=True, slots=True)
class Listed:
    """An image file, and the size that the annotations say."""

    path: str
    where: str
    width: int | None = None
    height: int | None = None


@dataclass
class Source:
    """One data set.

    Attributes:
        role: What it is used for.
        name: Key of the config, or the path that was given.
        images: The files.
        data: Annotations; None where there are none, or they could not be read.
        classes: Those of the config; None: the file's.
        uncorrected: It is a `CocoDataset` of MMDetection, which trains on what the file says.
        rotates: Whether the loader applies the EXIF orientation.
        deep: Whether the loader knows what to do with more than 8 bits in a channel.
        bad_image_limit: Share of an unlabeled source that may be unreadable.
    """

    role: Role
    name: str
    images: list[Listed] = field(default_factory=list)
    data: Annotations | None = None
    classes: tuple[str, ...] | None = None
    uncorrected: bool = False
    rotates: bool = True
    deep: bool = False
    bad_image_limit: float = 0.01


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


def of_data(found: Guess, role: Role, findings: Findings, **reading: Any) -> Source:
    """A data set that is given by itself; options of the reader go before those of the guess."""
    path = found.source
    source = Source(role, str(path))
    if source.name in findings.taken_for:  # another part of the same data
        source.name += f" ({role})"
    if found.why:
        findings.taken_for[source.name] = f"{found.format}: {found.told}"
    if found.format == "images":
        source.images = _unlabeled(path, reading.get("images"))
        _unread(source, found, findings)
        return source
    options = options_for(found, reading)
    if found.format == "coco" and not options.get("images"):
        options["images"] = path.parent
    data, issues = examine(path, found.format, **options)
    findings.extend(issues)
    if data is not None:
        if found.only:
            names = [record.name for record in data.records]
            data = data.subset(match(read_lines(found.only), names, found.only))
        _use(source, data)
        if not (found.only or options.get("split")):  # else the others belong to other parts
            _without_labels(path, found.format, data, findings)
    return source


def _unlabeled(path: Path, folder: Path | None) -> list[Listed]:
    if folder is None and path.is_file():
        folder = root_of(path) or images_near(names_in(path), path, [])
    root = {} if folder is None else {"data_root": str(folder)}
    return _listing({"source": str(path), **root})


def _unread(source: Source, found: Guess, findings: Findings) -> None:
    """Files among the images that may be labels: to pass over them must not look like a check."""
    path = found.source
    findings.looked_at[source.name] = f"{len(source.images)} images; labels: none"
    if found.why:
        findings.add(
            "warning" if found.also else "info", "annotations", "no labels were found", path,
            found=", ".join(found.also) or "images alone", allowed="labels of a known format",
            advice="Only the images were looked at; name the format of the labels with "
            f"{option('format')}",
        )  # fmt: skip
    if not path.is_dir():
        return
    if maps := label_maps(Survey.of(path)):
        source.images = [image for image in source.images if Path(image.path) not in maps]
        findings.looked_at[source.name] = f"{len(source.images)} images; labels: none"
        findings.add(
            "error", "files", "label maps among the unlabeled images", min(maps),
            found=f"{len(maps)} label maps", allowed="photographs alone",
            advice="They would be learned from as pictures: name the folder of the images, or let "
            "`ssdet init` leave them out",
        )  # fmt: skip


def _without_labels(path: Path, form: str, data: Annotations, findings: Findings) -> None:
    """Images beside labels of one file for each image that have none."""
    if not path.is_dir() or form not in ("voc", "labelme") or data.images is None:
        return
    labeled = {data.path(record) for record in data.records}
    bare = [
        p for paths in Survey.of(data.images).images.values() for p in paths if p not in labeled
    ]
    if bare:
        findings.add(
            "info", "files", "images without labels", bare[0], found=f"{len(bare)} images",
            advice="They are left out here; as unlabeled images they are of use",
        )  # fmt: skip


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
        source.images = _listing(options)
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
    path = Path(options["source"])
    format = options.get("format", "coco" if options["type"] == "LabeledImages" else "list")
    keys = ("images", "masks", "split", "follow_links", "ignore")
    reading: dict[str, Any] = {key: options[key] for key in keys if options.get(key)}
    if options["type"] == "LabeledMasks":
        reading["classes"] = source.classes or ()
        if options.get("values") or options.get("colors"):
            said = {key: options.get(key) for key in ("values", "colors")}
            reading["encoding"] = encoding_of(**said, ignore=reading.pop("ignore", ()))
    data, issues = examine(path, format, **reading)
    lenient = data is not None and not options.get("strict", False)
    findings.extend(issues, lambda issue: lenient and issue.left_out)
    if data is None:
        return
    if options.get("only"):
        only = Path(options["only"])
        data = data.subset(match(read_lines(only), [p.name for p in data.records], only))
    _use(source, data)


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
    _use(source, data)


def _add_fog(source: Source, data: Annotations, options: Mapping[str, Any]) -> None:
    """The files of `FoggyCityscapes` have other names than its annotation file says."""
    from ..datasets.foggy import foggy_name

    for record in data.records:
        record.name = foggy_name(record.name, options.get("beta", 0.02), str(data.source))
    _use(source, data)


def _hidden_annotations(source: Source, content: JsonFile, findings: Findings) -> None:
    count = len(content.get("annotations") or [])
    if count:
        findings.add(
            "warning", "annotations", "unlabeled source with annotations", content.path,
            found=f"{count} annotations in {source.name}", allowed="none",
            advice="They stay unused only if the pipeline never loads them: use UnlabeledImages, "
            "which does not read them",
        )  # fmt: skip


def _use(source: Source, data: Annotations) -> None:
    source.data = data
    if data.images is not None:
        source.images = [
            Listed(str(data.path(p)), p.where or str(data.source), p.width, p.height)
            for p in data.records
        ]


def _listing(options: Mapping[str, Any]) -> list[Listed]:
    """All images of a source; files that are missing are left to the check of the files."""
    known = ("source", "data_root", "img_prefix", "img_suffix", "max_share")
    given = {
        key: os.fspath(value) if isinstance(value := options[key], os.PathLike) else value
        for key in known
        if options.get(key) is not None
    }
    name = str(options["source"])
    infos = ImageList(**given, may_miss=True).images()
    return [Listed(i["img_path"], name, i.get("width"), i.get("height")) for i in infos]


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
    _use(source, Annotations(place, Path(), classes, records, encoding))
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
