"""By what an image is found again, in another view and in another epoch."""

from __future__ import annotations

from typing import Any


def image_name(owner: str, sample: Any) -> str | int:
    """The path of a sample's image, or its number."""
    name = sample.metainfo.get("img_path", sample.metainfo.get("img_id"))
    if name is None:
        raise ValueError(
            f"{owner}: a view has neither img_path nor img_id, so its image cannot "
            "be found again. Add one to the meta_keys of the transform that packs it."
        )
    return name
