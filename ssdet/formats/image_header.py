"""What the header and the end of an image file say, without decoding it."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from PIL import Image, UnidentifiedImageError

_ORIENTATION, _BITS_PER_SAMPLE = 0x0112, 258
_START_OF_JPEG, _END_OF_JPEG, _SCAN_OF_JPEG = b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
_END_OF_PNG = b"IEND\xae\x42\x60\x82"
_TAIL = 64  # bytes in which the end marker of a file without trailing data lies
_MODE_BITS = {"I;16": 16, "I;16B": 16, "I;16L": 16, "I": 32, "F": 32}
# What Pillow refuses by default; decoded, it is half a gigabyte.
MOST_PIXELS = int(os.environ.get("SSDET_MOST_PIXELS", 178_956_970))
_TOO_LARGE = f"allowed: {MOST_PIXELS} pixels (SSDET_MOST_PIXELS sets the number)"
if "SSDET_MOST_PIXELS" in os.environ:
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2  # Pillow refuses twice as many


@dataclass(frozen=True, slots=True)
class Header:
    """Size and kind of an image as it is stored, before an EXIF rotation."""

    size: int  # bytes of the file
    format: str
    mode: str
    bits: int  # of one channel
    width: int
    height: int
    orientation: int = 1  # EXIF: 1 is upright, 5 to 8 swap width and height

    @property
    def shown(self) -> tuple[int, int]:
        """(width, height) after the EXIF rotation."""
        swapped = self.orientation in (5, 6, 7, 8)
        return (self.height, self.width) if swapped else (self.width, self.height)


class ImageFlaw(ValueError):
    """A file that is not a usable image: `kind` in a few words, `found` in detail."""

    def __init__(self, kind: str, found: str) -> None:
        super().__init__(f"{kind}: {found}")
        self.kind, self.found = kind, found


def read_header(path: str | Path) -> Header:
    """The header of a whole file, or `ImageFlaw`.

    A JPEG or PNG without its end marker is truncated: OpenCV 4 silently fills what is missing with
    gray, and OpenCV 5 refuses the file.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise ImageFlaw("empty file", "0 bytes")
            header = _parse(file, size)
            _check_end(file, header.format, size)
            return header
    except ImageFlaw:
        raise
    except FileNotFoundError:
        raise ImageFlaw("missing file", "no such file") from None
    except OSError as error:
        # Pillow's own errors have no number.
        kind = "unreadable file" if error.errno else "truncated image"
        raise ImageFlaw(kind, error.strerror or str(error)) from None


def check_pixels(path: str | Path) -> None:
    """Decode the whole file; `ImageFlaw` if that fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path) as image:
                image.load()
        except Exception as error:  # decoders fail in many ways
            raise ImageFlaw("image that does not decode", str(error)) from None


def cut_off(path: str | Path | None) -> str | None:
    """Why a JPEG or PNG on disk is not whole, from its first and last bytes; None if it is."""
    try:
        with open(path or "", "rb") as file:
            start = file.read(8)
            kind = "JPEG" if start[:2] == _START_OF_JPEG else "PNG" if start[1:4] == b"PNG" else ""
            _check_end(file, kind, os.fstat(file.fileno()).st_size)
    except ImageFlaw as flaw:
        return str(flaw)
    except OSError:
        pass  # opening it will report the error
    return None


def _parse(file: BinaryIO, size: int) -> Header:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(file)
            bits = _bits(image, file)
        except Image.DecompressionBombError:
            raise ImageFlaw("image too large", _TOO_LARGE) from None
        except OSError as error:
            if not isinstance(error, UnidentifiedImageError):
                raise
            _not_an_image(file, size)
        except Exception:  # decoders fail in many ways
            _not_an_image(file, size)
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise ImageFlaw("image too large", f"{width}x{height} pixels; {_TOO_LARGE}")
    kind = image.format or ""
    return Header(size, kind, image.mode, bits, width, height, _orientation(image))


def _orientation(image: Image.Image) -> int:
    # Pillow would decode a whole PNG in search of a tag after its pixels.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # what damaged tags raise; loaders ignore them
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _not_an_image(file: BinaryIO, size: int) -> NoReturn:
    file.seek(0)
    start = file.read(16)
    found = f"{size} bytes that start with {start!r}"
    raise ImageFlaw("file that is not an image", found) from None


def _bits(image: Image.Image, file: BinaryIO) -> int:
    if image.format == "PNG":  # Pillow shows RGB of 16 bits as RGB of 8
        file.seek(24)
        return max(file.read(1)[0], 8)
    if image.format == "TIFF":
        bits = image.tag_v2.get(_BITS_PER_SAMPLE, 8)  # type: ignore[attr-defined]
        return max(bits) if isinstance(bits, tuple) else int(bits)
    return _MODE_BITS.get(image.mode, 8)


def _check_end(file: BinaryIO, kind: str, size: int) -> None:
    if kind not in ("JPEG", "MPO", "PNG"):
        return
    end = _END_OF_PNG if kind == "PNG" else _END_OF_JPEG
    file.seek(max(0, size - _TAIL))
    if end in file.read():
        return
    # Cameras append data of their own. A thumbnail has an end, too, but before the scan.
    file.seek(0)
    data = file.read()
    scan = 0 if kind == "PNG" else _start_of_scan(data)
    if scan is None or data.find(end, scan) < 0:
        what = "IEND" if kind == "PNG" else "end"
        raise ImageFlaw("truncated image", f"no {what} marker in {size} bytes")


def _start_of_scan(data: bytes) -> int | None:
    """Where the pixels of a JPEG begin: its segments are walked, each says its length."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        if data[place : place + 2] == _SCAN_OF_JPEG:
            return place
        if data[place + 1] == 0xFF:  # padding
            place += 1
            continue
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None
