"""Labels for a folder: the shards that are missing are labeled, then all are written as one."""

from __future__ import annotations

import html
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..datasets.sources import Images, SourceError
from ..exits import UsageError
from ..formats.labeled import LabelSet
from ..formats.write import may_write
from ..formats.writers import WRITERS, write_labels
from ..messages import log, warn
from ..validation import check_choice
from .job import Given, Job, Request
from .labeler import cores
from .progress import progress, words
from .ray_pool import labeled_by_actors
from .shards import MANIFEST, Counts, ShardFolder

__all__ = ["LabelingResult", "label"]

MANY = 2_000_000  # objects; what loads a COCO file needs about 1 kB of memory for each
FEW_ERRORS = 10  # images that may be unreadable in any case
_LOOK = 0.5  # seconds between two looks at the work of other processes
_TELL = 60.0
FORMATS, ENGINES = tuple(WRITERS), ("here", "ray")


@dataclass(frozen=True)
class LabelingResult:
    """What was labeled, and where it was written; a notebook shows it as a table."""

    out: Path | None
    format: str
    classes: tuple[str, ...]
    counts: Counts
    seconds: float
    labeled_now: int

    @property
    def errors(self) -> list[tuple[str, str]]:
        """The first images that could not be labeled, each with the reason."""
        return self.counts.bad

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self._rows())

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in self._rows()
        )
        return f"<table>{cells}</table>"

    def _rows(self) -> list[tuple[str, str]]:
        counts = self.counts
        rows = [
            ("labels", f"{self.out or 'not merged yet'} ({self.format})"),
            ("images", f"{counts.images:,}, {self.labeled_now:,} of them labeled now "
                       f"({words(self.seconds)})"),
        ]  # fmt: skip
        if counts.boxes:
            named = [f"{self.classes[k]} {n:,}" for k, n in sorted(counts.of_class.items())]
            rows.append(("objects", f"{counts.boxes:,} ({', '.join(named)})"))
        elif counts.maps:
            rows.append(("label maps", f"{counts.maps:,}"))
        elif self.format != "masks" and counts.images > counts.errors:
            rows.append(("objects", "none reached its threshold; a lower --threshold shows more"))
        if counts.errors:
            rows.append(("not labeled", f"{counts.errors:,} images"))
            rows += [(f"  {name}", error) for name, error in counts.bad]
        return rows


def label(
    checkpoint: str | Path,
    images: Images,
    out: str | Path,
    *,
    format: str = "coco",
    config: str | None = None,
    model: str = "teacher",
    threshold: Given = None,
    tta: Sequence[str] = (),
    root: str | None = None,
    batch_size: int = 8,
    workers: int | None = None,
    device: str | None = None,
    shards: str | Path | None = None,
    shard_size: int | None = None,
    merge: bool = True,
    max_errors: float = 0.01,
    image_url: str = "",
    engine: str = "here",
    actors: int = 2,
    force: bool = False,
) -> LabelingResult:
    """Label images, as `ssdet label` does; the same call again goes on where it stopped.

    Args:
        checkpoint: A run folder (its best checkpoint), a checkpoint, or a folder of `ssdet export`.
        images: A folder, a glob pattern, a `.txt` list, a COCO `.json`, or a list of paths.
        out: The file or folder to write.
        format: A key of `ssdet.formats.WRITERS`.
        config: Of the checkpoint. None: `config.py` of its run folder.
        model: "teacher" or "student".
        threshold: The lowest score that is kept: a number, numbers by class, a file of them, or
            "learned" by the hooks of the run. None: 0.3 for boxes; all pixels.
        tta: Further views to fuse: "hflip", "vflip", and sizes such as "1.25".
        root: Folder that the names in a list are relative to.
        batch_size: Images of one size in a pass.
        workers: Threads that read and decode. None: one for each core, up to 8.
        device: Of the model. None: a GPU if there is one.
        shards, shard_size: Folder of the unmerged labels (`OUT.shards`), and images in each file.
        merge: Write `out`; otherwise the shards are all.
        max_errors: Share of the images that may be unreadable, ten in any case; more end the job.
        image_url: Label Studio: start of the addresses of the images.
        engine: "here", in this process and its siblings under torchrun, or "ray".
        actors: Ray: how many label side by side.
        force: Begin anew, and overwrite `out`.
    """
    check_choice("label", "format", format, FORMATS)
    check_choice("label", "engine", engine, ENGINES)
    target = Path(out)
    folder = Path(shards) if shards is not None else target.with_name(target.name + ".shards")
    request = Request(
        checkpoint, images, folder, config, model, threshold, tuple(tta), root, batch_size,
        workers, device, shard_size, max_errors,
    )  # fmt: skip
    if force:
        _clear(folder)
    if merge and not (folder / MANIFEST).is_file():
        may_write(target, force=force)
    job = request.job()
    start = time.monotonic()
    new = _label_missing(job, actors if engine == "ray" else 0)
    if _rank() or not merge:
        counts, written = _counted(job.shards), None
    else:
        _wait(lambda: not job.shards.missing(), "the other processes")
        counts, written = job.shards.total(), target
        _write(job, target, format, counts, image_url)
    seconds = time.monotonic() - start
    return LabelingResult(written, format, job.network.classes, counts, seconds, new.images)


