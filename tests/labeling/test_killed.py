"""Real processes: killed with SIGKILL, or two of them under torchrun."""

import os
import subprocess
import sys
import time

import pytest

import ssdet
from ssdet.labeling.shards import ShardFolder

pytestmark = pytest.mark.long
SHARD = ["--shard-size", "2", "--batch-size", "2", "--device", "cpu"]
ARGUMENTS = {"shard_size": 2, "batch_size": 2}


def command(detector, images, out):
    return ["label", str(detector), str(images), "--out", str(out), *SHARD]


def done(out):
    folder = out.with_name(out.name + ".shards")
    return len(list(folder.glob("shard-*.jsonl"))) if folder.is_dir() else 0


def test_killed_three_times(detector, images, tmp_path):
    out = tmp_path / "killed.json"
    line = [sys.executable, "-m", "ssdet.cli", *command(detector, images, out)]
    counts = []
    for _ in range(3):
        before = done(out)
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 120
        while done(out) == before and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        process.kill()
        process.wait()
        counts.append(done(out))
        assert counts[-1] > before
    assert counts[0] < 16, "it was killed too late"
    stamps = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "killed.json.shards").iterdir()}
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "killed.json.shards").iterdir()}
    shards = [name for name in stamps if name.startswith("shard-")]
    assert {name: after[name] for name in shards} == {name: stamps[name] for name in shards}
    ssdet.label(detector, images, tmp_path / "once.json", **ARGUMENTS)
    assert out.read_text() == (tmp_path / "once.json").read_text()


def test_two_processes_of_torchrun(detector, images, tmp_path):
    out = tmp_path / "two.json"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    subprocess.run(
        [*launch, "-m", "ssdet.cli", *command(detector, images, out)],
        check=True, timeout=300, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert ShardFolder(tmp_path / "two.json.shards", 32, 2).missing() == []
    ssdet.label(detector, images, tmp_path / "one.json", **ARGUMENTS)
    assert out.read_text() == (tmp_path / "one.json").read_text()
