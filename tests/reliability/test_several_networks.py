"""Methods with several networks: a killed run goes on bit for bit, and no process waits."""

import pytest
import torch

from .harness import CONFIGS, checkpoint, difference, metrics, train, two_processes

pytestmark = pytest.mark.reliability
METHODS = ("cps", "dual", "umct", "mgd", "rail", "fst")
CONFIG = "several_networks.py"


@pytest.mark.parametrize("method", ["dual", "rail", "fst"])
def test_kill_9_and_resume_is_bit_identical(method, tmp_path):
    """Killed after 5 of 8, saved at 3."""
    whole, other = tmp_path / "whole", tmp_path / "killed"
    options = ["--cfg-options", f"method={method}"]
    train(CONFIG, whole, *options)
    train(CONFIG, other, *options, expected=-9, SSDET_FAULT="after_train_iter:5:9")
    assert "iter: 3" in train(CONFIG, other, "--resume", *options)
    found = difference(checkpoint(whole, 8), checkpoint(other, 8))
    assert found is None, found
    assert metrics(whole) == metrics(other)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two processes for each method; from iteration 3 on one has no pseudo labels."""
    folder = tmp_path_factory.mktemp("several")
    runs = []
    for method in METHODS:
        arguments = ["train", str(CONFIGS / CONFIG), "--launcher", "pytorch", "--work-dir"]
        options = ["--cfg-options", f"method={method}"]
        runs.append(({"SSDET_EMPTY_RANK": "1"}, [*arguments, str(folder / method), *options]))
    code = two_processes(folder, runs, limit=600)
    assert code == 0, (folder / "output").read_text()[-4000:]
    return folder


@pytest.mark.parametrize("method", METHODS)
def test_ranks_are_identical_bit_for_bit(two, method):
    here = two / method
    first, second = (torch.load(here / f"rank_{rank}.pth", weights_only=True) for rank in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    learned = [line for line in metrics(here) if line["mode"] == "train"]
    assert len(learned) == 8
    unsup = [max(v for k, v in x.items() if "unsup" in k and "loss" in k) for x in learned[2:]]
    assert all(value > 0 for value in unsup)
