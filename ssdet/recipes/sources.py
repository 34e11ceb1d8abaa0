"""The data of a recipe: read, checked, and said as data sets of a config."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..datasets.splits import match, priorities
from ..datasets.unlabeled import UnlabeledImages
from ..formats import Annotations, components, read, write_coco, write_masks
from ..formats.files import load_json, read_lines
from ..formats.issues import raise_data_error
from ..formats.write import write_text
from .literals import Code
from .places import coco_images, find_root, guess_format, names_in, read_names, refuse_missing

HELD_OUT = 0.2  # share of the labeled images to validate on, where there are no others


@dataclass(frozen=True)
class Data:
    """What the user says about the data.

    Attributes:
        labeled, unlabeled, val: Files or folders; `val` is None where images are to be held out.
        format: A key of `ssdet.formats.FORMATS`, or None: seen from the files.
        only: List of the labeled images to use, as `ssdet split` writes it.
        split, val_split: Parts of the data, where a source has several.
        images: Folder of the images, where the sources do not say it.
        val_images: Folder of the images to validate on, where it is another one.
        class_file: Names (and colors) of the classes.
        reading: Further fields of `ssdet.formats.Reading`.
    """

    labeled: Path
    unlabeled: str
    val: Path | None = None
    format: str | None = None
    only: Path | None = None
    split: str | None = None
    val_split: str | None = None
    images: Path | None = None
    val_images: Path | None = None
    class_file: Path | None = None
    reading: dict[str, Any] = field(default_factory=dict)


@dataclass
class Part:
    """Labeled images: what is in them, and the data set of the config that reads them."""

    data: Annotations
    format: str
    code: dict[str, Any]

    @property
    def paths(self) -> set[str]:
        """The files, with links resolved."""
        return {os.path.realpath(self.data.path(picture)) for picture in self.data.pictures}


class Sources:
    """The three sources of a recipe.

    Args:
        data: What the user says.
        task: 'detection' or 'segmentation'.
        side: Folder for what has to be written; it is made when it is needed.

    Attributes:
        labeled, val: Labeled images to train on and to validate on.
        unlabeled: The data set of the config that reads the unlabeled images.
        count: Number of unlabeled images.
        notes: What the user has to know.
    """

    def __init__(self, data: Data, task: str, side: Path) -> None:
        self.said, self.task, self.side = data, task, side
        self.notes: list[str] = []
        self.labeled = self._part(data.labeled, data.split, "labeled", data.only)
        self.classes = self._classes()
        if data.val or data.val_split:
            self.val = self._part(data.val or data.labeled, data.val_split, "val", None)
            self._same_classes()
            if shared := self.labeled.paths & self.val.paths:
                _refuse_shared("labeled", data.labeled, shared)
        else:
            self._hold_out()
        self.unlabeled, paths = self._find_unlabeled()
        self.count = len(paths)
        self._compare(paths)

    def _part(self, source: Path, split: str | None, name: str, only: Path | None) -> Part:
        if not source.exists():
            refuse_missing(f"--{name}", source)
        form = self.said.format if name == "labeled" or self.said.format else None
        form = form or guess_format(source, self.task)
        images = (self.said.val_images if name == "val" else None) or self.said.images
        options = {**self.said.reading, "split": split, "images": images}
        if form == "coco":
            options["content"] = content = load_json(source)
            options["images"] = coco_images(source, content, images)
        data = read(source, form, strict=False, **options)
        if only:
            names = [picture.name for picture in data.pictures]
            data = data.subset(match(read_lines(only), names, only))
        first = data.path(data.pictures[0])
        if not first.is_file():
            raise_data_error(
                "missing image",
                f"{source}: {data.pictures[0].where}",
                found=f"no file {first}",
                allowed="the image",
                advice="Say where the images lie with --images",
            )
        return self._readable(data, form, name, images=images, split=split, only=only)

    def _readable(self, data: Annotations, form: str, name: str, **asked: Any) -> Part:
        """Converted beside the config, if the task needs another kind of labels."""
        said, asked = self.said, {key: str(value) for key, value in asked.items() if value}
        if self.task == "detection":
            if data.encoding is None and form != "cityscapes-instances":
                return Part(data, form, self._images_code(data, form, **asked))
            data = components(data) if data.encoding else data
            path = write_coco(data, self.side / f"{name}.json", force=True)
            self.notes.append(
                f"label maps of {data.source} became boxes, one for each connected region: {path}"
            )
            return Part(data, "coco", self._images_code(replace(data, source=path), "coco"))
        if data.encoding is not None and not {"encoding", "masks"} & said.reading.keys():
            code: dict[str, Any] = {"type": "LabeledMasks", "source": str(data.source)}
            code |= {"format": form, "classes": Code("classes")}
            if said.class_file and said.reading.get("colors"):
                code["classes"] = str(said.class_file)
            return Part(data, form, code | asked)
        written = write_masks(data, self.side / name, force=True)
        pairs = [(data.path(picture).resolve(), mask.resolve()) for picture, mask in written]
        root = Path(os.path.commonpath([path.parent for pair in pairs for path in pair]))
        lines = [f"{image.relative_to(root)} {mask.relative_to(root)}\n" for image, mask in pairs]
        path = write_text(self.side / f"{name}.txt", "".join(lines), force=True)
        self.notes.append(f"labels of {data.source} became label maps: {self.side / name}")
        data = read(path, "list", images=root, classes=read_names(self.side / name))
        code = {"type": "LabeledMasks", "source": str(path), "format": "list"}
        return Part(data, "list", code | {"images": str(root), "classes": Code("classes")})

    @staticmethod
    def _images_code(data: Annotations, form: str, **asked: str) -> dict[str, Any]:
        classes = {"classes": Code("classes")}
        if form == "coco" and "only" not in asked:
            prefix = {"img": f"{data.images}/"}
            code = {"type": "CocoDataset", "ann_file": str(data.source), "data_prefix": prefix}
            return {**code, "metainfo": classes}
        if form == "coco":
            asked["images"] = str(data.images)
        code = {"type": "LabeledImages", "source": str(data.source), "format": form}
        return {**code, **asked, "metainfo": classes}

    def _classes(self) -> tuple[str, ...]:
        """Names in the order of the labels; what has no example is told."""
        data, chosen = self.labeled.data, self.said.reading.get("classes") or ()
        classes = data.classes
        if self.task == "detection" and chosen:
            classes = tuple(name for name in classes if name in chosen)
        seen = set().union(*(data.labels_in(picture) for picture in data.pictures))
        present = [name for name in classes if data.classes.index(name) in seen]
        if self.task == "segmentation" and len(classes) < 2:
            raise_data_error(
                "fewer than two classes in the label maps",
                data.source,
                found=list(classes),
                allowed="two or more; 255 is ignored",
                advice="Say which gray values are the "
                "classes, such as --values 0,255; name them with --classes FILE",
            )
        if not present:
            raise_data_error(
                "no labeled object",
                data.source,
                found=f"{len(data.pictures)} images without one of {', '.join(data.classes)}",
                allowed="some objects of the classes",
                advice="Is this the labeled part? Names "
                f"are case-sensitive{': ' + ', '.join(chosen) if chosen else ''}",
            )
        if missing := [name for name in classes if name not in present]:
            self.notes.append(
                f"no labeled image has {', '.join(missing)}: it cannot be learned; label one, or "
                f"leave it out with --classes"
            )
        return classes

    def _same_classes(self) -> None:
        data, classes = self.val.data, self.classes
        named = [name for name in data.classes if name in classes]
        extra = [name for name in data.classes if name not in classes]
        if extra and not self.said.reading.get("classes"):
            raise_data_error(
                "validation data with other classes",
                data.source,
                found=", ".join(data.classes),
                allowed=f"those of {self.labeled.data.source}: {', '.join(classes)}",
                advice="Names are case-sensitive; rename them, or choose "
                "the common ones with --classes FILE",
            )
        if missing := [name for name in classes if name not in named]:
            self.notes.append(f"the validation data has no {', '.join(missing)}")
        if self.val.code["type"] == "CocoDataset" and tuple(named) != classes:
            # `CocoDataset` numbers classes in the order of its file; `LabeledImages` goes by name.
            code = {"type": "LabeledImages", "source": str(data.source), "format": "coco"}
            metainfo = self.val.code["metainfo"]
            self.val.code = {**code, "images": str(data.images), "metainfo": metainfo}

    def _hold_out(self) -> None:
        """Divide the labeled images; every class stays among those to train on."""
        data, form, code = self.labeled.data, self.labeled.format, self.labeled.code
        count = max(1, round(HELD_OUT * len(data.pictures)))
        if len(data.pictures) < 2:
            raise_data_error(
                "one labeled image and no validation data",
                data.source,
                found="1 image",
                allowed="two or more",
                advice="Give other labeled images with --val",
            )
        by_name = {picture.name: picture for picture in data.pictures}
        order = priorities(
            list(by_name), lambda name: data.labels_in(by_name[name]), len(data.classes)
        )
        parts = []
        for name, chosen in (("labeled", order[:-count]), ("val", order[-count:])):
            path = self.side / f"{name}-images.txt"
            write_text(path, "".join(f"{line}\n" for line in sorted(chosen)), force=True)
            if code["type"] == "CocoDataset":
                part = self._images_code(data, "coco", only=str(path))
            else:
                part = {**code, "only": str(path)}
            parts.append(Part(data.subset(chosen), form, part))
        self.labeled, self.val = parts
        self.notes.append(
            f"no --val: {count} of {len(order)} labeled images are held out to validate on and "
            f"not trained on: {path}"
        )

    def _find_unlabeled(self) -> tuple[dict[str, Any], list[str]]:
        source, root = self.said.unlabeled, None
        file = Path(source)
        if file.is_file():
            known = [self.said.images, self.labeled.data.images]
            root = find_root(names_in(file), file, [path for path in known if path])
        options = {"source": source, **({"data_root": str(root)} if root else {})}
        try:
            found = UnlabeledImages(**options, pipeline=[])  # type: ignore[arg-type]
        except (ValueError, OSError) as error:
            raise_data_error(
                "unusable unlabeled images",
                f"--unlabeled {source}",
                found="none to learn from",
                allowed="a folder, a glob in quotes, a list or a COCO json, with images",
                advice=str(error),
            )
        paths = [found.get_data_info(number)["img_path"] for number in range(len(found))]
        return {"type": "UnlabeledImages", **options}, paths

    def _compare(self, paths: list[str]) -> None:
        real = {os.path.realpath(path): path for path in paths}
        if shared := real.keys() & self.val.paths:
            if self.said.val or self.said.val_split:
                _refuse_shared("unlabeled", self.said.unlabeled, shared)
            kept = [os.path.relpath(path) for path in real if path not in shared]
            if not kept:
                _refuse_shared("unlabeled", self.said.unlabeled, shared)
            root = os.path.commonpath([os.path.dirname(path) or "." for path in kept])
            lines = "".join(f"{os.path.relpath(path, root)}\n" for path in kept)
            file = write_text(self.side / "unlabeled-images.txt", lines, force=True)
            self.unlabeled = {"type": "UnlabeledImages", "source": str(file), "data_root": root}
            self.count = len(kept)
            self.notes.append(f"{len(shared)} unlabeled images that are held out are left out")
        if both := len(real.keys() & self.labeled.paths):
            self.notes.append(f"{both} images are labeled and unlabeled; they are used as both")
        if (labeled := len(self.labeled.data.pictures)) >= self.count:
            self.notes.append(
                f"{labeled} labeled and {self.count} unlabeled images: expect little beyond the "
                f"labels alone; more unlabeled images help more"
            )


def _refuse_shared(kind: str, source: object, shared: Iterable[str]) -> None:
    images = sorted(shared)
    raise_data_error(
        f"{kind} images that are also validated on",
        str(source),
        found=f"{len(images)} images, such as {os.path.relpath(images[0])}",
        allowed="different images",
        advice="They would make the results too good: leave them out; `ssdet split` writes a list "
        "without them",
    )
