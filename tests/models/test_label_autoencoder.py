"""The auto-encoder of label maps."""

import pytest
import torch

from ssdet.losses.shape_prior import reconstruction_loss
from ssdet.mixing.label_noise import swap_labels
from ssdet.models import LabelAutoEncoder


def test_maps_of_any_size_come_back_in_their_size():
    model = LabelAutoEncoder(3, size=(16, 32), channels=4, stages=2, embedding=8)
    found = model.plausible(torch.randint(3, (2, 40, 50)))
    assert found.shape == (2, 3, 40, 50)
    assert found.min() >= 0 and found.max() <= 1
    assert model(model.encode(torch.zeros(1, 16, 32, dtype=torch.long))).shape == (1, 3, 16, 32)


def test_encodings():
    labels = torch.tensor([[[0, 2]]])
    settings = dict(size=(4, 4), channels=2, stages=1, embedding=2)
    one_hot = LabelAutoEncoder(3, **settings).encode(labels)
    assert one_hot[0, :, 0].tolist() == [[1, 0], [0, 0], [0, 1]]
    numbers = LabelAutoEncoder(3, one_hot=False, **settings).encode(labels)
    assert numbers.tolist() == [[[[0.0, 2.0]]]]


def test_it_learns_to_repair_shapes():
    """Squares of one size anywhere: what it says of a square with holes has fewer mistakes."""
    torch.manual_seed(0)
    shapes = torch.zeros(9, 16, 16, dtype=torch.long)
    for number, shape in enumerate(shapes):
        row, column = 4 * (number // 3), 4 * (number % 3)
        shape[row : row + 6, column : column + 6] = 1
    model = LabelAutoEncoder(2, size=(16, 16), channels=8, stages=2, embedding=32)
    optimizer = torch.optim.Adam(model.learner.parameters(), lr=3e-3)
    for _ in range(80):
        logits = model(model.encode(swap_labels(shapes, 0.2)))
        loss = reconstruction_loss(logits.sigmoid(), shapes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.follow(0.0)
    wrong = swap_labels(shapes, 0.2)
    repaired = model.plausible(wrong).argmax(1)
    assert (repaired != shapes).sum() < 0.3 * (wrong != shapes).sum()


def test_sizes_are_checked():
    with pytest.raises(ValueError, match=r"multiples of 2\^stages = 16"):
        LabelAutoEncoder(3, size=(40, 64))
