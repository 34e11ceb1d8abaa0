"""What ended a run is one message with the right exit code."""

import errno
import os
from types import SimpleNamespace

import pytest
import torch

from ssdet.engine import NumericError, data_workers, failures
from ssdet.exits import OutOfMemoryError, RankError, WorkerError, WriteError
from tests.engine.toy import toy


def runner(**values):
    model = torch.nn.Linear(1, 1)
    model.passing = "teacher"
    return SimpleNamespace(model=model, iter=4, **values)


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
    ],
)
def test_no_memory(error):
    told = failures.explained(error, runner())
    assert isinstance(told, OutOfMemoryError) and told.exit_code == 71
    assert "no memory left on cpu in the pass of the teacher, iteration 5" in str(told)


def test_real_memory_that_is_not_there():
    with pytest.raises(RuntimeError) as error:
        torch.empty(1 << 60)
    assert failures.is_out_of_memory(error.value)


def test_a_disk_error_from_anywhere():
    told = failures.explained(OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "a.txt"), runner())
    assert isinstance(told, WriteError) and "a.txt could not be written: Disk quota" in str(told)


def test_others_stay_what_they_are():
    errors = (ValueError("x"), OSError(errno.ENOENT, "gone"), NumericError("y"), KeyError(1))
    alone = RuntimeError("gloo: Connection closed")  # no other process can be gone
    for error in (*errors, alone):
        assert failures.explained(error, runner()) is error


def test_another_rank_that_is_gone(monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    text = "[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:4"
    told = failures.explained(RuntimeError(text), runner())
    assert isinstance(told, RankError) and "rank 1 waited in vain" in str(told)
    error = RuntimeError("shape mismatch")
    assert failures.explained(error, runner()) is error


def raised_in_a_worker(error):
    """As PyTorch brings it to the main process."""
    try:
        raise error
    except Exception:
        import sys

        from torch._utils import ExceptionWrapper

        wrapped = ExceptionWrapper(sys.exc_info(), where="in DataLoader worker process 3")
    try:
        wrapped.reraise()
    except Exception as brought:
        return brought


class Demanding(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("line one\nValueError: line two"), "line two"),
        (KeyError("name"), "KeyError: 'name'"),
        (Demanding(1, 2), "Demanding: 1 and 2"),
        (ZeroDivisionError(), "ZeroDivisionError: ."),
    ],
)
def test_an_error_in_a_worker_is_unwrapped(error, message):
    told = data_workers.explained(raised_in_a_worker(error))
    assert isinstance(told, WorkerError) and told.exit_code == 71
    assert message in str(told) and "data worker 3 failed: " in str(told)
    assert "Traceback" not in str(told)


def test_an_error_with_an_exit_code_keeps_it():
    told = data_workers.explained(raised_in_a_worker(NumericError("one\n\ntwo")))
    assert type(told) is NumericError and str(told) == "one\n\ntwo"


def test_errors_of_the_main_process_are_left_alone():
    for error in (ValueError("x"), RuntimeError("y")):
        assert data_workers.explained(error) is error


def test_loaders_with_workers_have_a_limit_of_time(tmp_path):
    assert toy(tmp_path / "a").train_dataloader.timeout == 0
    loader = {"num_workers": 2}
    data_workers.set_timeout(loader)
    assert loader["timeout"] == 300
    loader["timeout"] = 0
    data_workers.set_timeout(loader)
    assert loader["timeout"] == 0
