"""Distillation losses of MGD, by hand."""

import pytest
import torch

from ssdet.losses import gap_logit_l1, region_similarity, self_similarity


def test_mean_logits_are_compared_as_a_sum_over_images_and_classes():
    student = torch.tensor([[[[1.0, 3.0]], [[0.0, 0.0]]], [[[2.0, 2.0]], [[1.0, 1.0]]]])
    teacher = torch.tensor([[[[1.0, 1.0]], [[1.0, 2.0]]], [[[2.0, 2.0]], [[0.0, 0.0]]]])
    # Image 1: |2 - 1| + |0 - 1.5|, image 2: |2 - 2| + |1 - 0|.
    assert gap_logit_l1(student, teacher).item() == pytest.approx(3.5)


def test_self_similarity_is_the_cosine_of_regions():
    features = torch.tensor([[[[1.0, 3.0]], [[0.0, 4.0]]]])  # regions (1, 0) and (3, 4)
    one_row = self_similarity(features.expand(1, 2, 2, 2), pool=2)[0]
    expected = torch.tensor([[1, 0.6], [0.6, 1]]).repeat(2, 2)
    assert torch.allclose(one_row, expected, atol=1e-6)


def test_region_loss_by_hand():
    student = torch.tensor([[[[1.0, 3.0]], [[0.0, 4.0]]]]).expand(1, 2, 2, 2)
    teacher = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]]).expand(1, 2, 2, 2)
    # Of 16 similarities 8 differ, by 0.6.
    assert region_similarity(student, teacher, pool=2).item() == pytest.approx(0.18)


def test_region_loss_does_not_know_channels_or_scale():
    features = torch.rand(2, 3, 9, 9)
    wide = torch.cat([features, features, torch.zeros(2, 4, 9, 9)], dim=1) * 5
    assert region_similarity(features, wide).item() == pytest.approx(0, abs=1e-10)
    assert region_similarity(features, torch.rand(2, 8, 5, 5)) > 0


def test_gradients_of_features_of_zero_are_finite():
    features = torch.zeros(1, 3, 8, 8, requires_grad=True)
    region_similarity(features, torch.rand(1, 3, 8, 8)).backward()
    assert features.grad.isfinite().all()
