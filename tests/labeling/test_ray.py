"""Ray: a pool of actors gives what one process gives, also when one of them is killed."""

import os
import signal
from pathlib import Path

import pytest

import ssdet
from ssdet.labeling import ray_pool
from ssdet.labeling.shards import ShardFolder

pytestmark = pytest.mark.long
ray = pytest.importorskip("ray")


@pytest.fixture
def pids(tmp_path, monkeypatch):
    """A local Ray whose actors write down their processes."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_DISABLE_MEMORY_MONITOR", "1")
    folder = tmp_path / "pids"
    folder.mkdir()
    place = str(folder)

    class Actor(ray_pool.ShardActor):
        def __init__(self, request):
            super().__init__(request)
            Path(place, str(os.getpid())).touch()

    monkeypatch.setattr(ray_pool, "ShardActor", Actor)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield folder
    ray.shutdown()


def test_two_actors_one_of_them_killed(detector, images, tmp_path, pids, monkeypatch):
    arguments = {"shard_size": 4, "batch_size": 2}
    ssdet.label(detector, images, tmp_path / "one.json", **arguments)
    run, killed = ray_pool.labeled_by_actors, []

    def killing(request, missing, actors):
        for number, counts in run(request, missing, actors):
            yield number, counts
            if not killed:
                killed.append(int(min(os.listdir(pids))))
                os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr("ssdet.labeling.label.labeled_by_actors", killing)
    found = ssdet.label(detector, images, tmp_path / "ray.json", engine="ray", **arguments)
    assert killed and found.labeled_now == found.counts.images == 32
    assert len(os.listdir(pids)) == 3  # two, and one in place of the killed one
    assert ShardFolder(tmp_path / "ray.json.shards", 32, 4).missing() == []
    assert (tmp_path / "ray.json").read_text() == (tmp_path / "one.json").read_text()
