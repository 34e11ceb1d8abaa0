"""What annotations say: beyond what the readers find, is there something to learn from each?"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ..formats import Annotations, DataError, Issue, MaskEncoding
from ..formats.encoding import OTHER_SIZE
from ..formats.image_header import ImageFlaw, read_header
from .findings import ClassCount, Findings
from .parallel import Progress, each, silent
from .sources import Source

_SMALL = 4  # pixels; smaller objects are below the finest stride of most detectors


def check_annotations(
    source: Source,
    findings: Findings,
    *,
    decode: bool = True,
    workers: int | None = None,
    progress: Progress = silent,
) -> None:
    """Judge one source; label maps are decoded unless `decode` is off."""
    if source.data is None:
        return
    _class_names(source, findings)
    encoding = source.data.encoding
    if encoding is None:
        counts = _count_boxes(source, source.data, findings)
    elif decode:
        counts = _count_labels(source.data, encoding, findings, workers, progress)
        findings.looked_at[source.name] = f"{len(source.data.records)} label maps"
        findings.classes[source.name] = {
            name: ClassCount(counts[n], None) for n, name in enumerate(source.data.classes)
        }
    else:
        return
    _empty_classes(source, source.data, counts, findings)


def _class_names(source: Source, findings: Findings) -> None:
    """The configured classes against those of the file, as names and in their order."""
    data = source.data
    if data is None or source.classes is None or data.encoding is not None:
        return
    wanted, present = source.classes, data.classes
    missing = [name for name in wanted if name not in present]
    common = [name for name in present if name in wanted]
    shifted = source.uncorrected  # `CocoDataset` numbers classes as the file does
    if not common:
        findings.add(
            "error", "annotations", "no configured class in the annotations", data.source,
            found=f"classes {', '.join(present)}", allowed=", ".join(wanted),
            advice=f"Names are case-sensitive; correct metainfo.classes of {source.name}",
        )  # fmt: skip
        return
    if missing:
        after = " and every later class gets the number of the one before it" if shifted else ""
        findings.add(
            "error" if shifted else "warning", "annotations",
            "configured classes missing from the annotations", data.source,
            found=", ".join(missing), allowed=f"the file's: {', '.join(present)}",
            advice=f"They cannot be learned{after}: correct metainfo.classes of {source.name}",
        )  # fmt: skip
    if shifted and common != [name for name in wanted if name in common]:
        findings.add(
            "error", "annotations", "classes in a different order than in the annotations",
            data.source, found=f"config {', '.join(wanted)}",
            allowed=f"{', '.join(common)}, the order in 'categories'",
            advice="MMDetection's CocoDataset numbers classes in the order of the file, so names "
            "would be swapped: use that order, or LabeledImages, which goes by the names",
        )  # fmt: skip
    unused = [name for name in present if name not in wanted]
    if unused:
        findings.add(
            "info", "annotations", "classes that are not used", data.source,
            found=", ".join(unused), advice="Their objects count as background",
        )  # fmt: skip


def _count_boxes(source: Source, data: Annotations, findings: Findings) -> Counter[int]:
    counts: Counter[int] = Counter()
    images: Counter[int] = Counter()
    empty, small, first_small = 0, 0, ""
    for record in data.records:
        objects = [instance for instance in record.instances if not instance.ignored]
        empty += not objects
        counts.update(instance.label for instance in objects)
        images.update({instance.label for instance in objects})
        for x1, y1, x2, y2 in (instance.box for instance in objects):
            if min(x2 - x1, y2 - y1) < _SMALL:
                small += 1
                first_small = first_small or f"{x2 - x1:g}x{y2 - y1:g} in {record.where}"
    total = sum(counts.values())
    if small:
        findings.add(
            "info", "annotations", "tiny objects", data.source,
            found=f"{small} of {total} with a side under {_SMALL} pixels; first {first_small}",
            advice="Few detectors find them: enlarge the images, or leave them out",
        )  # fmt: skip
    if empty and source.role == "labeled":
        findings.add(
            "info", "annotations", "images without objects", data.source,
            found=f"{empty} of {len(data.records)}",
            advice="They teach the background; filter_cfg=dict(filter_empty_gt=True) leaves "
            "them out",
        )  # fmt: skip
    findings.looked_at[source.name] = f"{len(data.records)} images, {total} objects"
    findings.classes[source.name] = {
        name: ClassCount(images[n], counts[n]) for n, name in enumerate(data.classes)
    }
    return counts


def _empty_classes(
    source: Source, data: Annotations, counts: Counter[int], findings: Findings
) -> None:
    """Classes that no object has; or nothing at all."""
    wanted = source.classes if source.classes and data.encoding is None else data.classes
    common = [name for name in data.classes if name in wanted]
    never = [name for name in common if not counts[data.classes.index(name)]]
    if common and len(never) == len(common):
        findings.add(
            "error", "annotations", "no object of the configured classes", data.source,
            found=f"0 of {len(data.records)} images have one", allowed=", ".join(wanted),
            advice="Check that this is the right file",
        )  # fmt: skip
    elif never:
        training = source.role == "labeled"
        findings.add(
            "warning", "annotations",
            "class never labeled" if training else "class never validated", data.source,
            found=", ".join(never), allowed="an object of every class",
            advice="A class without labels cannot be learned, even from unlabeled images: label "
            "images that show it, or leave it out" if training
            else "Its score is undefined: add images that show it",
        )  # fmt: skip


def _count_labels(
    data: Annotations,
    encoding: MaskEncoding,
    findings: Findings,
    workers: int | None,
    progress: Progress,
) -> Counter[int]:
    counts: Counter[int] = Counter()
    pairs = [
        (str(data.path(record)), str(record.mask))
        for record in data.records
        if record.mask is not None
    ]
    look = partial(_look_at_pair, encoding)
    looks = each(look, pairs, what="label maps", workers=workers, progress=progress, alone=200)
    for labels, issues in looks:
        counts.update(labels)
        findings.extend(issues)
    return counts


def _look_at_pair(encoding: MaskEncoding, pair: tuple[str, str]) -> tuple[set[int], list[Issue]]:
    """Labels in a map, and what is wrong with it."""
    image, mask = pair
    try:
        decoded = encoding.decode(Path(mask))
    except DataError as error:
        return set(), list(error.issues)
    present = np.bincount(decoded.ravel(), minlength=encoding.count)[: encoding.count]
    labels = {int(label) for label in np.flatnonzero(present)}
    try:
        size = read_header(image).shown
    except ImageFlaw:  # reported by the check of the files
        return labels, []
    if size == decoded.shape[::-1]:
        return labels, []
    issue = Issue(
        "label map of another size than its image", mask,
        f"{decoded.shape[1]}x{decoded.shape[0]}", f"{size[0]}x{size[1]}, as {image}",
        OTHER_SIZE,
    )  # fmt: skip
    return labels, [issue]


def compare_classes(sources: Sequence[Source], findings: Findings) -> None:
    """Training and validation must use the same class numbers."""
    known = [s for s in sources if s.role != "unlabeled" and s.classes]
    for source in known[1:]:
        if source.classes != known[0].classes:
            findings.add(
                "error", "annotations", "classes that differ between data sets", source.name,
                found=", ".join(source.classes or ()),
                allowed=f"{', '.join(known[0].classes or ())}, as {known[0].name}",
                advice="Give all of them the same metainfo.classes",
            )  # fmt: skip
