"""The classifier of domains: by hand, and what its gradient does to either side."""

import pytest
import torch

from ssdet.losses import domain_loss, reversed_gradient
from ssdet.models import DomainClassifier


@pytest.mark.parametrize(
    ("labeled", "unlabeled", "gamma", "expected"),
    [
        # (1 - 1/2)^2 log 2 for both.
        (0.0, 0.0, 2.0, 0.1732868),
        # Unlabeled, p = .7310586: .0723295 * .3132617; labeled, .2689414: .5344466 * 1.3132617.
        (1.0, 1.0, 2.0, 0.3622634),
        (1.0, 1.0, 0.0, 0.8132617),
        (-1.0, 1.0, 2.0, 0.0226581),
    ],
)
def test_by_hand(labeled, unlabeled, gamma, expected):
    found = domain_loss(torch.tensor([labeled] * 3), torch.tensor([unlabeled]), gamma)
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_the_gradient_is_turned_around():
    features = torch.tensor([1.0, -2.0], requires_grad=True)
    same = reversed_gradient(features)
    assert torch.equal(same, features)
    (same * torch.tensor([3.0, 5.0])).sum().backward()
    assert features.grad.tolist() == [-3.0, -5.0]


def test_each_level_has_its_own_classifier():
    torch.manual_seed(0)
    classifier = DomainClassifier((2, 4))
    maps = [torch.randn(1, 2, 3, 4), torch.randn(1, 4, 1, 2)]
    found = classifier(maps)
    assert found.shape == (14,)
    first, last = classifier.levels[1][0].weight[:, :, 0, 0], classifier.levels[1][2].weight
    place = (first @ maps[1][0, :, 0, 1]).clamp(min=0)
    assert found[-1].item() == pytest.approx((last[0, :, 0, 0] @ place).item(), abs=1e-6)
    with pytest.raises(ValueError, match=r"maps of \[4, 2\] channels. Set in_channels=\[4, 2\]"):
        classifier(maps[::-1])
