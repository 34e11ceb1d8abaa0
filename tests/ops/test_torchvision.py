"""torchvision is optional: without it the choice is tested, with it its kernels are, too."""

import sys
import types

import mmcv.ops
import pytest
import torch

from ssdet.ops import torchvision_kernels
from tests.ops.cases import build, differences, run

CASES = [case for case in build() if case.op in ("nms", "batched_nms", "roi_align")]


def test_absent_torchvision_is_not_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert not torchvision_kernels.works("cpu")


def test_torchvision_without_kernels_is_not_used(monkeypatch):
    # What a torchvision of another torch looks like: it may import, but has no operators.
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setattr(torch.ops, "torchvision", types.SimpleNamespace(), raising=False)
    assert not torchvision_kernels.works("cpu")


def test_not_on_a_cpu():
    assert not torchvision_kernels.serves("cpu")


def test_used_only_for_what_it_computes_equally(monkeypatch):
    calls = []
    monkeypatch.setattr(torchvision_kernels, "serves", lambda device: True)

    def nms(boxes, threshold):
        calls.append("nms")
        return torch.zeros(1, dtype=torch.long)

    def roi_align(features, rois, pooling):
        calls.append("roi_align")
        return torch.ones(len(rois), features.shape[1], 2, 2)

    monkeypatch.setattr(torchvision_kernels, "nms", nms)
    monkeypatch.setattr(torchvision_kernels, "roi_align", roi_align)
    boxes, scores = torch.tensor([[0.0, 0, 4, 4], [9, 9, 12, 12]]), torch.tensor([0.1, 0.2])
    assert mmcv.ops.nms(boxes, scores, 0.5, 0)[1].tolist() == [1]
    assert mmcv.ops.nms(boxes, scores, 0.5, 1)[1].tolist() == [1, 0]
    rois = torch.tensor([[0.0, 0, 0, 4, 4]])
    assert mmcv.ops.roi_align(torch.zeros(1, 1, 8, 8), rois, 2).sum() == 4
    assert mmcv.ops.roi_align(torch.zeros(1, 1, 8, 8), rois, 2, 1.0, 0, "max").sum() == 0
    assert calls == ["nms", "roi_align"]


@pytest.mark.skipif(not torchvision_kernels.works("cpu"), reason="needs a working torchvision")
def test_kernels_agree(monkeypatch):
    expected = [run(case) for case in CASES]
    monkeypatch.setattr(torchvision_kernels, "serves", lambda device: True)
    found = [list(differences(want, run(case))) for want, case in zip(expected, CASES, strict=True)]
    assert not any(found), found
