"""What is asked for, and what that means: network, images, thresholds, shards."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..datasets.sources import Images, Source, open_source
from ..validation import check_choice, check_range
from .labeler import Labeler, cores
from .network import Network, load_network
from .shards import ShardFolder
from .thresholds import Thresholds, thresholds_of
from .views import View, views_of

BOXES = 0.3  # the default threshold: a label map keeps every pixel
MOST_WORKERS = 8
Given = float | str | Path | Mapping[str, float] | Sequence[str] | None


@dataclass(frozen=True)
class Request:
    """The arguments of `label` that say what the labels are; another process can be sent them."""

    checkpoint: str | Path
    images: Images
    folder: Path
    config: str | None = None
    model: str = "teacher"
    threshold: Given = None
    tta: Sequence[str] = ()
    root: str | None = None
    batch_size: int = 8
    workers: int | None = None
    device: str | None = None
    shard_size: int | None = None
    max_errors: float = 0.01

    def __post_init__(self) -> None:
        check_choice("label", "model", self.model, ("teacher", "student"))
        check_range("label", "max_errors", self.max_errors)
        check_range("label", "batch_size", self.batch_size, 1, 4096)
        for name in ("workers", "shard_size"):
            value = getattr(self, name)
            check_range("label", name, 1 if value is None else value, 1, float("inf"))

    def job(self) -> Job:
        """Read what it names; nothing is written."""
        network = load_network(self.checkpoint, self.config, self.model)
        source = open_source(self.images, root=self.root)
        detector = network.config.get("default_scope", "mmdet") == "mmdet"
        thresholds = thresholds_of(self.threshold, network, BOXES if detector else 0.0)
        shards = ShardFolder(self.folder, len(source), self.shard_size)
        return Job(self, network, source, thresholds, views_of(self.tta), shards)


@dataclass
class Job:
    """What is to be done, checked before anything is written."""

    request: Request
    network: Network
    source: Source
    thresholds: Thresholds
    views: list[View]
    shards: ShardFolder

    def about(self) -> dict[str, Any]:
        """What the labels depend on."""
        network = self.network
        config = repr((network.config.model, network.pipeline())).encode()
        return {
            "images": self.source.checksum(),
            "checkpoint": network.checksum,
            "config": hashlib.sha256(config).hexdigest(),
            "model": network.role,
            "classes": list(network.classes),
            "thresholds": list(self.thresholds),
            "views": [[view.flip, view.scale] for view in self.views],
        }

    def labeler(self) -> Labeler:
        """Made where it works."""
        asked = self.request
        return Labeler(
            self.network, self.thresholds, self.views, batch_size=asked.batch_size,
            workers=asked.workers or min(cores(), MOST_WORKERS), device=asked.device or _device(),
        )  # fmt: skip


def _device() -> str:
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
