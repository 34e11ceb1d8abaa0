"""`ssdet train --gpus N` starts processes as torchrun does, and each of them joins the others."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest
import torch
from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException

from ssdet.cli import main

ROOT, RUN = Path(__file__).parents[2], run.run

COMMAND = ["train", "my config.py", "--gpus", "2", "--work-dir", "run"]


@pytest.fixture
def started(monkeypatch):
    """What torchrun's agent would have been asked to start."""
    asked = []
    monkeypatch.setattr(run, "run", asked.append)
    for name in ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_SIGNALS_TO_HANDLE"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return asked


def test_each_process_runs_the_command(started, capsys):
    assert main(COMMAND) == 0
    (asked,) = started
    assert asked.standalone and asked.module and asked.nproc_per_node == "2"
    assert [asked.training_script, *asked.training_script_args] == ["ssdet.cli", *COMMAND]
    assert capsys.readouterr().out == "ssdet train my config.py: starting 2 processes\n"


def test_processes_share_the_cores_unless_told_otherwise(started, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 9)
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert main(COMMAND) == 0
    assert os.environ["OMP_NUM_THREADS"] == "4"


def test_a_process_that_fails_gives_its_code_and_no_traceback(started, monkeypatch, capfd):
    monkeypatch.setattr(run, "run", RUN)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert main([*COMMAND, "--cfg-options", "a"]) == 2
    told = capfd.readouterr().err
    assert told.count("--cfg-options 'a': expected KEY=VALUE") == 1  # not once for each process
    assert "Traceback" not in told and "torch" not in told.replace(sys.executable, "")


def test_what_a_process_has_said_the_others_need_not_say(started, monkeypatch, tmp_path, capsys):
    """They run in the environment that the starter made; another mistake is said all the same."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("SSDET_SAID", str(tmp_path / "said"))
    for options in (["a"], ["a"], ["b"], ["a"]):
        assert main([*COMMAND, "--cfg-options", *options]) == 2
    told = re.findall(r"--cfg-options '(\w)': expected KEY=VALUE", capsys.readouterr().err)
    assert told == ["a", "b"]


def test_each_training_has_a_list_of_its_own_of_what_was_said(started, monkeypatch):
    places = []
    monkeypatch.setattr(run, "run", lambda _: places.append(os.environ["SSDET_SAID"]))
    assert main(COMMAND) == main(COMMAND) == 0
    assert len(set(places)) == 2 and "SSDET_SAID" not in os.environ
    assert not any(Path(place).parent.exists() for place in places)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGUSR1, 75)])
def test_a_signal_gives_the_code_of_one_process(started, monkeypatch, number, code):
    def stopped(_):
        raise SignalException("stopped", number)

    monkeypatch.setattr(run, "run", stopped)
    assert main(COMMAND) == code
    assert "SIGUSR1" in os.environ["TORCHELASTIC_SIGNALS_TO_HANDLE"]


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