def shards_of(out: Path, images: int) -> ShardFolder:
    """The labels of a job that is done, image by image."""
    shards = ShardFolder(out.with_name(out.name + ".shards"), images)
    known = json.loads((shards.path / MANIFEST).read_text(encoding="utf-8"))
    shards.size = known["shard_size"]
    return shards


def _label_missing(job: Job, actors: int) -> Counts:
    """Label the shards of this process that are not there yet, here or by actors of Ray."""
    rank, world, shards = _rank(), _world(), job.shards
    if world > 1:
        torch.set_num_threads(cores())
    if rank:
        _wait(lambda: (shards.path / MANIFEST).is_file(), "the first process to begin")
    shards.open(job.about())
    own = range(rank, len(shards), world)
    missing = [number for number in shards.missing() if number in own]
    total = sum(len(shards.places(number)) for number in own)
    left = sum(len(shards.places(number)) for number in missing)
    counts = Counts()
    if not missing:
        return counts
    if left < total:
        log(f"{total - left:,} of {total:,} images are labeled already; {left:,} are left")
    known = sum(shards.counts(number).errors for number in own if number not in set(missing))
    done = labeled_by_actors(job.request, missing, actors) if actors else _here(job, missing)
    with progress(total, total - left) as shown:
        for _, new in done:
            counts += new
            shown.advance(new.images)
            _limit_errors(job, counts, known + counts.errors)
    return counts


def _here(job: Job, missing: Sequence[int]) -> Iterator[tuple[int, Counts]]:
    """Each missing shard with its counts, as it is written."""
    parts = job.labeler().run(job.source, [job.shards.places(number) for number in missing])
    for number, records in zip(missing, parts, strict=True):
        yield number, job.shards.write(number, records)


def _limit_errors(job: Job, counts: Counts, errors: int) -> None:
    share = job.request.max_errors
    if errors > max(FEW_ERRORS, share * len(job.source)):
        names = "\n".join(f"  {name}: {error}" for name, error in counts.bad)
        raise SourceError(
            f"{errors} images could not be labeled, more than max_errors={share:g} of "
            f"{len(job.source):,} allows:\n{names}\n"
            f"What was labeled is kept; correct the images, or allow more"
        )


def _write(job: Job, target: Path, format: str, counts: Counts, image_url: str) -> None:
    """All shards as one file or folder; they are read line by line, so memory stays flat."""
    if counts.boxes > MANY and format in ("coco", "coco-results"):
        warn(
            f"{target}: {counts.boxes:,} objects; pycocotools and MMDetection load a COCO file "
            "whole, about 1 kB for each of them"
        )
    classes = job.network.classes
    known = job.source.categories
    ids = tuple(known[name] for name in classes) if set(classes) <= set(known) else ()
    data = LabelSet(job.source.root, classes, job.shards, f"ssdet {job.network.name}", ids)
    options = {"image_url": image_url} if format == "labelstudio" else {}
    # What is there is older labels of this job.
    write_labels(data, target, format, force=True, **options)


def _counted(shards: ShardFolder) -> Counts:
    missing = set(shards.missing())
    counts = Counts()
    for number in range(len(shards)):
        if number not in missing:
            counts += shards.counts(number)
    return counts


def _rank() -> int:
    return int(os.environ.get("RANK", 0))


def _world() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))


def _clear(folder: Path) -> None:
    if _world() > 1:
        raise UsageError(f"--force with several processes: delete {folder} before they start")
    if (folder / MANIFEST).is_file():
        shutil.rmtree(folder)


def _wait(done: Callable[[], bool], what: str) -> None:
    """Look again and again; nothing is exchanged, so a process that dies leaves no other hanging.

    What started the processes ends them all when one fails.
    """
    said = time.monotonic()
    while not done():
        time.sleep(_LOOK)
        if time.monotonic() - said > _TELL:
            said = time.monotonic()
            log(f"waiting for {what}")
