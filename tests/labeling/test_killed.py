"""Real processes: killed with SIGKILL, or two of them under torchrun."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import ssdet
from ssdet.cli import main
from ssdet.labeling.shards import ShardFolder

from ..reliability.harness import LIMIT, server

pytestmark = pytest.mark.long
SHARD = ["--shard-size", "2", "--batch-size", "2", "--device", "cpu"]
ARGUMENTS = {"shard_size": 2, "batch_size": 2}


def command(detector, images, out):
    return ["label", str(detector), str(images), "--out", str(out), *SHARD]


def label(arguments, shards=None, before=False):
    """`ssdet label`, killed as soon as it has (or `before` it has) written so many shards."""
    replace, written = os.replace, []

    def dying(source, target):
        ends = Path(target).name.startswith("shard-") and len(written) + 1 == shards
        if ends and before:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if ends:
            os.kill(os.getpid(), signal.SIGKILL)
        written.extend([target] if Path(target).name.startswith("shard-") else [])

    os.replace = dying
    sys.exit(main(arguments))


def ends_with(code, *arguments):
    process = server().Process(target=label, args=arguments)
    process.start()
    process.join(LIMIT)
    assert process.exitcode == code


def shards(out):
    """The finished shards and when they were written."""
    folder = out.with_name(out.name + ".shards")
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("shard-*.jsonl")}


def test_killed_three_times(detector, images, tmp_path):
    out = tmp_path / "killed.json"
    arguments = command(detector, images, out)
    for number, before, there in ((1, False, 1), (3, False, 4), (3, True, 6)):
        ends_with(-signal.SIGKILL, arguments, number, before)
        assert len(shards(out)) == there
    written = shards(out)
    ends_with(0, arguments)
    after = shards(out)
    assert len(after) == 16 and {name: after[name] for name in written} == written
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
