"""Writing a split: a pair of COCO files, or a pair of lists with their checksums."""

import json
from pathlib import Path
from typing import Any

from ..formats import Annotations
from ..formats.write import may_write, write_text
from .splits import Split, checksum, record_path


def write_split(
    content: dict[str, Any] | None,
    data: Annotations,
    split: Split,
    out: Path,
    *,
    note: dict[str, Any],
    style: str = "names",
    force: bool = False,
) -> tuple[Path, Path]:
    """Write `out` and its `-unlabeled` twin; return both paths.

    Args:
        content: The COCO object to take the records from, unchanged; None: lists are written.
        data: What was split.
        note: How the split was made; written beside the checksum.
        style: Lines of the labeled list. 'pairs': `image mask`; 'stems': file names without
            ending (VOC); 'names': paths of images. The unlabeled one always has paths.
        force: Overwrite.
    """
    twin = out.with_name(f"{out.stem}-unlabeled{out.suffix}")
    for path in (out, twin, *([] if content else [record_path(out)])):
        may_write(path, force=force)
    if content is not None:
        for path, names in ((out, split.labeled), (twin, split.unlabeled)):
            part = coco_part(content, data, names, annotated=path == out, note=note)
            write_text(path, json.dumps(part), force=force)
        return out, twin
    lines = {out: [_line(data, name, style) for name in split.labeled], twin: [*split.unlabeled]}
    stems = [_line(data, name, style) for name in split.labeled if style == "stems"]
    record: dict[str, Any] = {"made_by": note}
    for path, images in ((out, stems or [*split.labeled]), (twin, [*split.unlabeled])):
        write_text(path, "".join(f"{line}\n" for line in lines[path]), force=force)
        record[path.name] = {"images": len(images), "sha256": checksum(images)}
    write_text(record_path(out), json.dumps(record, indent=2) + "\n", force=force)
    return out, twin


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


def _line(data: Annotations, name: str, style: str) -> str:
    if style == "stems":
        return name.rsplit(".", 1)[0]
    if style == "names":
        return name
    record = next(iter(data.subset([name]).records))
    mask = record.mask.relative_to(data.images or Path()).as_posix() if record.mask else ""
    return f"{name} {mask}"
