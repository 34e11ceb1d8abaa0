"""Image files: missing, damaged, of another size, rotated, or with unexpected channels."""

from collections.abc import Sequence
from pathlib import Path

from ..datasets.image_limits import LONGEST_ASPECT, allowed_bad
from ..datasets.sources import is_remote
from ..formats.image_header import Header, ImageFlaw, check_pixels, read_header
from ..formats.issues import Severity
from .findings import Findings
from .parallel import Progress, each, silent
from .sources import Listed, Source

_TINY, _LONG_ASPECT = 10, 20
_SUFFIXES = {"JPEG": (".jpg", ".jpeg"), "MPO": (".jpg", ".jpeg"), "PNG": (".png",)}
_ALPHA, _GRAY = ("RGBA", "LA", "PA", "La", "RGBa"), ("L", "1", "I;16", "I;16B", "I", "F")


def check_files(
    sources: Sequence[Source],
    findings: Findings,
    *,
    full: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
) -> dict[str, Header]:
    """Look at every file once; return the headers of the good ones."""
    every = dict.fromkeys(image.path for source in sources for image in source.images)
    paths = [path for path in every if not is_remote(path)]
    # Decoding is slow enough for processes to pay early.
    alone = {"alone": 100} if full else {}
    looks = each(
        _decode if full else _look, paths, what="images", workers=workers, progress=progress,
        **alone,
    )  # fmt: skip
    looked = dict(zip(paths, looks, strict=True))
    for source in sources:
        _judge(source, looked, findings)
    count = f"{len(paths)} images, {'decoded' if full else 'header and end'}"
    findings.looked_at["files"] = count
    if len(every) > len(paths):
        far = len(every) - len(paths)
        findings.looked_at["addresses"] = f"{far} images, not opened: the training reads them first"
    return {path: look for path, look in looked.items() if isinstance(look, Header)}


def _look(path: str) -> Header | tuple[str, str]:
    try:
        return read_header(path)
    except ImageFlaw as flaw:
        return flaw.kind, flaw.found


def _decode(path: str) -> Header | tuple[str, str]:
    look = _look(path)
    if isinstance(look, Header):
        try:
            check_pixels(path)
        except ImageFlaw as flaw:
            return flaw.kind, flaw.found
    return look


def _judge(source: Source, looked: dict[str, Header | tuple[str, str]], findings: Findings) -> None:
    images = [image for image in source.images if image.path in looked]
    flawed = [i for i in images if not isinstance(looked[i.path], Header)]
    bad = sum(_unfit(looked[i.path], source) for i in images)
    allowed = allowed_bad(source.bad_image_limit, len(source.images))
    skipped = source.role == "unlabeled" and bad <= allowed
    for image in flawed:
        kind, found = looked[image.path]  # type: ignore[misc]
        missing = kind == "missing file"
        findings.add(
            "warning" if skipped and not missing else "error", "files", kind, image.path,
            found=found, advice=_after(source, bad, allowed) if source.role == "unlabeled"
            and not missing else f"Restore it, or take it out of {image.where}",
        )  # fmt: skip
    for image in images:
        look = looked[image.path]
        if isinstance(look, Header):
            _size(image, look, source, findings)
            severity: Severity = "warning" if skipped else "error"
            if look.bits > 8 and not source.deep:
                _depth(image, look, severity, findings)
            _channels(image, look, findings)
            _shape(image, look, severity, findings)


def _after(source: Source, count: int, allowed: int) -> str:
    if count <= allowed:
        return "Training skips and counts it; replace it by a whole copy"
    return (
        f"{count} of {len(source.images)} images are damaged and training stops after {allowed}; "
        f"replace or remove them"
    )


