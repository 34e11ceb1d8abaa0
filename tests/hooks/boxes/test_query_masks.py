"""Labels of single queries of Mask2Former, by hand."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper

from ssdet.hooks import FixedThresholdHook, MaskScoreHook, QueryMaskLabelHook
from ssdet.losses.mask_sets import mask_confidence

from ...families.detectors import sample
from ...families.test_mask_detectors import batch, pair
from ...helpers import build_pair


def logit(p):
    return float(torch.tensor(p).logit())


def teacher_says(model, logits, masks):
    """From now on the head's last layer says this of each image."""

    def forward(features, samples):
        images = range(len(samples))
        classes = torch.stack([torch.tensor(logits) for _ in images])
        shown = torch.stack([masks for _ in images])
        return [torch.zeros_like(classes), classes], [torch.zeros_like(shown), shown]

    model.teacher.panoptic_head.forward = forward


def labels_of(model, hook, size=(64, 64), padded=(64, 64)):
    """What the teacher finds in one weak view."""
    weak = sample(size=size)
    weak.set_metainfo(dict(batch_input_shape=padded, pad_shape=padded))
    log = {}
    step = SimpleNamespace(
        model=model,
        weak_views=SimpleNamespace(inputs=torch.zeros(1, 3, *padded), samples=[weak]),
        count=lambda name, value: log.update({name: float(value)}),
    )
    with torch.no_grad(), hook.teacher_pass(step):
        (found,) = model.label(step.weak_views)
    return found, log


@pytest.fixture(scope="module")
def model():
    return pair("mask2former")


def test_probabilities_and_sizes_by_hand(model):
    """e^2 / (e^2 + 1 + 1 + 1) = .7112; six pixels of .9 are 5.4, six of .8 are 4.8."""
    masks = torch.full((4, 16, 16), -20.0)
    masks[0, 4:6, 2:5] = logit(0.9)
    masks[1, 4:6, 2:5] = logit(0.8)
    masks[2] = masks[3] = 3.0
    logits = [[2.0, 0, 0, 0], [2.0, 0, 0, 0], [0.0, 0, 0, 3], [0.0, 1.5, 0, 0]]
    teacher_says(model, logits, masks)
    found, log = labels_of(model, QueryMaskLabelHook())
    assert found.labels.tolist() == [0, 1]
    assert found.scores.tolist() == pytest.approx([0.7112, 0.5990], abs=1e-4)
    assert found.mask_score.tolist() == pytest.approx([0.9, 0.95257], abs=1e-4)
    assert log == {"queries/small": 1.0}
    assert found.masks.shape == (2, 64, 64) and found.masks[1].all()
    # Cells of 4 pixels; the enlarged probabilities are above 0.5 at most as far as their centers.
    rows, columns = torch.where(found.masks[0])
    assert 14 <= rows.min() <= 18 and 21 <= rows.max() <= 25
    assert found.bboxes[0].tolist() == [
        columns.min(), rows.min(), columns.max() + 1, rows.max() + 1,
    ]  # fmt: skip
    none, log = labels_of(model, QueryMaskLabelHook(min_pixels=1000))
    assert len(none) == 0 and none.masks.shape == (0, 64, 64) and log["queries/small"] == 3


def test_the_mask_is_cut_where_the_image_ends(model):
    masks = torch.full((1, 16, 16), -9.0)
    masks[0, :8, :12] = 9.0  # of a padded view of 64 x 64: the upper half, three quarters wide
    teacher_says(model, [[3.0, 0, 0, 0]], masks)
    found, _ = labels_of(model, QueryMaskLabelHook(), size=(40, 48))
    assert found.masks.shape == (1, 40, 48)
    assert found.masks[0, :31].all() and not found.masks[0, 33:].any()


def test_the_head_is_as_before_afterwards(model):
    before = {*vars(model.teacher.panoptic_head)}
    labels_of(model, QueryMaskLabelHook())
    assert {*vars(model.teacher.panoptic_head)} == before
    assert "predict" not in vars(model.teacher.panoptic_fusion_head)


def test_masks_of_low_quality_are_not_learned_by_mask2former():
    """Their class is, and the other masks."""
    losses = {}
    masks = torch.full((2, 16, 16), -9.0)
    masks[0, 2:7, 2:7], masks[1, 9:14, 9:14] = logit(0.9), logit(0.6)
    for least in (0.0, 0.8, 0.95):
        torch.manual_seed(0)
        model = pair("mask2former")
        teacher_says(model, [[3.0, 0, 0, 0], [0, 3.0, 0, 0]], masks)
        for hook in (QueryMaskLabelHook(), FixedThresholdHook(0.5), MaskScoreHook(mask=least)):
            model.attach(hook)
        optimizer = OptimWrapper(torch.optim.SGD(model.student.parameters(), lr=0.0))
        torch.manual_seed(1)
        log = model.train_step(batch(), optimizer)
        losses[least] = {k: float(v) for k, v in log.items() if k.startswith("unsup_")}
        assert log["pseudo/masks"] == {0.0: 2, 0.8: 1, 0.95: 0}[least]
    assert losses[0.0]["unsup_loss_cls"] == losses[0.95]["unsup_loss_cls"] > 0
    mask = {least: found["unsup_loss_dice"] for least, found in losses.items()}
    assert mask[0.0] > mask[0.8] > mask[0.95] == 0


def test_it_needs_queries_that_have_masks():
    with pytest.raises(TypeError, match="MaskFormer and Mask2Former, and the teacher is a Retina"):
        build_pair().attach(QueryMaskLabelHook())
    with pytest.raises(ValueError, match="min_pixels=-1 is not in"):
        QueryMaskLabelHook(min_pixels=-1)


def test_the_confidence_of_a_mask_is_the_mean_inside_of_it():
    found = mask_confidence(torch.tensor([[[2.0, 1.0, -1.0]], [[-1.0, -2.0, -3.0]]]))
    assert found.tolist() == pytest.approx([(0.8807971 + 0.7310586) / 2, 0.0])
