"""FAM-3D: reading boxes elsewhere, mixing levels, targets and losses, by hand."""

import copy

import pytest
import torch
from mmengine.structures import InstanceData

from ssdet.models import FAM3DHead
from ssdet.models.fam3d_head import _against_the_best, read_at
from ssdet.ops.deform_conv import deform_conv_forward
from ssdet.registry import MODELS

STRIDES = [8, 16, 32]


def head(**changes):
    torch.manual_seed(0)
    cfg = dict(
        type="FAM3DHead",
        num_classes=3,
        in_channels=8,
        stacked_convs=2,
        feat_channels=8,
        align_channels=4,
        norm_cfg=dict(type="GN", num_groups=2),
        anchor_generator=dict(
            type="mmdet.AnchorGenerator",
            octave_base_scale=8,
            scales_per_octave=1,
            ratios=[1.0],
            strides=STRIDES,
        ),
        bbox_coder=dict(type="mmdet.DeltaXYWHBBoxCoder", target_stds=[0.1, 0.1, 0.2, 0.2]),
        loss_cls=dict(type="mmdet.FocalLoss", use_sigmoid=True, gamma=2.0, alpha=0.25),
        loss_bbox=dict(type="mmdet.GIoULoss", loss_weight=2.0),
        train_cfg=dict(assigner=dict(type="AdaptiveSampleAssigner")),
        test_cfg=None,
    )
    return MODELS.build(copy.deepcopy({**cfg, **changes}))


def features(sizes=((8, 8), (4, 4), (2, 2)), batch=2):
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn(batch, 8, *size, generator=generator) for size in sizes)


def deformable(maps, offsets):
    """A deformable 1x1 convolution whose weight is the identity, one group for each map."""
    output = torch.empty_like(maps)
    count = maps.shape[1]
    how = dict(kH=1, kW=1, dH=1, dW=1, padH=0, padW=0, dilationH=1, dilationW=1)
    deform_conv_forward(
        maps, maps.new_ones(count, 1, 1, 1), offsets, output, group=count, deformable_group=count,
        **how,
    )  # fmt: skip
    return output


# ------------------------------------------------------------------ reading elsewhere


@pytest.mark.parametrize("size", [(5, 7), (1, 4), (3, 1)])
def test_reading_elsewhere_is_a_deformable_convolution(size):
    generator = torch.Generator().manual_seed(2)
    maps = torch.randn(2, 4, *size, generator=generator)
    offsets = torch.randn(2, 8, *size, generator=generator) * 3  # many fall outside
    torch.testing.assert_close(read_at(maps, offsets), deformable(maps, offsets))
    torch.testing.assert_close(read_at(maps, torch.zeros_like(offsets)), maps)


def test_reading_by_hand():
    maps = torch.tensor([[[[1.0, 2.0], [4.0, 8.0]]]])
    offsets = torch.zeros(1, 2, 2, 2)
    offsets[0, :, 0, 0] = torch.tensor([0.5, 0.5])  # (1 + 2 + 4 + 8) / 4
    offsets[0, :, 0, 1] = torch.tensor([1.0, 0.0])  # one down
    offsets[0, :, 1, 0] = torch.tensor([0.25, 0.0])  # a quarter outside: 0.75 * 4
    offsets[0, :, 1, 1] = torch.tensor([0.0, 5.0])  # outside
    assert read_at(maps, offsets)[0, 0].tolist() == [[3.75, 8.0], [3.0, 0.0]]


# ------------------------------------------------------------------ mixing levels


def instead(one, name, function):
    """A function in place of a convolution."""
    delattr(one, name)
    setattr(one, name, function)


def mixture(weights, boxes):
    """Aligned boxes of a head that gives these weights of the levels, one for each coordinate."""
    one = head()
    said = torch.tensor(weights).view(1, 4, 1, 1)
    instead(one, "levels", lambda context: said.expand(1, 4, *context.shape[-2:]))
    instead(one, "places", lambda context: torch.zeros(1, 8, *context.shape[-2:]))
    maps = tuple(
        torch.tensor(box, dtype=torch.float32).view(1, 4, 1, 1).expand(1, 4, n, n)
        for box, n in zip(boxes, (8, 4, 2), strict=True)
    )
    contexts = tuple(torch.zeros(1, 4, n, n) for n in (8, 4, 2))
    return [one._align(maps, contexts, level) for level in range(3)]