def _size(image: Listed, header: Header, source: Source, findings: Findings) -> None:
    """The size in the annotations must be that of the image as the loader shows it."""
    stored = (header.width, header.height)
    loaded = header.shown if source.rotates else stored
    stated = None if image.width is None or image.height is None else (image.width, image.height)
    labeled = source.role != "unlabeled"
    turned = header.orientation > 1
    if stated is not None and stated != loaded:
        by_exif = stated in (stored, header.shown)
        findings.add(
            "error" if labeled else "warning", "files",
            "boxes of the image before its EXIF rotation" if by_exif and source.rotates
            else "boxes of the image after its EXIF rotation" if by_exif
            else "size differs from the annotations",
            image.path, found=f"{loaded[0]}x{loaded[1]} as loaded"
            + (f" (EXIF orientation {header.orientation})" if turned else ""),
            allowed=f"{stated[0]}x{stated[1]}, as in {image.where}",
            advice="Set color_type='color_ignore_orientation' in LoadImageFromFile"
            if by_exif and source.rotates else "Set color_type='color' in LoadImageFromFile"
            if by_exif else "Correct width and height, or restore the image they were made for",
        )  # fmt: skip
    elif turned:
        # The sides tell nothing of half turns, mirrors and squares.
        proven = loaded != loaded[::-1] and header.orientation > 4 and stated is not None
        doubtful = labeled and not proven and stated is not None
        findings.add(
            "warning" if doubtful else "info", "files",
            "EXIF orientation that the size cannot confirm" if doubtful else "EXIF orientation",
            image.path,
            found=f"orientation {header.orientation}, {'applied' if source.rotates else 'ignored'}",
            advice="Look at one such image with its boxes" if doubtful else "Nothing to do",
        )  # fmt: skip


def _unfit(look: Header | tuple[str, str], source: Source) -> bool:
    """Whether training does not use an image."""
    if not isinstance(look, Header):
        return True
    low, high = sorted((look.width, look.height))
    return high > LONGEST_ASPECT * low or (look.bits > 8 and not source.deep)


def _depth(image: Listed, header: Header, severity: Severity, findings: Findings) -> None:
    findings.add(
        severity, "files", "more than 8 bits per channel", image.path,
        found=f"{header.bits} bits ({header.format}, mode {header.mode})", allowed="8",
        advice="Loading would keep the upper 8 bits only, dark images become black: load it "
        "with LoadDeepImage(bit_depth=...), or convert it to 8 bits",
    )  # fmt: skip


def _channels(image: Listed, header: Header, findings: Findings) -> None:
    shown = f"{header.format}, mode {header.mode}"
    if header.mode == "CMYK":
        findings.add(
            "warning", "files", "CMYK image", image.path, found=shown, allowed="RGB or gray",
            advice="Colors depend on the decoder: convert it to RGB",
        )  # fmt: skip
    elif header.mode in _ALPHA:
        findings.add(
            "warning", "files", "alpha channel", image.path, found=shown, allowed="RGB or gray",
            advice="It is dropped, and transparent pixels show a hidden color: flatten the image",
        )  # fmt: skip
    elif header.mode == "P":
        findings.add(
            "info", "files", "palette image", image.path, found=shown,
            advice="It is loaded as RGB; nothing to do",
        )  # fmt: skip
    elif header.mode in _GRAY:
        findings.add(
            "info", "files", "gray image", image.path, found=shown,
            advice="It is loaded with three equal channels; nothing to do",
        )  # fmt: skip


def _shape(image: Listed, header: Header, severity: Severity, findings: Findings) -> None:
    low, high = sorted((header.width, header.height))
    size = f"{header.width}x{header.height}"
    if low < _TINY:
        findings.add(
            "warning", "files", "tiny image", image.path, found=size,
            allowed=f"sides of {_TINY} pixels and more", advice="Leave it out",
        )  # fmt: skip
    elif high > _LONG_ASPECT * low:
        findings.add(
            severity if high > LONGEST_ASPECT * low else "warning", "files",
            "extremely long image", image.path, found=size,
            allowed=f"a ratio of sides up to {_LONG_ASPECT}", advice="Cut it into tiles",
        )  # fmt: skip
    suffixes = _SUFFIXES.get(header.format)
    suffix = Path(image.path).suffix.lower()
    if suffixes and suffix not in suffixes:
        findings.add(
            "info", "files", "file extension does not match the format", image.path,
            found=f"{header.format} named {suffix}", advice="It is loaded by its content",
        )  # fmt: skip
