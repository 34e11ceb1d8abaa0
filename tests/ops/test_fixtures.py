"""The stand-ins against what compiled mmcv computed, recorded by tools/record_ops.py."""

from functools import cache
from pathlib import Path

import pytest
import torch

from ssdet.ops.extension import OFFERED
from tests.ops.cases import Case, build, differences, run

FOLDER = Path(__file__).parent / "fixtures"
NAMES = [(case.op, case.name) for case in build()]


@cache
def load(op):
    return torch.load(FOLDER / f"{op}.pt", weights_only=True)


@pytest.mark.parametrize(("op", "name"), NAMES)
def test_as_compiled(op, name):
    record = load(op)[name]
    assert list(differences(record["expected"], run(Case(**record["case"])))) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_as_compiled_on_a_gpu():
    found = {}
    for op, name in NAMES:
        if "ties" not in name:  # a GPU sorts equal scores in another order
            record = load(op)[name]
            texts = differences(record["expected"], run(Case(**record["case"]), "cuda"))
            found[op, name] = list(texts)
    assert not any(found.values()), found


def test_every_operator_is_recorded():
    assert {op for op, _ in NAMES} - {"batched_nms"} == set(OFFERED) - {"ms_deform_attn"}
    assert {(op, name) for op in {op for op, _ in NAMES} for name in load(op)} == set(NAMES)


def test_differences_are_seen():
    expected = [torch.tensor([1.0, 2.0]), torch.tensor([3, 4])]
    assert list(differences(expected, [value.clone() for value in expected])) == []
    assert list(differences(expected, expected[:1])) == ["1 outputs instead of 2"]
    (text,) = differences(expected, [expected[0] + 1e-4, expected[1]])
    assert text.startswith("output 0: differs by up to 0.0001")
    (text,) = differences(expected, [expected[0], torch.tensor([4, 3])])
    assert text == "output 1: differs by up to 1"
