"""Two processes under torchrun follow one with the same total batch, on a CPU."""

import json
import re
import time

import pytest
import torch

from .harness import CONFIGS, metrics, train, two_processes

pytestmark = pytest.mark.reliability
KINDS = ("detection", "segmentation")
COMPARED = ("--baseline", "--cfg-options", "train_cfg.max_iters=2", "train_cfg.val_interval=2")
# float32 sums in another order; after six steps the weights differ in the sixth digit.
TOLERANCE = dict(rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """One torchrun for all: both kinds, random draws, and ranks that say nothing or raise."""
    folder = tmp_path_factory.mktemp("two")

    def run(config, name, *options, **environment):
        arguments = ["train", str(CONFIGS / f"distributed_{config}.py"), "--launcher", "pytorch"]
        return environment, [*arguments, "--work-dir", str(folder / name), *options]

    runs = [
        run("detection", "detection"),
        run("segmentation", "segmentation"),
        run("draws", "draws"),
        run("draws", "resumed", "--cfg-options", "train_cfg.max_iters=3"),
        run("draws", "resumed", "--resume"),
        run("detection", "empty", SSDET_EMPTY_RANK="1"),
        run("segmentation", "compared", *COMPARED),
        run("segmentation", "compared", "--resume", *COMPARED),
        run("detection", "raise", SSDET_FAULT="after_train_iter:4:raise", SSDET_FAULT_RANK="1"),
    ]
    return folder, two_processes(folder, runs, limit=600), time.time()


@pytest.fixture(scope="module", params=KINDS)
def one(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one") / request.param
    options = ["train_dataloader.batch_size=8", "train_dataloader.sampler.batch=(4,4)"]
    train(f"distributed_{request.param}.py", folder, "--cfg-options", *options)
    return folder


def states(folder):
    return [torch.load(folder / f"rank_{rank}.pth", weights_only=True) for rank in (0, 1)]


def test_two_follow_one(one, two):
    here = two[0] / one.name
    first, _ = states(here)
    single = torch.load(one / "rank_0.pth", weights_only=True)
    assert first.keys() == single.keys()
    for name, value in single.items():
        torch.testing.assert_close(first[name], value, **TOLERANCE, msg=name)
    lines, other = metrics(one), metrics(here)
    assert [x["iter"] for x in lines] == [x["iter"] for x in other]
    # The comparison is of the whole method: the teacher's labels took part in every step but one.
    assert all(x["pseudo/kept"] > 0 for x in (*lines[1:6], *other[1:6]))


@pytest.mark.parametrize("name", [*KINDS, "empty", "draws"])
def test_ranks_are_identical_bit_for_bit(two, name):
    first, second = states(two[0] / name)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def draws(folder):
    return [torch.load(folder / f"draws_{rank}.pth", weights_only=True) for rank in (0, 1)]


@pytest.mark.parametrize("kind", ["mix", "channels", "dropout"])
def test_ranks_draw_other_numbers(two, kind):
    first, second = (each[kind] for each in draws(two[0] / "draws"))
    assert len(first) == len(second) >= 10
    alike = [torch.equal(a, b) for a, b in zip(first, second, strict=True)]
    assert sum(alike) == 0


def test_two_processes_resume_with_their_own_numbers(two):
    """Stopped after three of six iterations."""
    whole, resumed = (two[0] / name for name in ("draws", "resumed"))
    for one, other in zip(states(whole), states(resumed), strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)
    for one, other in zip(draws(whole), draws(resumed), strict=True):
        for kind, values in other.items():
            assert all(map(torch.equal, one[kind][-len(values) :], values))
            assert len(values) < len(one[kind])


def test_a_rank_without_pseudo_boxes_keeps_nobody_waiting(two):
    lines = [x for x in metrics(two[0] / "empty") if x["mode"] == "train"]
    assert [x["iter"] for x in lines] == [1, 2, 3, 4, 5, 6]
    kept = [x.get("pseudo/kept") for x in lines]
    assert all(kept[1:])  # rank 0, which writes, has boxes throughout
    empty, full = (states(two[0] / name)[0] for name in ("empty", "detection"))
    assert any(not torch.equal(empty[name], full[name]) for name in full)


def test_rank_0_alone_writes(two):
    text = (two[0] / "segmentation/train.log").read_text()
    assert text.count("Saving checkpoint at 6 iterations") == 1
    assert len(metrics(two[0] / "segmentation")) == 7


def test_a_run_and_its_baseline_are_compared_once(two):
    """`ssdet train --baseline` under torchrun, and again with --resume when all is done."""
    folders = [two[0] / name for name in ("compared-baseline", "compared")]
    infos = [json.loads((folder / "run.json").read_text()) for folder in folders]
    assert [info["state"] for info in infos] == ["finished", "finished"]
    assert infos[0]["compared_as"] == "baseline" and infos[0]["seed"] == infos[1]["seed"] == 0
    for folder in folders:
        first, second = states(folder)
        assert all(torch.equal(first[key], second[key]) for key in first)
    output = (two[0] / "output").read_text()
    assert output.count("1 of 2: baseline") == 2 and output.count("finished earlier") == 2
    assert output.count("Did the unlabeled images help?") == 2, "rank 0 alone says it"
    assert "Baseline<small>" in (folders[1] / "report.html").read_text()


def test_a_rank_that_raises_ends_all(two):
    folder, code, end = two
    assert code != 0
    output = (folder / "output").read_text()
    assert re.search(r"RuntimeError: fault on demand", output)
    log = folder / "raise/train.log"
    assert end - log.stat().st_mtime < 60  # the one that waits would do so for half an hour
    assert not (folder / "raise/checkpoints/iter_6.pth").exists()
