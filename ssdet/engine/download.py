"""Weights from the web: one download for each machine, whole or absent, or one clear message."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, getproxies, urlopen

from mmengine.dist import all_gather_object, get_rank

from ..exits import CheckpointError
from .weight_names import address, by_hand, cached, is_url, names_in

PATIENCE = 1.8  # seconds until a server that does not answer counts as out of reach
STALLED = 60.0  # seconds without a byte that end a download
_PIECE = 1 << 20


def fetch(name: str) -> Path:
    """The file of a name or an address, downloaded if it is not here; all processes must call it.

    The first process of each machine downloads, the others wait for it. If it fails on one machine,
    every process raises the same error.
    """
    place = address(name)
    if not is_url(place):
        path = Path(place)
        if not path.is_file():
            raise CheckpointError(f"checkpoint {path}: no such file")
        return path
    target = cached(place)
    problem = ""
    if is_first_of_machine() and not target.is_file():
        try:
            _download(place, target)
        except (OSError, ValueError) as error:
            problem = _reason(error)
    problem = next(filter(None, all_gather_object(problem)), "")
    if problem:
        origin = f" ({place})" if place != name else ""
        raise CheckpointError(
            f"weights {name}{origin} are not in {target.parent}, and could not be downloaded: "
            f"{problem}.\nWhere there is a network:\n  {by_hand(place)}\nand copy the file to the "
            f"same place here. To start without: `ssdet init --weights none`"
        )
    return target


def fetch_all(config: Mapping[str, Any]) -> None:
    """Have all weights from the web that a training starts from, before it loads its data."""
    for name in names_in(config):
        if is_url(address(name)):
            fetch(name)


def is_first_of_machine() -> bool:
    """Whether this process is the one that downloads; launchers number those of a machine."""
    return int(os.environ.get("LOCAL_RANK", get_rank())) == 0


def _download(url: str, target: Path) -> None:
    """Write to a name of this process, check length and hash, and rename."""
    problem = _out_of_reach(url)
    if problem:
        raise OSError(problem)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{socket.gethostname()}.{os.getpid()}.part")
    try:
        _stream(url, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _stream(url: str, part: Path) -> None:
    from rich.console import Console
    from rich.progress import wrap_file

    console = Console(stderr=True)
    console.print(f"Downloading {url} to {part.parent}", soft_wrap=True, highlight=False)
    digest, got = hashlib.sha256(), 0
    request = Request(url, headers={"User-Agent": "ssdet"})
    with urlopen(request, timeout=STALLED) as answer, part.open("wb") as file:
        length = int(answer.headers.get("Content-Length") or 0)
        silent = not console.is_terminal
        with wrap_file(answer, length, console=console, disable=silent, transient=True) as pieces:
            while piece := pieces.read(_PIECE):
                file.write(piece)
                digest.update(piece)
                got += len(piece)
    if length and got != length:
        raise ValueError(f"the connection ended after {got} of {length} bytes")
    named = re.search(r"-([0-9a-f]{8,})\.[a-z]+$", cached(url).name)
    if named and not digest.hexdigest().startswith(named[1]):
        raise ValueError(
            f"the {got} bytes that came have the sha256 {digest.hexdigest()[:8]}..., where the "
            f"name of the file says {named[1]}: they were changed on the way"
        )


def _out_of_reach(url: str) -> str:
    """Why a server cannot be reached, found out in two seconds at most."""
    parts = urlsplit(url)
    if parts.scheme in getproxies():
        return ""  # the proxy knows the way
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection((str(parts.hostname), port), PATIENCE).close()
            found.append("")
        except OSError as error:
            found.append(f"{parts.hostname} is out of reach ({_reason(error)})")

    # Asking for a name has no time limit of its own.
    thread = Thread(target=connect, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return found[0] if found else f"{parts.hostname} did not answer in {PATIENCE:g} s"


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"the server answered {error.code} {error.reason}"
    return str(getattr(error, "strerror", None) or getattr(error, "reason", None) or error)
