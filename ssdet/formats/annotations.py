"""A data set in memory, the same for every format: classes, images, instances, label maps."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .encoding import Color, MaskEncoding
from .image_header import MOST_PIXELS
from .issues import Issue, Issues
from .paths import Root

Box = tuple[float, float, float, float]
Segmentation = list[list[float]] | dict[str, Any]  # polygons [x1, y1, x2, ...], or run lengths
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TOLERANCE = 1.0  # pixels by which tools round a box out of its image


@dataclass(slots=True)
class Instance:
    """An object: `box` is (x1, y1, x2, y2) in pixels; the right and lower edges lie outside it.

    `crowd` (a group) and `difficult` objects are neither found nor missed in an evaluation. A model
    that wrote it may have given a `score` in [0, 1].
    """

    label: int
    box: Box
    segmentation: Segmentation | None = None
    crowd: bool = False
    difficult: bool = False
    score: float | None = None
    position: int | None = field(default=None, compare=False)  # in the list of the source

    @property
    def ignored(self) -> bool:
        """Whether it must not count as a positive or negative example."""
        return self.crowd or self.difficult


@dataclass(slots=True)
class ImageRecord:
    """An image: `name` is its path below the image folder, with forward slashes.

    `exhaustive` are the classes all of whose objects are labeled; None: nothing is said, as of an
    image in which everything is.
    """

    name: str
    width: int | None = None
    height: int | None = None
    id: int | str | None = field(default=None, compare=False)
    instances: list[Instance] = field(default_factory=list)
    mask: Path | None = field(default=None, compare=False)
    exhaustive: tuple[int, ...] | None = None
    where: str = field(default="", compare=False)


@dataclass
class Annotations:
    """What a reader returns.

    Attributes:
        source: The file or folder that was read.
        images: Folder that the names of the images are relative to; None where it is not known.
        classes: Labels are positions in it.
        records: One for each image, in the order of the source; files of a folder are sorted.
        encoding: How label maps encode their classes; None without label maps.
        prefix: Beginning of the names that is merely the folder of the images.
        category_ids: What the source calls the classes, where it has numbers for them.
        issues: What was wrong and left out or corrected.
    """

    source: Path
    images: Path | None
    classes: tuple[str, ...]
    records: list[ImageRecord]
    encoding: MaskEncoding | None = None
    prefix: str = ""
    category_ids: tuple[int, ...] = ()
    issues: list[Issue] = field(default_factory=list)

    def path(self, record: ImageRecord) -> Path:
        """Where the file of an image lies."""
        return (self.images or Path()) / record.name

    def labels_in(self, record: ImageRecord) -> set[int]:
        """Classes in an image: of its instances that count, and of its label map."""
        labels = {instance.label for instance in record.instances if not instance.ignored}
        if record.mask is not None and self.encoding is not None:
            labels |= self.encoding.labels_in(record.mask)
        return labels

    def subset(self, names: Iterable[str]) -> "Annotations":
        """The images of these names, in the order of the source."""
        wanted = set(names)
        kept = [record for record in self.records if record.name in wanted]
        return replace(self, records=kept)


@dataclass
class Reading:
    """What a reader needs besides its source.

    Attributes:
        images: Folder of the images, where the source does not say it.
        split: Part of the data, such as 'train', for sources with several.
        classes: Names in the order of the labels, where the source has none.
        masks: Folder of the label maps.
        encoding: How label maps encode their classes.
        colors: Colors of the classes in label maps, where there is no `encoding`.
        ignore: Values, or names of classes, of label maps that count as unknown.
        reduce_zero_label: Value 0 of label maps counts as unknown, and 1 is the first class.
        content: Content of the source, if it is a JSON file that was opened already.
        outlines: Keep polygons and masks; otherwise they are checked and let go.
        watch: Called with each annotation of a COCO file, and its place.
        follow_links: See `Root`.
        predictions: Of a task of Label Studio without an annotation, read the newest prediction.
        issues: Where findings go.
    """

    images: Path | None = None
    split: str | None = None
    classes: tuple[str, ...] = ()
    masks: Path | None = None
    encoding: MaskEncoding | None = None
    colors: Mapping[Color, int] = field(default_factory=dict)
    ignore: tuple[int | str, ...] = ()
    reduce_zero_label: bool = False
    content: Mapping[str, Any] | None = None
    outlines: bool = True
    watch: Callable[[Any, str], None] | None = None
    follow_links: bool = False
    predictions: bool = False
    issues: Issues = field(default_factory=Issues)

    def root(self, folder: Path) -> Root:
        """A root with the user's choice about links."""
        return Root(folder, follow_links=self.follow_links)


