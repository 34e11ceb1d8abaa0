"""`ssdet train --gpus N` becomes torchrun, and each of its processes joins the others."""

import os
import sys

import pytest
import torch

from ssdet.cli import main

COMMAND = ["train", "my config.py", "--gpus", "2", "--work-dir", "run"]


@pytest.fixture
def started(monkeypatch):
    """The command line that would take the place of this process."""
    lines = []

    def instead(program, line):
        lines.append((program, line))
        raise SystemExit(0)

    monkeypatch.setattr(os, "execv", instead)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return lines


def test_the_command_becomes_torchrun(started, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(COMMAND)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    assert started == [(sys.executable, [sys.executable, *launch, "-m", "ssdet.cli", *COMMAND])]
    assert capsys.readouterr().out == "ssdet train my config.py: starting 2 processes\n"


def test_processes_share_the_cores_unless_told_otherwise(started, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 9)
    monkeypatch.delenv("OMP_NUM_THREADS")
    with pytest.raises(SystemExit):
        main(COMMAND)
    assert os.environ["OMP_NUM_THREADS"] == "4"


def test_more_processes_than_gpus_are_refused(started, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert main(COMMAND) == 2 and not started
    assert "--gpus 2: this machine shows 1; take --gpus 1, or look at" in capsys.readouterr().err


def test_another_launcher_is_refused(started, capsys):
    assert main([*COMMAND, "--launcher", "slurm"]) == 2 and not started
    assert "--gpus 2 starts the processes itself" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["train", "config.py", "--gpus", "0"])
    assert "argument --gpus: 0 is not a whole number above 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "elastic", "launcher"),
    [([], "1", "pytorch"), (["--dry-run"], "", "none"), (["--gpus", "1"], "", "none")],
)
def test_what_runs_here(started, monkeypatch, more, elastic, launcher):
    """A process that torchrun has started, a trial, and a training in one process."""
    seen = []

    def prepared(args):
        seen.append(args.launcher)
        raise SystemExit(0)

    if elastic:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", elastic)
    monkeypatch.setattr("ssdet.cli.launch.prepare", prepared)
    with pytest.raises(SystemExit):
        main([*COMMAND, *more])
    assert seen == [launcher] and not started
