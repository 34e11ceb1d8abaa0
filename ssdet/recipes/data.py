"""The data of a recipe: labeled and unlabeled images, and those to validate on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..datasets.split_groups import series_of
from ..datasets.splits import priorities
from ..datasets.unlabeled import UnlabeledImages
from ..formats.guessing import Survey, label_maps
from ..formats.image_header import cut_off
from ..formats.issues import raise_data_error
from ..formats.made_lists import root_of
from ..formats.options import option
from ..formats.places import find_root, names_in
from ..formats.write import write_text
from .labeled import Data, Part, coco_or_images, find_labeled, read_part
from .unlabeled import unlabeled_beside

if TYPE_CHECKING:
    from .models import Base

HELD_OUT = 0.2  # share of the labeled images to validate on, where there are no others


class Sources:
    """The three sources of a recipe.

    Args:
        said: What the user says.
        base: The supervised config; its task and its masks say which labels are needed.
        side: Folder for what has to be written; it is made when it is needed.

    Attributes:
        labeled, val: Labeled images to train on and to validate on.
        classes: Their names, in the order of the labels.
        unlabeled: The data set of the config that reads the unlabeled images.
        count: Number of unlabeled images.
        notes: What the user has to know.
    """

    def __init__(self, said: Data, base: Base, side: Path) -> None:
        self.said, self.base, self.side = said, base, side
        self.labeled = read_part("labeled", said, base.task, side)
        self.notes = [*self.labeled.notes]
        self.labeled = self._without_damaged(self.labeled, "labeled")
        if not said.unlabeled:
            found = find_labeled("labeled", said, base.task)
            source, why = unlabeled_beside(said.labeled, found, said.images)
            self.said = replace(said, unlabeled=source)
            self.notes.append(f"unlabeled: {source}, {why}")
        self.classes = self._classes()
        if said.val or said.val_split or self._has_validation():
            self.val = read_part("val", said, base.task, side)
            self.notes += self.val.notes
            self._same_classes()
            self.val = self._without_damaged(self.val, "validation")
            if shared := self.labeled.paths & self.val.paths:
                _refuse_shared("labeled", said.labeled, shared)
        else:
            self._hold_out()
        if base.has_masks:
            self._need_outlines()
        self.unlabeled, paths = self._find_unlabeled()
        self.count = len(paths)
        self._compare(paths)

    @property
    def settings(self) -> dict[str, Any]:
        """The data sets, as assignments of the config."""
        return {
            "labeled_source": self.labeled.code,
            "unlabeled_source": self.unlabeled,
            "val_source": self.val.code,
        }

    @property
    def summary(self) -> str:
        """The data in one line."""
        numbers = [len(part.data.records) for part in (self.labeled, self.val)]
        return (
            f"{numbers[0]} labeled, {self.count} unlabeled and {numbers[1]} validation images; "
            f"{len(self.classes)} classes: {', '.join(self.classes)}"
        )

    def _classes(self) -> tuple[str, ...]:
        """Names in the order of the labels; classes without an example are reported."""
        data, chosen = self.labeled.data, self.said.reading.get("classes") or ()
        classes = data.classes
        if self.base.task == "detection" and chosen:
            classes = tuple(name for name in classes if name in chosen)
        seen = set().union(*(data.labels_in(record) for record in data.records))
        present = [name for name in classes if data.classes.index(name) in seen]
        if self.base.task == "segmentation" and len(classes) < 2:
            raise_data_error(
                "fewer than two classes in the label maps",
                data.source,
                found=list(classes),
                allowed="two or more; 255 is ignored",
                advice="Say which gray values are the classes, such as "
                f"{option('values', (0, 255))}; name them with {option('classes', metavar='FILE')}",
            )
        if not present:
            raise_data_error(
                "no labeled object",
                data.source,
                found=f"{len(data.records)} images without one of {', '.join(data.classes)}",
                allowed="some objects of the classes",
                advice="Is this the labeled part? Names "
                f"are case-sensitive{': ' + ', '.join(chosen) if chosen else ''}",
            )
        if missing := [name for name in classes if name not in present]:
            self.notes.append(
                f"no labeled image has {', '.join(missing)}: it cannot be learned; label one, or "
                f"leave it out with {option('classes')}"
            )
        return classes

    def _has_validation(self) -> bool:
        """Whether the labeled data has a part to validate on, and nothing else was chosen."""
        if self.said.format or self.said.reading.get("masks"):
            return False
        found = find_labeled("labeled", self.said, self.base.task)
        return found.validation is not None

    def _same_classes(self) -> None:
        data, classes = self.val.data, self.classes
        named = [name for name in data.classes if name in classes]
        extra = [name for name in data.classes if name not in classes]
        chosen = self.said.val or self.said.val_split or self.base.task == "segmentation"
        if extra and not chosen:
            self.notes.append(f"the validation data also has {', '.join(extra)}: not evaluated")
        elif extra and not self.said.reading.get("classes"):
            raise_data_error(
                "validation data with other classes",
                data.source,
                found=", ".join(data.classes),
                allowed=f"those of {self.labeled.data.source}: {', '.join(classes)}",
                advice="Names are case-sensitive; rename them, or choose the common ones with "
                + option("classes", metavar="FILE"),
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
        data = self.labeled.data
        count = max(1, round(HELD_OUT * len(data.records)))
        if len(data.records) < 2:
            raise_data_error(
                "one labeled image and no validation data",
                data.source,
                found="1 image",
                allowed="two or more",
                advice=f"Give other labeled images with {option('val')}",
            )
        by_name = {record.name: record for record in data.records}
        order = priorities(
            list(by_name), lambda name: data.labels_in(by_name[name]), len(data.classes)
        )
        whole = self.labeled
        self.labeled = self._chosen(whole, "labeled", order[:-count])
        self.val = self._chosen(whole, "val", order[-count:])
        self.notes.append(
            f"without {option('val')}, {count} of {len(order)} labeled images are held out to "
            f"validate on and not trained on: {self.val.code['only']}"
        )
        series = series_of(order)
        trained = {series[name] for name in order[:-count] if series}
        if alike := [name for name in order[-count:] if series and series[name] in trained]:
            self.notes.append(
                f"{len(alike)} of them are named like images to train on, such as {alike[0]}; if "
                f"these show one patient or video, the score says too much: divide whole ones with "
                f"`ssdet split {data.source} --val-percent 20 --group-by ...`"
            )

    def _chosen(self, part: Part, name: str, images: Sequence[str]) -> Part:
        """Some images of a part, which a list beside the config names."""
        path = self.side / f"{name}-images.txt"
        write_text(path, "".join(f"{line}\n" for line in sorted(images)), force=True)
        code = {**part.code, "only": str(path)}
        if part.code["type"] == "CocoDataset":
            code = coco_or_images(part.data, "coco", only=str(path))
        return Part(part.data.subset(images), part.format, code)

    def _without_damaged(self, part: Part, name: str) -> Part:
        """Without the images that would end the training when they are drawn."""
        data = part.data
        causes = {record.name: cut_off(data.path(record)) for record in data.records}
        damaged = {image: cause for image, cause in causes.items() if cause}
        if not damaged or len(damaged) == len(causes):
            return part
        first, cause = next(iter(damaged.items()))
        self.notes.append(
            f"damaged {name} images are left out: {len(damaged)}, such as {first} ({cause})"
        )
        return self._chosen(part, name, [image for image in causes if image not in damaged])

    def _need_outlines(self) -> None:
        for part in (self.labeled, self.val):
            for record in part.data.records:
                for instance in record.instances:
                    if instance.segmentation is None and not instance.ignored:
                        raise_data_error(
                            "objects without an outline",
                            record.where or part.data.source,
                            found="a box",
                            allowed=f"polygons or masks, which {self.base.name} learns",
                            advice="Take a base without masks, such as faster-rcnn-r50",
                        )

    def _find_unlabeled(self) -> tuple[dict[str, Any], list[str]]:
        source, root = self.said.unlabeled, None
        file = Path(source)
        if file.is_file():
            known = [self.said.images, self.labeled.data.images]
            known.append(root_of(file))  # where `ssdet split` says that its list begins
            root = find_root(names_in(file), file, [path for path in known if path])
        options = {"source": source, **({"data_root": str(root)} if root else {})}
        try:
            found = UnlabeledImages(**options, pipeline=[])  # type: ignore[arg-type]
        except (ValueError, OSError) as error:
            raise_data_error(
                "unusable unlabeled images",
                option("unlabeled", source),
                found="none to learn from",
                allowed="a folder, a glob in quotes, a list or a COCO json, with images",
                advice=str(error),
            )
        paths = [found.get_data_info(number)["img_path"] for number in range(len(found))]
        maps = {str(path) for path in label_maps(Survey.of(file))} if file.is_dir() else set()
        left = [path for path in paths if path not in maps]
        if left and len(left) < len(paths):
            self.notes.append(f"{len(paths) - len(left)} label maps are no unlabeled images")
            return self._listed(left), left
        return {"type": "UnlabeledImages", **options}, paths

    def _listed(self, paths: list[str]) -> dict[str, Any]:
        """The data set of some unlabeled images, from a list of them."""
        kept = [os.path.relpath(path) for path in paths]
        root = os.path.commonpath([os.path.dirname(path) or "." for path in kept])
        lines = "".join(f"{os.path.relpath(path, root)}\n" for path in kept)
        file = write_text(self.side / "unlabeled-images.txt", lines, force=True)
        return {"type": "UnlabeledImages", "source": str(file), "data_root": root}

    def _compare(self, paths: list[str]) -> None:
        real = {os.path.realpath(path): path for path in paths}
        if shared := real.keys() & self.val.paths:
            if self.said.val or self.said.val_split:
                _refuse_shared("unlabeled", self.said.unlabeled, shared)
            kept = [path for path in real if path not in shared]
            if not kept:
                _refuse_shared("unlabeled", self.said.unlabeled, shared)
            self.unlabeled, self.count = self._listed(kept), len(kept)
            self.notes.append(f"{len(shared)} unlabeled images that are held out are left out")
        if both := len(real.keys() & self.labeled.paths):
            self.notes.append(f"{both} images are labeled and unlabeled; they are used as both")
        if (labeled := len(self.labeled.data.records)) >= self.count:
            self.notes.append(
                f"{labeled} labeled and {self.count} unlabeled images: expect little gain over the "
                f"supervised baseline; more unlabeled images help more"
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
