"""`--deterministic` asks PyTorch for operations that give the same bits each time."""

import os

import pytest
import torch

from tests.doctor import place
from tests.doctor.test_command import train, trainable


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")  # and at the end as it was
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False


def test_the_flag_reaches_pytorch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = trainable(place.build(tmp_path / "data"))
    assert train(file) == 0 and not torch.are_deterministic_algorithms_enabled()
    assert train(file, "--deterministic") == 0
    assert torch.are_deterministic_algorithms_enabled()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
