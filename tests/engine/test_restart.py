"""`torchrun --max-restarts` starts a command again; and processes that do not find each other."""

import socket
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from mmengine.model import MMDistributedDataParallel
from torch import nn
from torch.distributed import TCPStore

from ssdet.engine import runner as runner_module
from ssdet.engine.distributed import (
    PortableDistributedDataParallel,
    agreed_name,
    start_process_group,
)
from ssdet.exits import RankError
from tests.engine.toy import ToyData, toy
from tests.reliability.harness import checkpoint, difference


def cut(folder):
    """A run that ended after four of six iterations, without a word."""
    run = toy(folder)
    run.train_loop._max_iters = 4
    run.train()
    return checkpoint(folder, 4)


def read_again(folder, **changes):
    """How many samples the same command reads the next time."""
    run = toy(folder, **changes)
    before = ToyData.read
    run.train()
    return ToyData.read - before


REST = 2 * 2 + 8  # two iterations of two samples, and the last validation


@pytest.mark.parametrize("here", [True, False])
def test_a_start_that_is_none_of_the_first_resumes(tmp_path, monkeypatch, here):
    """A machine that did not fail counts no restart, but goes on where the others do."""
    cut(tmp_path / "again")
    toy(tmp_path / "whole").train()
    if here:
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    else:
        monkeypatch.setattr(runner_module, "any_rank", lambda flag: not flag)
    # The weights that the command starts from are those of its first start.
    start = str(tmp_path / "whole/checkpoints/iter_6.pth")
    assert read_again(tmp_path / "again", load_from=start) == REST
    both = (checkpoint(tmp_path / name, 6) for name in ("again", "whole"))
    assert difference(*both) is None


def test_a_restart_before_the_first_checkpoint_starts_from_the_same_weights(tmp_path, monkeypatch):
    toy(tmp_path / "start").train()
    start = str(tmp_path / "start/checkpoints/iter_6.pth")
    toy(tmp_path / "whole", load_from=start).train()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    toy(tmp_path / "again", load_from=start).train()
    both = (checkpoint(tmp_path / name, 6) for name in ("again", "whole"))
    assert difference(*both) is None


def test_the_first_start_does_not_resume(tmp_path, monkeypatch):
    cut(tmp_path)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    assert read_again(tmp_path) == 6 * 2 + 2 * 8
    assert (tmp_path / "earlier-1/checkpoints/iter_4.pth").is_file()


def test_a_process_that_finds_no_other_says_so(monkeypatch):
    where = dict(RANK="1", WORLD_SIZE="2", LOCAL_RANK="1", MASTER_ADDR="127.0.0.1")
    with socket.socket() as taken:  # so that nobody else begins to listen there
        taken.bind(("127.0.0.1", 0))
        for name, value in dict(where, MASTER_PORT=str(taken.getsockname()[1])).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(RankError, match=r"rank 1 of 2 could not join the others at 127.0.0.1:"):
            start_process_group("pytorch", timeout=1)


def test_a_restart_does_not_meet_the_processes_of_the_start_before():
    """They share one store, in which the others' old numbers still stand."""
    wait = timedelta(seconds=20)
    server = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    server.set("ssdet/ask/2", "of a process that died before it was told")

    def start(rank):
        time.sleep(0.1 * (rank == 2))
        store = TCPStore("127.0.0.1", server.port, timeout=wait, wait_for_workers=False)
        return agreed_name(store, rank, 3, wait)

    names = []
    for _ in range(3):
        with ThreadPoolExecutor(3) as threads:
            (name,) = set(threads.map(start, range(3)))
        names.append(name)
    assert len(set(names)) == 3


def test_a_setting_that_pytorch_renamed_is_no_warning(monkeypatch):
    """Every process would print it at each start."""

    def build(self, **options):
        assert options["broadcast_buffers"] is False
        warnings.warn("`broadcast_buffers` is deprecated. Use ...", FutureWarning, stacklevel=1)

    monkeypatch.setattr(MMDistributedDataParallel, "__init__", build)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PortableDistributedDataParallel(nn.Linear(1, 1))
