"""Writing a split: a pair of COCO files, or a pair of lists with their checksums."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..formats import Annotations, ImageRecord
from ..formats.made_lists import record_path
from ..formats.write import may_write, write_text
from .splits import Split, checksum


def write_split(
    content: dict[str, Any] | None,
    data: Annotations,
    split: Split,
    out: Path,
    *,
    note: dict[str, Any],
    source: dict[str, Any] | None = None,
    style: str = "names",
    force: bool = False,
) -> tuple[Path, Path]:
    """Write `out` and its `-unlabeled` twin; return both paths.

    Args:
        content: The COCO object to take the records from, unchanged; None: lists are written.
        data: What was split.
        note: How the split was made; written beside the checksum.
        source: What lists are lists of, see `ssdet.formats.made_lists`.
        style: Lines of the labeled list. 'pairs': `image mask`; 'stems': file names without
            ending (VOC); 'names': paths of images. The unlabeled one always has paths.
        force: Overwrite.
    """
    twin = out.with_name(f"{out.stem}-unlabeled{out.suffix}")
    files = _Files(content, data, note, source, style, force)
    files.may_write(out, twin)
    if content is not None:
        files.write_coco(out, split.labeled)
        files.write_coco(twin, split.unlabeled, annotated=False)
        return out, twin
    record = files.write_list(out, split.labeled)
    record |= files.write_list(twin, split.unlabeled, annotated=False)
    files.write_record(out, record)
    return out, twin


def write_part(
    content: dict[str, Any] | None,
    data: Annotations,
    names: tuple[str, ...],
    out: Path,
    *,
    note: dict[str, Any],
    source: dict[str, Any] | None = None,
    style: str = "names",
    force: bool = False,
) -> None:
    """Write images with their annotations, such as those for validation; see `write_split`."""
    files = _Files(content, data, note, source, style, force)
    files.may_write(out)
    if content is not None:
        files.write_coco(out, names)
    else:
        files.write_record(out, files.write_list(out, names))


@dataclass
class _Files:
    """Writes the files of one split; the fields are arguments of `write_split`."""

    content: dict[str, Any] | None
    data: Annotations
    note: dict[str, Any]
    source: dict[str, Any] | None
    style: str
    force: bool

    def may_write(self, *paths: Path) -> None:
        """Refuse, before anything is written, to overwrite one of the files."""
        for path in (*paths, *([] if self.content is not None else [record_path(paths[0])])):
            may_write(path, force=self.force)

    def write_coco(self, path: Path, names: tuple[str, ...], annotated: bool = True) -> None:
        content: dict[str, Any] = self.content or {}
        part = coco_part(content, self.data, names, annotated=annotated, note=self.note)
        write_text(path, json.dumps(part), force=self.force)

    def write_list(self, path: Path, names: tuple[str, ...], annotated: bool = True) -> dict:
        """The list, and what its record says; the unlabeled list has paths whatever the style."""
        style = self.style if annotated else "names"
        lines = list(names)
        if style == "stems":
            lines = [name.rsplit(".", 1)[0] for name in names]
        elif style == "pairs":
            masks = {record.name: _mask_of(self.data, record) for record in self.data.records}
            lines = [f"{name} {masks[name]}" for name in names]
        write_text(path, "".join(f"{line}\n" for line in lines), force=self.force)
        images = lines if style == "stems" else names
        return {path.name: {"images": len(images), "sha256": checksum(images)}}

    def write_record(self, path: Path, parts: dict[str, Any]) -> None:
        """The checksums, beside the lists."""
        of = {"data": self.source} if self.source else {}
        record = {"made_by": self.note, **of, **parts}
        write_text(record_path(path), json.dumps(record, indent=2) + "\n", force=self.force)


def coco_part(
    content: dict[str, Any],
    data: Annotations,
    names: tuple[str, ...],
    *,
    annotated: bool,
    note: dict[str, Any],
) -> dict[str, Any]:
    """The records of some images; without annotations where they count as unlabeled."""
    records = data.subset(names).records
    ids = {record.id for record in records}
    kept = sorted(
        instance.position
        for record in (records if annotated else [])
        for instance in record.instances
        if instance.position is not None
    )
    images = [r for r in content["images"] if isinstance(r, dict) and r.get("id") in ids]
    info = content.get("info")
    stated = [record["file_name"] for record in images]
    summary = {**note, "images": len(images), "sha256": checksum(stated)}
    return {
        "info": {**(info if isinstance(info, dict) else {}), "split": summary},
        "licenses": content.get("licenses", []),
        "images": images,
        "annotations": [content["annotations"][position] for position in kept],
        "categories": content["categories"],
    }


def _mask_of(data: Annotations, record: ImageRecord) -> str:
    root = data.images or Path()
    return record.mask.relative_to(root).as_posix() if record.mask else ""
