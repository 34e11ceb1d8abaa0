"""Two processes that see different images agree on the weights, and on what hooks remember."""

import os

import pytest
import torch
import torch.distributed

from ..reliability.harness import server
from .assertions import assert_finite, assert_same
from .table import ENTRIES

# One of each way in which processes could part: statistics gathered, boxes kept, networks in turn,
# another source counted, a pass of the teacher that one process may not need.
CHOSEN = (
    "CalibratedThresholdHook-retinanet",
    "HeldOutGuardHook-fcn",
    "GMMThresholdHook-retinanet",
    "LabelDistributionThresholdHook-retinanet",
    "DualThresholdHook-fcn",
    "PseudoBoxMemoryHook-retinanet",
    "PolishHook-retinanet",
    "AdaptiveAssignerHook-rtmdet",
    "DomainAlignmentHook-retinanet",
    "GuidedBurnInHook-retinanet",
    "QueryMaskLabelHook-mask2former",
    "CrossViewQueryHook-dino",
    "TextQueryHook-dino",
    "ShrinkMatchHook-fcn",
    "UnreliableContrastHook-fcn",
    "LocalContrastHook-fcn",
    "RegionContrastHook-fcn",
    "DensityDescentHook-fcn",
    "MutualDecodersHook-fcn",
    "CrossPromptHook-fcn",
    "ChannelMemoryHook-fcn_channels",
    "ReliabilityGateHook-fcn",
    "RegionInstructionHook-fcn",
    "MultiGranularityHook-fcn",
    "ExternalBoxesHook-retinanet",
    "ExternalMapsHook-fcn",
    "DateDecodersHook-siamese",
    "PartialLabelsHook-retinanet",
    "PartialLabelsHook-fcn",
    "ImageTagHook-fcn",
)
LIMIT = 400  # seconds, for all of them together on a busy machine


def work(rank, folder):
    """Three steps with each of the hooks; in the last one this rank may have no pseudo label."""
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank))
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    for entry in (entry for entry in ENTRIES if str(entry) in CHOSEN):
        run = entry.build(folder / f"{entry}_{rank}")
        run.distribute()
        logs = run.train(2, rank)
        if rank == 1:
            run.silence()
        logs += run.train(1, rank)
        assert_finite(logs)
        torch.save(run.save(), folder / f"{entry}_{rank}.pth")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    processes = [server().Process(target=work, args=(rank, folder)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(LIMIT)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    assert codes == [0, 0], "a process failed (see its traceback), or waited for the other one"
    return folder


@pytest.mark.parametrize("name", CHOSEN)
def test_they_agree(name, folder):
    one, other = (torch.load(folder / f"{name}_{rank}.pth", weights_only=True) for rank in (0, 1))
    for state in (*one["hooks"], *other["hooks"]):
        # With `online=True` each process keeps its own values; they are gathered for each fit.
        state.pop("pools", None)
    assert_same(one, other, name)
