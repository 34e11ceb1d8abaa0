"""Reading what was recognized."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .coco import open_coco
from .guessing import Guess
from .places import coco_names, images_near


def options_for(
    found: Guess, said: Mapping[str, Any] | None = None, *, whole: bool = False
) -> dict[str, Any]:
    """Fields of `Reading`: what the user says goes before what the guess says.

    The images of a COCO file are looked for; it can be read without them. Its content is opened,
    or loaded as a `whole`.
    """
    said = said or {}
    if found.why:  # then the part that the user asks for was chosen already
        said = {key: value for key, value in said.items() if key != "split"}
    options = {**found.reading, **said}
    if found.format == "coco" and found.source.is_file():
        file = open_coco(found.source)
        content: Mapping[str, Any] = file.whole() if whole else file
        options["content"] = content
        given = [Path(options["images"])] if options.get("images") else []
        near = images_near(coco_names(content), found.source, given)
        options["images"] = near or options.get("images")
    return options
