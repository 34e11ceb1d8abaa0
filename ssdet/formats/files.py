"""Text, JSON, XML and YAML files, read so that every issue has a place."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from xml.parsers import expat

import yaml

from .issues import DataError, raise_data_error, short

LARGEST = 128 * 2**20  # bytes of a file that is read as a whole
LARGEST_YAML = 2**20  # it is read at a megabyte in five seconds
_MOST_ELEMENTS, _LONGEST_TEXT = 2_000_000, 10_000  # of XML: elements, characters in one of them
_LARGEST_JSON = 32 * 2**20  # Python objects need up to thirty times as much memory


def read_text(path: Path, largest: int = LARGEST) -> str:
    """The text of a file in UTF-8, with or without a byte order mark."""
    try:
        size = path.stat().st_size
        if size > largest:
            raise_data_error(
                "file too large",
                path,
                found=f"{size >> 20} MiB",
                allowed=f"up to {largest >> 20} MiB",
                advice="Check that this is the right file; larger annotations go into a COCO file",
            )
        data = path.read_bytes()
    except OSError as error:
        cannot_read(path, error)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The mark is no part of what is decoded.
        start = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        not_text(path, data.count(b"\n", 0, start) + 1, data[start], start)


def cannot_read(path: Path, error: OSError) -> NoReturn:
    """A file that is not there, or not for us."""
    if isinstance(error, FileNotFoundError):
        advice = "Check the path; it is relative to the current folder"
        raise_data_error(
            "missing file", path, found="no such file", allowed="a file", advice=advice
        )
    raise_data_error(
        "unreadable file",
        path,
        found=error.strerror or str(error),
        allowed="a readable file",
        advice="Check its kind and its permissions",
    )


def not_text(path: Path, line: int, byte: int, position: int) -> NoReturn:
    """A byte that no text in UTF-8 has there."""
    raise_data_error(
        "text is not UTF-8",
        f"{path}, line {line}",
        found=f"byte 0x{byte:02x} at position {position}",
        allowed="UTF-8",
        advice="Save the file as UTF-8",
    )


def read_lines(path: Path) -> list[tuple[int, str]]:
    """(line number from 1, text) of the lines that are neither empty nor a `#` comment."""
    lines = enumerate((line.strip() for line in read_text(path).splitlines()), start=1)
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def load_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds; larger ones are read with `JsonFile`."""
    text = read_text(path, _LARGEST_JSON)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        found = "an empty file" if not text.strip() else f"{error.msg} ({len(text)} characters)"
        raise_data_error(
            "not a JSON file",
            f"{path}, line {error.lineno}, column {error.colno}",
            found=found,
            allowed="JSON",
            advice="The file may be cut off: export or download it again",
        )
    except (RecursionError, ValueError) as error:
        raise_data_error(
            "not a usable JSON file",
            path,
            found=f"{type(error).__name__}: {error}",
            allowed="values nested less than about 1,000 deep",
            advice="Export the file again",
        )
    if not isinstance(content, dict):
        raise_data_error(
            "not a JSON object",
            path,
            found=f"a {type(content).__name__}",
            allowed="an object {...}",
            advice="Check that this is the annotation file",
        )
    return content


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; tags that build objects are refused."""
    text = read_text(path, LARGEST_YAML)
    try:
        content = yaml.load(text, NoAliases)
    except YAML_ERRORS as error:
        if isinstance(error, DataError):
            raise
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        found = getattr(error, "problem", None) or type(error).__name__
        raise_data_error(
            "not a YAML file", where, found=found, allowed="YAML", advice="Correct the line"
        )
    if not isinstance(content, dict):
        raise_data_error(
            "not a YAML mapping",
            path,
            found=f"a {type(content).__name__}",
            allowed="lines `key: value`",
            advice="Check that this is the data.yaml of the set",
        )
    return content


class NoAliases(yaml.SafeLoader):
    """Refuses names for parts that are used again: nested, they stand for a world of data."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A part of the text."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.composer.ComposerError(
                problem=f"*{event.anchor}, an alias", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)


# What the constructors of dates and numbers raise.
YAML_ERRORS = (yaml.YAMLError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError)


@dataclass
class Node:
    """An XML element that knows its line."""

    tag: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def all(self, tag: str) -> list["Node"]:
        """The children of a tag."""
        return [child for child in self.children if child.tag == tag]

    def child(self, path: str) -> "Node | None":
        """The first element at a path such as `size/width`."""
        node: Node | None = self
        for tag in path.split("/"):
            node = next(iter(node.all(tag)), None) if node else None
        return node

    def value(self, path: str) -> str | None:
        """The text of the first element at a path."""
        node = self.child(path)
        return None if node is None else node.text.strip()


def load_xml(path: Path) -> Node:
    """The root element. Entity declarations are refused: they can fill the memory."""
    text = read_text(path)
    parser = expat.ParserCreate()
    top = Node("", 0)
    stack = [top]
    count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > _MOST_ELEMENTS:
            raise_data_error(
                "too many XML elements",
                f"{path}, line {parser.CurrentLineNumber}",
                found=f"more than {_MOST_ELEMENTS}",
                allowed=f"up to {_MOST_ELEMENTS}",
                advice="Export the data in parts",
            )
        node = Node(tag, parser.CurrentLineNumber, attributes)
        stack[-1].children.append(node)
        stack.append(node)

    def characters(data: str) -> None:
        if len(stack[-1].text) < _LONGEST_TEXT:
            stack[-1].text += data

    def entity(name: str, *_: Any) -> None:
        raise_data_error(
            "XML with entity declarations",
            f"{path}, line {parser.CurrentLineNumber}",
            found=f"<!ENTITY {name} ...>",
            allowed="plain elements",
            advice="Remove the DOCTYPE",
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda tag: stack.pop()
    parser.CharacterDataHandler = characters
    parser.EntityDeclHandler = entity
    parser.buffer_text = True
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        found = short(expat.ErrorString(error.code)) if text.strip() else "an empty file"
        raise_data_error(
            "not an XML file",
            f"{path}, line {error.lineno}, column {error.offset + 1}",
            found=found,
            allowed="XML",
            advice="The file may be cut off: export it again",
        )
    return top.children[0]
