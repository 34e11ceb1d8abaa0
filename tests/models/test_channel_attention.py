"""Attention among channels, by hand."""

import pytest
import torch

from ssdet.models import ChannelCrossAttention
from ssdet.models.channel_attention import channel_classes, channel_shares


def test_scores_are_normalized_before_the_softmax():
    """Scores (1, 3) have mean 2 and deviation 1: (-1, 1), shares .1192 and .8808."""
    query, key = torch.tensor([[1.0]]), torch.tensor([[1.0], [3.0]])
    torch.testing.assert_close(
        channel_shares(query, key), torch.tensor([[0.1192, 0.8808]]), atol=1e-4, rtol=0
    )


def test_the_whole_map_of_scores_is_normalized_not_each_row():
    query, key = torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [3.0]])
    scores = torch.tensor([[1.0, 3.0], [2.0, 6.0]])
    normed = (scores - scores.mean()) / scores.std(correction=0)
    torch.testing.assert_close(channel_shares(query, key), normed.softmax(-1), atol=1e-4, rtol=1e-4)


def test_a_channel_belongs_to_the_class_whose_map_it_resembles():
    """Maps (1,1,0,0), (0,0,1,1); channels (2,2,0,1), (0,1,3,3): .9428 .1622, .2357 .9733."""
    maps = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]])[None]
    channels = torch.tensor([[2.0, 2, 0, 1], [0, 1, 3, 3]]).T[None]
    assert channel_classes(channels, maps).tolist() == [[0, 1]]


def neck(**settings):
    torch.manual_seed(0)
    return ChannelCrossAttention(6, channels=4, heads=2, **settings)


def test_alone_every_image_attends_to_itself():
    one = neck().eval()
    levels = (torch.randn(3, 2, 8, 8), torch.randn(3, 6, 4, 4))
    found = one(levels)
    assert found[0] is levels[0] and found[1].shape == levels[1].shape
    single = one(tuple(level[1:2] for level in levels))[1]
    torch.testing.assert_close(found[1][1:2], single)


def test_labeled_rows_are_made_of_all_unlabeled_ones_and_these_of_themselves():
    one = neck(dropout=0.0)
    one.labeled = 1
    maps = torch.randn(3, 6, 4, 4)
    found = one((maps,))[0]
    changed = maps.clone()
    changed[2] += 1
    other = one((changed,))[0]
    assert not torch.allclose(found[0], other[0])  # made of rows 1 and 2
    torch.testing.assert_close(found[1], other[1])
    assert one.embedded.shape == (3, 16, 4) and not one.embedded.requires_grad


def test_with_one_unlabeled_row_that_is_the_labeled_one_it_is_what_an_image_alone_gets():
    one = neck().eval()
    image = torch.randn(1, 6, 4, 4)
    one.labeled = 1
    pair = one((torch.cat([image, image]),))[0]
    one.labeled = None
    torch.testing.assert_close(pair[:1], one((image,))[0])


def test_memories_take_the_place_of_the_batch():
    one = neck(dropout=0.0)
    one.labeled, one.memory = 1, torch.randn(2, 4, 16)
    maps = torch.randn(2, 6, 4, 4)
    found = one((maps,))[0]
    changed = maps.clone()
    changed[1] += 1
    torch.testing.assert_close(found[0], one((changed,))[0][0])
    one.memory = one.memory + torch.randn(2, 4, 16)
    assert not torch.allclose(found[0], one((maps,))[0][0])
    one.memory = torch.randn(2, 4, 9)
    with pytest.raises(ValueError, match="maps of another size"):
        one((maps,))


def test_batches_of_one_kind_and_pairs_with_a_class_token():
    one = neck()
    maps, token = torch.randn(2, 6, 4, 4), torch.randn(2, 6)
    for labeled in (0, 2):
        one.labeled = labeled
        assert one((maps,))[0].isfinite().all()
    one.labeled = None
    (found,) = one(([maps, token],))
    assert found[1] is token and found[0].shape == maps.shape


def test_projections_start_as_xavier():
    one = neck()
    one.init_weights()
    bound = (6 / (4 + 8)) ** 0.5
    weight = one.own.query.weight.detach()
    assert weight.abs().max() <= bound and weight.std() == pytest.approx(bound / 3**0.5, rel=0.35)
