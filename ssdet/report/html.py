"""What all pages have in common: strict templates, and pictures within the text."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import jinja2

from ..version import __version__


def fill(template: str, *packages: str, **values: Any) -> str:
    """A page as text; templates are those of `ssdet.report`, and of other packages before them."""
    loaders = [jinja2.PackageLoader(name, "templates") for name in (*packages, "ssdet.report")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made = datetime.now().astimezone().strftime("%d %B %Y, %H:%M")
    return environment.get_template(template).render(version=__version__, made=made, **values)


def data_uri(data: bytes, kind: str) -> str:
    """A picture as the address of itself, so that a page needs no file beside it."""
    return f"data:{kind};base64," + base64.b64encode(data).decode("ascii")
