"""How sure probabilities are, by hand."""

import math

import pytest
import torch

from ssdet.thresholds import entropy_of
from ssdet.thresholds.entropy import certainty

ROWS = [0.97, 0.01, 0.01, 0.01], [0.7, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], [0.25] * 4
ENTROPIES = [0.1677, 0.9404, 1.2799, 1.3863]


def test_entropies():
    p = torch.tensor(ROWS)
    assert entropy_of(p[..., None, None]).flatten().tolist() == pytest.approx(ENTROPIES, abs=1e-4)
    doubt = (1 - certainty(p)) * math.log(4)
    assert doubt.tolist() == pytest.approx(ENTROPIES, abs=1e-4)
    assert doubt.quantile(0.8).item() == pytest.approx(1.3224, abs=1e-4)
    assert certainty(torch.tensor([[1.0, 0.0]])).item() == 1