def test_levels_are_mixed_by_hand():
    boxes = [(0, 0, 100, 100), (10, 20, 110, 120), (30, 40, 130, 140)]
    lowest, middle, highest = mixture([0.5, -0.25, 0.0, 3.0], boxes)
    # x1: half of the level above; y1: a quarter of the one below; x2: own; y2: above alone.
    assert middle[0, :, 1, 1].tolist() == [20.0, 15.0, 110.0, 140.0]
    assert lowest[0, :, 1, 1].tolist() == [5.0, 0.0, 100.0, 120.0], "nothing lies below"
    assert highest[0, :, 1, 1].tolist() == [30.0, 35.0, 130.0, 140.0], "nothing lies above"


def test_a_box_that_turns_inside_out_stays_where_it_was():
    one = head()
    instead(one, "levels", lambda context: torch.zeros(1, 4, 2, 2))
    moved = torch.zeros(1, 8, 2, 2)
    moved[0, 5] = 9.0  # x2 is read far outside: 0
    instead(one, "places", lambda context: moved)
    maps = (torch.tensor([10.0, 10, 20, 20]).view(1, 4, 1, 1).expand(1, 4, 2, 2),)
    contexts = (torch.zeros(1, 4, 2, 2),)
    assert torch.equal(one._align(maps, contexts, 0), maps[0])


def test_boxes_of_an_untrained_head_are_its_anchors():
    one = head()
    for conv in (one.conv_reg, one.levels, one.places):
        torch.nn.init.zeros_(conv.weight)
        torch.nn.init.zeros_(conv.bias)
    _, boxes = one(features())
    # Anchors are centerd on the corners of the cells and 8 strides wide.
    assert boxes[0][0, :, 0, 0].tolist() == [-32.0, -32.0, 32.0, 32.0]
    assert boxes[1][1, :, 1, 2].tolist() == [-32.0, -48.0, 96.0, 80.0]


def test_any_size_and_one_level_work():
    for sizes in (((9, 7), (5, 4), (3, 2)), ((1, 1), (1, 1), (1, 1))):
        for logits, boxes, size in zip(*head()(features(sizes)), sizes, strict=True):
            assert logits.shape == (2, 3, *size)
            assert boxes.shape == (2, 4, *size)
            assert boxes.isfinite().all()


def test_context_is_a_convolution_of_everything_seen():
    one = head()
    seen = [torch.randn(2, 8, 5, 3) for _ in range(4)]
    torch.nn.init.normal_(one.reduce.bias)
    expected = one.reduce(torch.cat(seen, 1)).relu()
    torch.testing.assert_close(one._context(seen), expected)


def test_alignment_learns_and_classes_do_not_depend_on_it():
    one = head()
    logits, boxes = one(features())
    sum(level.sum() for level in logits).backward(retain_graph=True)
    assert one.levels.weight.grad is None
    sum((level**2).sum() for level in boxes).backward()
    assert one.levels.weight.grad.any()
    assert one.places.weight.grad.any()


# ------------------------------------------------------------------ learning


def test_quality_is_the_iou():
    ious, boxes = torch.tensor([0.8, 0.4, 0.5]), torch.tensor([1, 1, 0])
    assert _against_the_best(ious, boxes, 3).tolist() == pytest.approx([0.8, 0.4, 0.5])


def meta(size=(64, 64)):
    return dict(img_shape=size, pad_shape=size, batch_input_shape=size, scale_factor=(1.0, 1.0))


