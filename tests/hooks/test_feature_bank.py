"""The bank of features that hooks compare with."""

import torch

from ssdet.hooks._parts.feature_bank import FeatureBank


def test_it_is_filled_under_autocast():
    bank, members = FeatureBank("Owner", 3, per_step=2), torch.tensor([[True], [True]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for value in (1.0, 2.0):
            bank.push(torch.full((2, 4), value), members, torch.Generator())
    assert bank.rows[0][:, 0].tolist() == [1, 2, 2]