class Names:
    """Labels of class names: given ones, or those that are found, sorted at the end."""

    def __init__(self, given: Sequence[str], issues: Issues) -> None:
        self.given = tuple(given)
        self.issues = issues
        self.seen: dict[str, int] = {}

    def index(self, name: str | None, where: str) -> int | None:
        """A provisional label; None (and an issue) for a name that is empty or unknown."""
        if not name or not is_name(name):
            self.issues.leave_out(
                "object without a class", where, found=name or "nothing", allowed="a class name",
                advice="Give it a class, or remove it",
            )  # fmt: skip
            return None
        if self.given and name not in self.given:
            self.issues.leave_out(
                "unknown class", where, found=name, allowed=", ".join(self.given),
                advice="Names are case-sensitive; add it to the classes or rename it",
            )  # fmt: skip
            return None
        return self.given.index(name) if self.given else self.seen.setdefault(name, len(self.seen))

    def finish(self, records: list[ImageRecord]) -> tuple[str, ...]:
        """The classes; labels of discovered classes are renumbered in alphabetical order."""
        if self.given:
            return self.given
        classes = tuple(sorted(self.seen))
        order = [classes.index(name) for name in self.seen]
        for record in records:
            for instance in record.instances:
                instance.label = order[instance.label]
        return classes


def is_name(text: object) -> bool:
    """Whether a class may be called so: there is text, without control characters."""
    return isinstance(text, str) and bool(text.strip()) and not _CONTROL.search(text)


def number(value: object) -> float | None:
    """A finite number, or None for anything else; text and booleans are not numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def parse(text: str | None) -> float | None:
    """The finite number that a text says, or None."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def sides(width: object, height: object) -> tuple[int, int] | None:
    """A usable image size: whole numbers (or text that says them), no more than `MOST_PIXELS`."""
    found = [parse(side) if isinstance(side, str) else number(side) for side in (width, height)]
    if any(side is None or side < 1 or side != int(side) for side in found):
        return None
    whole = int(found[0] or 0), int(found[1] or 0)
    return whole if whole[0] * whole[1] <= MOST_PIXELS else None


def check_box(
    box: Sequence[float | None],
    record: ImageRecord,
    where: str,
    issues: Issues,
    found: object = None,
) -> Box | None:
    """The box inside its image, or None after noting why; `found` is how the file says it."""
    if any(edge is None for edge in box):
        issues.leave_out(
            "box that is not four finite numbers", where, found=found or tuple(box),
            allowed="four finite numbers", advice="Correct or remove the object",
        )  # fmt: skip
        return None
    x1, y1, x2, y2 = (float(edge) for edge in box if edge is not None)
    if x2 <= x1 or y2 <= y1:
        issues.leave_out(
            "box without area", where, found=f"width {x2 - x1:g}, height {y2 - y1:g}",
            allowed="both above 0", advice="Correct or remove the object", kind="empty box",
        )  # fmt: skip
        return None
    if record.width is None or record.height is None:
        return (x1, y1, x2, y2)
    width, height = record.width, record.height
    size = f"image of {width}x{height}"
    if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
        issues.leave_out(
            "box outside its image", where, found=f"({x1:g}, {y1:g}, {x2:g}, {y2:g}) in an {size}",
            allowed="boxes that overlap the image",
            advice="Check the image size and whether the image was rotated", kind="outside box",
        )  # fmt: skip
        return None
    if min(x1, y1) < -_TOLERANCE or x2 > width + _TOLERANCE or y2 > height + _TOLERANCE:
        issues.warn(
            "box extends beyond its image (clipped)", where,
            found=f"({x1:g}, {y1:g}, {x2:g}, {y2:g}) in an {size}",
            allowed=f"edges within 0 ... {width} and 0 ... {height}",
            advice="Check the image size and whether the image was rotated",
        )  # fmt: skip
    return (max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height)))