def flat_predictions(logit, box, batch=1):
    """The same logits and the same box at every place of every level."""
    sizes = [(64 // s, 64 // s) for s in STRIDES]
    logits = [torch.full((batch, 3, *size), logit, requires_grad=True) for size in sizes]
    boxes = [torch.tensor(box).view(1, 4, 1, 1).repeat(batch, 1, *size) for size in sizes]
    return logits, [b.requires_grad_() for b in boxes]


def test_losses_by_hand():
    """All predictions alike: IoU 0.5 with the one box.

    The corners of 3 x 3 cells of stride 8 and of one of stride 16 lie in it: of these 10 candidates
    it gets k = floor(10 * 0.5) = 5.
    """
    truth = InstanceData(bboxes=torch.tensor([[0.0, 0, 32, 32]]), labels=torch.tensor([1]))
    logits, boxes = flat_predictions(0.0, [0.0, 0.0, 32.0, 16.0])
    found = head().loss_by_feat(logits, boxes, [truth], [meta()])
    # Focal loss of p = 0.5: class there 0.25 * 0.25 * ln 2, not there 0.75 * 0.25 * ln 2. There are
    # 64 + 16 + 4 = 84 places with 3 classes; the sum of the IoUs is 5 * 0.5 = 2.5.
    ln2 = 0.6931472
    expected = ((84 * 3 - 5) * 0.1875 + 5 * 0.0625) * ln2 / 2.5
    assert float(found["loss_cls"]) == pytest.approx(expected, rel=1e-5)
    # GIoU = IoU = 0.5, as the hull is the box: 2 * (5 * 0.5 * (1 - 0.5)) / 2.5
    assert float(found["loss_bbox"]) == pytest.approx(1.0, rel=1e-5)


def test_no_box_is_background_alone():
    truth = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    logits, boxes = flat_predictions(0.0, [0.0, 0.0, 32.0, 16.0])
    found = head().loss_by_feat(logits, boxes, [truth], [meta()])
    assert float(found["loss_cls"]) == pytest.approx(84 * 3 * 0.1875 * 0.6931472, rel=1e-5)
    assert found["loss_bbox"] == 0
    sum(found.values()).backward()
    assert all(b.grad is not None and not b.grad.any() for b in boxes)


def test_padding_is_not_there():
    truth = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    logits, boxes = flat_predictions(0.0, [0.0, 0.0, 32.0, 16.0])
    found = head().loss_by_feat(logits, boxes, [truth], [meta((32, 64))])
    assert float(found["loss_cls"]) == pytest.approx(42 * 3 * 0.1875 * 0.6931472, rel=1e-5)


def test_works_in_half_precision():
    one, truth = (
        head(),
        InstanceData(bboxes=torch.tensor([[5.0, 5, 40, 44]]), labels=torch.tensor([1])),
    )
    plain = one.loss_by_feat(*one(features()), [truth] * 2, [meta()] * 2)
    with torch.autocast("cpu", torch.bfloat16):
        found = one.loss_by_feat(*one(features()), [truth] * 2, [meta()] * 2)
    for key, value in found.items():
        assert value.dtype == torch.float32
        assert float(value) == pytest.approx(float(plain[key]), rel=0.1)


def test_predictions_are_clipped_and_scaled_back():
    cfg = dict(score_thr=0.1, nms_pre=10, min_bbox_size=0, max_per_img=3,
               nms=dict(type="nms", iou_threshold=0.5))  # fmt: skip
    one = head(test_cfg=cfg)
    logits, boxes = flat_predictions(-20.0, [-5.0, 0.0, 32.0, 90.0])
    with torch.no_grad():
        logits[1][0, 2, 1, 1] = 1.0
    (found,) = one.predict_by_feat(
        logits, boxes, batch_img_metas=[{**meta(), "scale_factor": (2.0, 2.0)}], rescale=True,
        cfg=_config(cfg),
    )  # fmt: skip
    assert found.labels.tolist() == [2]
    assert found.scores.tolist() == pytest.approx([0.7310586])
    assert found.bboxes.tolist() == [[0.0, 0.0, 16.0, 32.0]]


def _config(cfg):
    from mmengine.config import ConfigDict

    return ConfigDict(cfg)


def test_more_anchors_or_softmax_are_refused():
    anchors = dict(type="mmdet.AnchorGenerator", octave_base_scale=8, scales_per_octave=3,
                   ratios=[1.0], strides=STRIDES)  # fmt: skip
    with pytest.raises(ValueError, match=r"FAM3DHead: found 3 anchors for each place"):
        head(anchor_generator=anchors)
    with pytest.raises(ValueError, match=r"use_sigmoid=False"):
        head(loss_cls=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=False))


def test_says_that_it_reads_weights_itself():
    assert FAM3DHead.honors_weights is True
