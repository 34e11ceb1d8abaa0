"""How far decoder layers agree on a pseudo box, by hand and in tiny DETRs."""

import pytest
import torch

from ssdet.hooks import BoxFusionHook, FixedThresholdHook, LayerAgreementHook
from ssdet.hooks.boxes.layer_agreement import corners
from ssdet.teacher_student.outputs import QueryOutputs
from ssdet.teacher_student.step import Step, Views

from ...families.detectors import initialized, small_config
from ...helpers import build_pair, pseudo, sample, total
from .test_box_hooks import run


def shares(*boxes):
    """Corners in an image of 100 x 50 as centers and sizes, shares of it."""
    found = torch.tensor(boxes, dtype=torch.float32) / torch.tensor([100.0, 50, 100, 50])
    low, high = found[:, :2], found[:, 2:]
    return torch.cat([(low + high) / 2, high - low], 1)


# Three layers of three queries: one that stays, one that comes to rest, one that never does.
LAYERS = torch.stack(
    [
        shares((0, 0, 10, 10), (20, 0, 40, 10), (60, 0, 70, 10)),
        shares((0, 0, 10, 10), (30, 0, 40, 10), (70, 0, 80, 10)),
        shares((0, 0, 10, 10), (30, 0, 40, 10), (80, 0, 90, 10)),
    ]
)[:, None]


@pytest.fixture(scope="module")
def model():
    return initialized(build_pair(small_config("deformable_detr")))


def judged(model, boxes, **settings):
    hook = LayerAgreementHook(**settings)
    hook.on_attach(model)
    found = pseudo(boxes, [0.9] * len(boxes))
    weak = Views(torch.zeros(1, 3, 50, 100), [sample((50, 100))])
    step = Step(model, 0, weak=weak, pseudo=[found], dropped=[{}])
    step.teacher_outputs["unsup_teacher"] = QueryOutputs(
        torch.zeros(3, 1, 3, 3), LAYERS, torch.zeros(3, 1, 3, 16)
    )
    hook.after_teacher(step)
    return step


BOXES = [(30, 0, 40, 10), (0, 0, 10, 10), (80, 0, 90, 10)]


def test_the_quality_is_the_mean_overlap_of_successive_layers(model):
    """The second query moves by half its first box: (0.5 + 1) / 2; the third has no overlap."""
    step = judged(model, BOXES)
    (boxes,) = step.pseudo
    assert boxes.loc_quality.tolist() == pytest.approx([0.75, 1.0, 0.0])
    assert boxes.weight_box.tolist() == pytest.approx([0.75, 1.0, 0.0])
    assert boxes.weight_cls.tolist() == [1.0, 1.0, 1.0]
    assert step.log["layer_agreement/quality"] == pytest.approx(1.75 / 3)


def test_the_last_layers_alone_and_a_threshold(model):
    (boxes,) = judged(model, BOXES, layers=2).pseudo
    assert boxes.weight_box.tolist() == pytest.approx([1.0, 1.0, 0.0])
    step = judged(model, BOXES, threshold=0.75, weigh=False)
    assert step.pseudo[0].weight_box.tolist() == [0.0, 1.0, 0.0]
    assert step.log["layer_agreement/kept"] == pytest.approx(1 / 3)


def test_a_box_that_no_query_is_near_to_has_no_quality(model):
    (boxes,) = judged(model, [(0, 0, 10, 16), (0, 0, 10, 24), (50, 30, 60, 40)]).pseudo
    assert boxes.loc_quality.tolist() == pytest.approx([1.0, 0.0, 0.0])  # IoU 10 / 16, 10 / 24
    assert len(judged(model, []).pseudo[0].loc_quality) == 0


def test_corners_are_cut_at_the_border():
    found = corners(torch.tensor([[0.0, 0.5, 0.5, 0.5]]), 50, 100)
    assert found.tolist() == [[0.0, 12.5, 25.0, 37.5]]


@pytest.mark.parametrize("family", ["deformable_detr", "dino"])
def test_the_boxes_of_a_detr_are_found_among_its_queries(family):
    hook = LayerAgreementHook(threshold=0.0)
    found, step, _ = run(family, hook, unsup=2)
    assert torch.isfinite(total(found))
    queries = step.teacher_outputs["unsup_teacher"]
    assert queries.box.shape[0] == 2
    for number, boxes in enumerate(step.pseudo):
        last = corners(queries.box[-1, number], 64, 64)
        near = (boxes.bboxes[:, None] - last[None]).abs().amax(-1).amin(1)
        assert len(boxes) > 0 and near.max() < 1e-3
        assert ((boxes.loc_quality >= 0) & (boxes.loc_quality <= 1)).all()


def test_detectors_that_predict_from_the_last_layer_alone_are_asked_once_more(model):
    hook = LayerAgreementHook()
    hook.on_attach(model)
    views = Views(torch.randn(1, 3, 64, 64), [sample()])
    views.samples[0].set_metainfo(dict(batch_input_shape=(64, 64)))
    step = Step(model, 0, weak=views, pseudo=[pseudo([(0, 0, 9, 9)], [0.9])], dropped=[{}])
    with torch.no_grad():
        whole = model.forward_outputs(views, model.teacher)
        last = QueryOutputs(whole.cls[-1:], whole.box[-1:], whole.hidden[-1:])
        step.teacher_outputs["unsup_teacher"] = last
        assert torch.equal(hook._layers(step), whole.box)


def test_it_acts_after_fusion_and_thresholds(model):
    pair = build_pair(small_config("deformable_detr"))
    agreement, fusion, threshold = LayerAgreementHook(), BoxFusionHook(), FixedThresholdHook(0.5)
    for hook in (agreement, threshold, fusion):
        pair.attach(hook)
    assert pair.hooks == [fusion, threshold, agreement]
    assert "teacher_outputs" in pair.needs


@pytest.mark.parametrize("family", ["retinanet", "cascade_rcnn"])
def test_others_are_refused_by_name(family):
    with pytest.raises(
        TypeError, match="LayerAgreementHook: compares the decoder layers of a DETR"
    ):
        build_pair(small_config(family)).attach(LayerAgreementHook())


def test_settings_are_checked():
    for settings, says in ((dict(layers=1), "layers=1"), (dict(threshold=2), "threshold=2")):
        with pytest.raises(ValueError, match=says):
            LayerAgreementHook(**settings)
