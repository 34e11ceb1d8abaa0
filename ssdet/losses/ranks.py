"""RankMatch: which agents a pixel resembles most, as a distribution over their orders."""

from itertools import permutations

import torch
import torch.nn.functional as F
from torch import Tensor

TINY = 1e-10


def farthest_agents(features: Tensor, number: int, start: int) -> Tensor:
    """Places of `number` of the pixels (N, D), each as orthogonal as can be to those before it.

    The first one is `start`; the next is the pixel whose largest |cosine| to the chosen ones is
    the smallest. No pixel is chosen twice: with fewer pixels than agents all of them are.
    """
    directions = F.normalize(features.detach().float(), dim=-1)
    chosen = [torch.tensor([start], device=features.device)]
    nearest = directions.new_zeros(len(features))
    for _ in range(min(number, len(features)) - 1):
        cosines = (directions @ directions[chosen[-1]][0]).abs()
        # The chosen ones stay at infinity.
        nearest = torch.maximum(nearest, cosines).index_fill(0, chosen[-1], torch.inf)
        chosen.append(nearest.argmin()[None])
    return torch.cat(chosen)


def order_probabilities(probabilities: Tensor) -> Tensor:
    """Plackett-Luce: how probable each order of k items (..., k) is; (..., k!).

    Items are drawn one after the other, each by its share of those that are left.
    """
    k = probabilities.shape[-1]
    orders = torch.tensor(list(permutations(range(k))), device=probabilities.device)
    ordered = probabilities[..., orders]
    left = ordered.flip(-1).cumsum(-1).flip(-1)
    return (ordered / (left + TINY)).prod(-1)


def rank_divergence(weak: Tensor, strong: Tensor, agents: Tensor, top: int) -> Tensor:
    """For each pixel (N,) KL(orders in the weak view || orders in the strong one) / top!.

    A pixel's probabilities are the softmax of its products with the agents. The orders are those of
    the `top` agents that are the most probable ones in the weak view.

    Args:
        weak, strong: Features of the same pixels (N, D) in both views.
        agents: Their places.
        top: How many agents are put in order.
    """
    given = (weak @ weak[agents].T).softmax(-1)
    found = (strong @ strong[agents].T).softmax(-1)
    likely = given.topk(top, dim=-1).indices
    target = order_probabilities(given.gather(-1, likely))
    guess = order_probabilities(found.gather(-1, likely))
    return F.kl_div((guess + TINY).log(), target, reduction="none").mean(-1)
