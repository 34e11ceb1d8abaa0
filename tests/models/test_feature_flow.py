"""The flow: densities, volumes; second normalizations."""

import math

import pytest
import torch
from torch import nn
from torch.func import functional_call

from ssdet.models import FeatureFlow, SecondNorms


def test_networks_of_zeros_change_nothing():
    """At the mean of a class in two dimensions: -ln 2 pi = -1.8379, whatever the order."""
    flow = FeatureFlow(2, 3, hidden=4)
    for parameter in flow.blocks.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        point = flow.means[1:2]
        for block in flow.blocks:  # undo the orders, so that the mean is what arrives
            point = point[:, block.order.argsort()]
        found = flow(point)
    assert found.shape == (1, 3)
    assert found[0, 1].item() == pytest.approx(-1.8379, abs=1e-4)
    distance = (flow.means[0] - flow.means[1]).square().sum().item()
    assert found[0, 0].item() == pytest.approx(-1.8379 - distance / 2, abs=1e-3)


def test_factors_are_clamped_softly():
    """ln of a factor: 1 at a clamp of 2 is 2 * 2/pi * atan(.5) = .5903; never above 2."""
    flow = FeatureFlow(2, 1, blocks=1, hidden=4)
    for parameter in flow.blocks.parameters():
        nn.init.zeros_(parameter)
    block = flow.blocks[0]
    nn.init.ones_(block.networks[0][-1].bias[:1].data)
    with torch.no_grad():
        _, volume = block(torch.zeros(1, 2))
    assert volume.item() == pytest.approx(2 * 2 / math.pi * math.atan(0.5), abs=1e-5)
    nn.init.constant_(block.networks[0][-1].bias.data, 1e6)
    with torch.no_grad():
        _, volume = block(torch.zeros(1, 2))
    assert 1.99 < volume.item() <= 2


@pytest.mark.parametrize("dim", [4, 5])
def test_the_volume_is_that_of_the_jacobian(dim):
    torch.manual_seed(0)
    block = FeatureFlow(dim, 2, hidden=8).blocks[0].double()
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    point = torch.randn(1, dim, dtype=torch.double)
    jacobian = torch.autograd.functional.jacobian(lambda x: block(x)[0][0], point)[:, 0]
    expected = torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(block(point)[1][0], expected)


def test_it_learns_the_density_of_what_it_sees():
    torch.manual_seed(0)
    flow = FeatureFlow(2, 1, hidden=16)
    points = torch.randn(256, 2) * torch.tensor([3.0, 0.5]) + 2
    optimizer = torch.optim.Adam(flow.parameters(), 0.02)
    before = -flow(points).mean()
    for _ in range(60):
        optimizer.zero_grad()
        loss = -flow(points).mean()
        loss.backward()
        optimizer.step()
    truth = 0.5 * 2 * (math.log(2 * math.pi) + 1) + math.log(3 * 0.5)  # entropy of the Gaussian
    assert truth - 0.1 < loss < truth + 0.3 < before


def layer():
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4))


def test_second_normalizations_have_their_own_weights_and_statistics():
    own, norms = layer(), SecondNorms([4, 4])
    nn.init.constant_(norms.norms[1].weight, 3.0)
    given = torch.randn(2, 3, 5, 5)
    state = norms.state_for(own)
    found = functional_call(own, state, (given,))
    torch.testing.assert_close(found, own(given) * 3, atol=1e-5, rtol=1e-5)
    own_before = own[1].running_mean.clone()
    functional_call(own, norms.state_for(own), (given + 1,))
    assert torch.equal(own[1].running_mean, own_before)
    assert int(norms.norms[0].num_batches_tracked) == 2
    found.sum().backward()
    assert norms.norms[1].bias.grad is not None and own[0].weight.grad is not None


def test_normalizations_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"of \[4, 4\] channels. Set channels=\[4, 4\]"):
        SecondNorms([4]).state_for(layer())
    with pytest.raises(ValueError, match="FeatureFlow: dim=1"):
        FeatureFlow(1, 2)
