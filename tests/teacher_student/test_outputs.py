"""What is recorded of the heads of detectors: units, order and boxes, against the heads' own."""

import pytest
import torch

from ssdet.teacher_student.outputs import (
    DenseOutputs,
    QueryOutputs,
    RegionOutputs,
    forward_outputs,
    recorded_outputs,
)
from ssdet.teacher_student.step import Views

from ..families.detectors import initialized, small_config
from ..helpers import build_pair, sample

DENSE = ("retinanet", "fcos", "atss", "gfl", "rtmdet", "yolox")


def view(size=(64, 64), images=1):
    torch.manual_seed(1)
    samples = [sample(size) for _ in range(images)]
    for one in samples:
        one.set_metainfo(dict(batch_input_shape=(64, 64), pad_shape=(64, 64)))
    return Views(torch.randn(images, 3, 64, 64), samples)


def detector(family, **head):
    cfg = small_config(family)
    cfg.bbox_head.update(head)
    return initialized(build_pair(cfg)).student


@pytest.mark.parametrize("family", DENSE)
def test_decoded_boxes_are_those_that_the_head_predicts(family):
    """With no box suppressed, the head's own boxes are the decoded ones, cut at the borders."""
    model, shown = detector(family).eval(), view()
    with torch.no_grad():
        outputs = forward_outputs(model, shown)
        every = outputs.decoded()[0]
        maps = model.bbox_head(model.extract_feat(shown.inputs))
        cfg = dict(nms_pre=-1, min_bbox_size=-1, score_thr=-1.0, max_per_img=10**6)
        cfg.update(nms=dict(type="nms", iou_threshold=1.0))
        metas = [one.metainfo for one in shown.samples]
        for one in metas:
            one["scale_factor"] = (1.0, 1.0)
        raw = model.bbox_head.predict_by_feat(
            *maps,
            batch_img_metas=metas,
            cfg=type(model.test_cfg)(cfg),
            rescale=False,
            with_nms=False,
        )[0]
    assert isinstance(outputs, DenseOutputs) and len(every) == len(outputs.priors())
    found = raw.bboxes if isinstance(raw.bboxes, torch.Tensor) else raw.bboxes.tensor
    clipped = every if family == "yolox" else every.clamp(0, 64)
    distance = (found[:, None] - clipped[None]).abs().amax(-1)
    assert distance.amin(1).max() < 1e-3


@pytest.mark.parametrize("norm_on_bbox", [True, False])
def test_distances_of_fcos_are_pixels_in_training_and_in_eval_mode(norm_on_bbox):
    """The head multiplies by the stride in eval mode alone; the recorder makes up for it."""
    model, shown = detector("fcos", norm_on_bbox=norm_on_bbox), view()
    with torch.no_grad():
        teacher = forward_outputs(model.eval(), shown)
        student = forward_outputs(model.train(), shown)
    for own, other in zip(teacher.box, student.box, strict=True):
        assert torch.allclose(own, other, rtol=1e-5)
    assert teacher.strides == (8, 16, 32, 64, 128)


def test_rows_are_levels_then_cells_then_anchors():
    """Two anchors, two classes, cells (1, 2): channels are anchor first."""
    from types import SimpleNamespace

    head = SimpleNamespace(num_base_priors=2)
    first = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]).view(1, 4, 1, 2)
    second = 10 + torch.arange(4.0).view(1, 4, 1, 1)
    cls, _, quality = DenseOutputs([first, second], [first, second], None, head).flatten()
    assert quality is None
    assert cls[0].tolist() == [[0, 2], [4, 6], [1, 3], [5, 7], [10, 11], [12, 13]]


def test_priors_in_the_padding_are_not_inside():
    model, shown = detector("fcos").eval(), view(size=(64, 40))
    with torch.no_grad():
        outputs = forward_outputs(model, shown)
    inside, centers = outputs.inside(shown.samples)[0], outputs.centers()
    assert torch.equal(inside, centers[:, 0] < 40) and 0 < inside.sum() < len(inside)
    assert centers[0].tolist() == [4.0, 4.0]  # stride 8


@pytest.mark.parametrize("family", ["dino", "deformable_detr"])
def test_queries_without_the_denoising_ones(family):
    model = detector(family)
    shown = view()
    with recorded_outputs(model.train()) as found:
        outputs = forward_outputs(model, shown)
    assert isinstance(outputs, QueryOutputs) and found[-1].cls.shape == outputs.cls.shape
    layers, images, queries, classes = outputs.cls.shape
    assert (images, queries, classes) == (1, model.num_queries, 3)
    assert outputs.box.shape == (layers, images, queries, 4)
    assert ((outputs.box >= 0) & (outputs.box <= 1)).all()
    assert outputs.hidden.shape[:3] == (layers, images, queries) and outputs.cls.requires_grad


def test_a_two_stage_detector_gives_its_rpn_and_judges_any_box():
    model, shown = detector_two_stage().eval(), view(images=2)
    with torch.no_grad(), recorded_outputs(model) as found:
        model(shown.inputs, shown.samples, mode="predict")
    (outputs,) = found
    assert isinstance(outputs, RegionOutputs) and len(outputs.proposals) == 2
    assert outputs.rpn.cls[0].shape[:2] == (2, 3)
    some = [one.bboxes[:2] for one in outputs.proposals]
    with torch.no_grad():
        logits, deltas = outputs.of_boxes(some)
    assert logits.shape == (4, 4) and deltas.shape == (4, 12)


def test_proposals_of_a_training_pass_are_kept_too():
    from ..families.detectors import sample as annotated

    model = detector_two_stage().train()
    with recorded_outputs(model) as found:
        model(view().inputs, [annotated([(8, 8, 40, 40)])], mode="loss")
    assert len(found) == 1 and len(found[0].proposals) == 1
    assert found[0].rpn.cls[0].requires_grad


def detector_two_stage():
    return build_pair(small_config("faster_rcnn")).student


def test_nothing_is_left_behind():
    model = detector_two_stage()
    with pytest.raises(KeyError), recorded_outputs(model):
        raise KeyError
    assert not model.rpn_head._forward_hooks
    assert not {"predict", "loss_and_predict"} & set(vars(model.rpn_head))
