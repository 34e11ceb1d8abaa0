"""The same labeler as a pool of Ray actors: each writes its shards, on whatever machine it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..exits import WorkerError
from ..extras import load
from ..messages import warn
from .job import Request
from .shards import Counts

DEATHS = 2  # of actors at one shard, after which the shard is to blame


class ShardActor:
    """Labels shards; the model is loaded once."""

    def __init__(self, request: Request) -> None:
        import torch

        from .labeler import cores

        torch.set_num_threads(max(int(os.environ.get("OMP_NUM_THREADS", cores())), 1))
        self.job = request.job()
        self.job.shards.open(self.job.about())
        self.labeler = self.job.labeler()

    def label(self, number: int) -> Counts:
        """Label a shard and write it."""
        shards = self.job.shards
        (records,) = self.labeler.run(self.job.source, [shards.places(number)])
        return shards.write(number, records)


def labeled_by_actors(
    request: Request, missing: Sequence[int], actors: int
) -> Iterator[tuple[int, Counts]]:
    """Each missing shard with its counts, as it is done.

    An actor that dies is replaced, and its shard given to another one: the file of a shard is whole
    or absent, so nothing is labeled twice.
    """
    ray = load("ray", extra="ray")
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False)
    gpus = 1 if ray.cluster_resources().get("GPU") else 0
    remote = ray.remote(num_cpus=1 if gpus else 0.5, num_gpus=gpus, max_restarts=0)(ShardActor)
    todo, deaths = list(reversed(missing)), dict.fromkeys(missing, 0)
    running: dict[Any, tuple[Any, int]] = {}
    request = _absolute(request)
    idle = [remote.remote(request) for _ in range(min(actors, len(missing)))]
    try:
        while todo or running:
            while todo and idle:
                actor, number = idle.pop(), todo.pop()
                running[actor.label.remote(number)] = actor, number
            (done,), _ = ray.wait(list(running))
            actor, number = running.pop(done)
            try:
                counts = ray.get(done)
            except ray.exceptions.RayActorError as error:
                deaths[number] += 1
                if deaths[number] >= DEATHS:
                    raise WorkerError(
                        f"two actors died at shard {number}: {str(error).splitlines()[0]} The "
                        "other shards are kept; label its images alone to find the one at fault"
                    ) from None
                warn(f"an actor died at shard {number}; another one takes it")
                todo.append(number)
                idle.append(remote.remote(request))
                continue
            idle.append(actor)
            yield number, counts
    finally:
        for actor in [*idle, *(actor for actor, _ in running.values())]:
            ray.kill(actor)


def _absolute(request: Request) -> Request:
    """The same, for processes that start in another folder."""

    def whole(path: Any) -> Any:
        is_path = isinstance(path, (str, os.PathLike)) and "://" not in str(path)
        return os.path.abspath(path) if is_path else path

    given = isinstance(request.images, (str, os.PathLike))
    config = request.config
    return replace(
        request,
        checkpoint=whole(request.checkpoint),
        images=whole(request.images),
        folder=request.folder.absolute(),
        root=whole(request.root or (None if given else ".")),
        config=whole(config) if config and os.path.isfile(config) else config,
    )
