"""JSON files of any size: the lists of the outermost object are read one item at a time.

An annotation file may hold ten million boxes, more than memory does as Python objects. Opening it
reads it once, which finds every mistake of syntax; each list can then be gone through again.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from .files import cannot_read, not_text
from .issues import raise_data_error

LONGEST = 32 * 2**20  # characters of one item, and of all that is not in a list
_PIECE = 1 << 20  # bytes that are read at a time
_BLANKS = re.compile(r"[ \t\n\r]*")
_MARGIN = 4  # a number may go on behind the end of a piece
_KINDS = {"[": "list", '"': "str", "t": "bool", "f": "bool", "n": "NoneType"}
Watch = Mapping[str, Callable[[Any], None]]


class Items:
    """A list in a JSON file; going through it reads the file again."""

    def __init__(self, path: Path, start: int, count: int) -> None:
        self.path, self.start, self.count = path, start, count

    def __iter__(self) -> Iterator[Any]:
        with _Window(self.path, self.start) as window:
            yield from window.items()

    def __len__(self) -> int:
        return self.count


class JsonFile(Mapping[str, Any]):
    """The outermost object of a JSON file; its lists are `Items`.

    Args:
        path: The file.
        watch: Functions that are called with each item of a list while the file is opened.
    """

    def __init__(self, path: Path, watch: Watch | None = None) -> None:
        self.path = path
        self._values: dict[str, Any] = {}
        with _Window(path) as window:
            self._scan(window, watch or {})

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def whole(self) -> dict[str, Any]:
        """Everything in memory."""
        values = self._values.items()
        return {key: [*value] if isinstance(value, Items) else value for key, value in values}

    def _scan(self, window: "_Window", watch: Watch) -> None:
        first = window.peek()
        if first != "{":
            if not first:
                window.fail("Expecting value")
            raise_data_error(
                "not a JSON object",
                self.path,
                found=f"a {_KINDS.get(first, 'number')}",
                allowed="an object {...}",
                advice="Check that this is the annotation file",
            )
        room = LONGEST
        for key in window.members():
            if window.peek() == "[":
                start, count, see = window.place(), 0, watch.get(key)
                for item in window.items():
                    count += 1
                    if see:
                        see(item)
                self._values[key] = Items(self.path, start, count)
            else:
                self._values[key], length = window.value()
                room -= length + len(key)
                if room < 0:
                    window.too_long()
        if window.peek():
            window.fail("Extra data")


class _Window:
    """A part of a text file that moves forward as values are taken out of it."""

    def __init__(self, path: Path, start: int = 0) -> None:
        self.path = path
        try:
            self.file = path.open("rb")
            self.file.seek(start)
            self.text, self.at, self.start = "", 0, start  # `start`: the byte of text[0]
            self.line, self.column = 1, 1  # of text[0]
            self.ended = False
            self._more()
        except OSError as error:
            cannot_read(path, error)
        if start == 0 and self.text.startswith("\ufeff"):
            self.text, self.start = self.text[1:], 3
        self._decode = json.JSONDecoder().raw_decode

    def __enter__(self) -> "_Window":
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def place(self) -> int:
        """The byte of the next character."""
        return self.start + len(self.text[: self.at].encode())

    def peek(self) -> str:
        """The next character that is not blank; '' at the end."""
        while True:
            match = _BLANKS.match(self.text, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if not self._more():
                return ""

    def members(self) -> Iterator[str]:
        """The keys of the object that begins here; the caller takes each value."""
        for _ in self._between("{", "}"):
            if self.peek() != '"':
                self.fail("Expecting property name enclosed in double quotes")
            key, _ = self.value()
            if self.peek() != ":":
                self.fail("Expecting ':' delimiter")
            self.at += 1
            yield key

    def items(self) -> Iterator[Any]:
        """The values of the list that begins here."""
        for _ in self._between("[", "]"):
            self.peek()
            yield self.value()[0]

    def value(self) -> tuple[Any, int]:
        """The value that begins here, and how many characters it has."""
        while True:
            try:
                value, end = self._decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if not self._more():
                    self.at = error.pos
                    self.fail(error.msg)
                continue
            except (RecursionError, ValueError) as error:
                raise_data_error(
                    "not a usable JSON file",
                    self._where(),
                    found=f"{type(error).__name__}: {error}",
                    allowed="values nested less than about 1,000 deep",
                    advice="Export the file again",
                )
            if end <= len(self.text) - _MARGIN or not self._more():
                length, self.at = end - self.at, end
                return value, length

    def _between(self, first: str, last: str) -> Iterator[None]:
        """One turn for each element between two brackets, up to its comma."""
        self.at += 1
        if self.peek() == last:
            self.at += 1
            return
        while True:
            yield
            mark = self.peek()
            if mark not in (",", last):
                self.fail("Expecting ',' delimiter")
            self.at += 1
            if mark == last:
                return

    def _more(self) -> bool:
        """Read on: as much as there is, so that a long value is not read again too often."""
        if self.ended:
            return False
        kept = len(self.text) - self.at
        if kept > LONGEST:
            self.too_long()
        data = self.file.read(max(_PIECE, kept))
        if not data:
            self.ended = True
            return False
        while short := _cut_letter(data):
            more = self.file.read(short)
            if not more:
                break
            data += more
        self._forget()
        try:
            self.text += data.decode()
        except UnicodeDecodeError as error:
            line = self.line + self.text.count("\n") + data.count(b"\n", 0, error.start)
            place = self.start + len(self.text.encode()) + error.start
            not_text(self.path, line, data[error.start], place)
        return True

    def _forget(self) -> None:
        """Drop what was read, and remember where it was."""
        done = self.text[: self.at]
        self.start += len(done.encode())
        self.line += done.count("\n")
        last = done.rfind("\n")
        self.column = len(done) - last if last >= 0 else self.column + len(done)
        self.text, self.at = self.text[self.at :], 0

    def _where(self) -> str:
        self._forget()
        return f"{self.path}, line {self.line}, column {self.column}"

    def fail(self, problem: str) -> NoReturn:
        """The next character is wrong."""
        empty = not self.text.strip() and self.start <= 3
        raise_data_error(
            "not a JSON file",
            self._where(),
            found="an empty file" if empty else f"{problem} ({self.path.stat().st_size} bytes)",
            allowed="JSON",
            advice="The file may be cut off: export or download it again",
        )

    def too_long(self) -> NoReturn:
        """A value that may not fit into memory."""
        raise_data_error(
            "JSON value that is too long",
            self._where(),
            found=f"more than {LONGEST >> 20} MiB",
            allowed=f"lists of values of up to {LONGEST >> 20} MiB each",
            advice="Check that this is the annotation file",
        )


def _cut_letter(data: bytes) -> int:
    """How many bytes the last letter lacks."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte >= 0xC0:
            return max((2 if byte < 0xE0 else 3 if byte < 0xF0 else 4) - back, 0)
        if byte < 0x80:
            break
    return 0
