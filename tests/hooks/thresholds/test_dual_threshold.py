"""Dual thresholds: what is measured on labels, the three levels, and what becomes of them."""

import copy

import pytest
import torch

from ssdet.hooks import DualThresholdHook, StepHook
from ssdet.hooks._parts import criteria
from ssdet.hooks._parts.criteria import box_pools, pixel_pools
from ssdet.teacher_student.phase import Phase
from ssdet.teacher_student.pseudo_boxes import AMBIGUOUS, HIGH, LOW
from ssdet.teacher_student.step import PixelLabels, Step, Views

from ...families.detectors import small_config
from ...helpers import build_pair, instances, losses, multi_branch, pseudo, sample, total
from ...seg_helpers import build_seg, seg_batch, seg_sample

NAMES = ("confidence", "objectness", "consistency")
VALUES = torch.tensor([[0.95, 0.9, 0.9], [0.95, 0.9, 0.7], [0.6, 0.5, 0.65], [0.6, 0.3, 0.65]])
HIGHS, LOWS = (0.9, 0.8, 0.85), (0.5, 0.4, 0.6)
PLACES = [[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [0, 20, 10, 30]]


def graded(values=VALUES, places=PLACES, **settings):
    """A hook with the thresholds above, which has judged boxes with these values."""
    view = dict(flip=True)
    hook = DualThresholdHook(criteria=NAMES, second_view=view, online=True, **settings)
    pairs = zip(NAMES, HIGHS, LOWS, strict=True)
    hook.table = {name: torch.tensor([[high, low]] * 2) for name, high, low in pairs}
    boxes = pseudo(places, values[:, 0].tolist(), [0, 1] * (len(places) // 2))
    hook._values = {id(boxes): dict(zip(NAMES, values.unbind(1), strict=True))}
    step = Step(model=None, iteration=0, pseudo=[boxes], dropped=[{}])
    hook.filter_boxes(step, 0, hook.limits(2, torch.device("cpu")))
    return hook, step


def test_levels_and_weights():
    _, step = graded()
    boxes = step.pseudo[0]
    assert boxes.level.tolist() == [HIGH, AMBIGUOUS, AMBIGUOUS, LOW]
    # An ambiguous box weighs confidence times objectness.
    for weight in (boxes.weight_cls, boxes.weight_box):
        assert weight[:3].tolist() == pytest.approx([1, 0.855, 0.30])
    assert step.log["dual_threshold/high"] == 1 and step.log["dual_threshold/ambiguous"] == 2
    assert step.log["dual_threshold/low"] == 1


def test_the_product_of_other_criteria():
    _, step = graded(soft=("confidence", "consistency"))
    assert step.pseudo[0].weight_cls[1:3].tolist() == pytest.approx([0.665, 0.39])


def test_low_boxes_that_overlap_better_ones_are_duplicates():
    moved = [*PLACES[:3], [48, 0, 58, 10]]  # IoU 2 / 18 with an ambiguous one
    assert graded(places=moved)[1].pseudo[0].level.tolist() == [HIGH, AMBIGUOUS, AMBIGUOUS]
    assert len(graded(places=moved, max_overlap=0.2)[1].pseudo[0]) == 4
    assert len(graded(low_score=0.7)[1].pseudo[0]) == 3


def test_low_boxes_as_background():
    _, step = graded(low_mode="background")
    assert step.pseudo[0].level.tolist() == [HIGH, AMBIGUOUS, AMBIGUOUS]
    assert len(step.dropped[0]["level"]) == 1 and step.log["dual_threshold/low"] == 0


def test_a_missing_criterion_is_left_out():
    hook, _ = graded()
    boxes = pseudo(PLACES[:2], [0.95, 0.6])
    hook._values = {id(boxes): {"confidence": boxes.scores}}
    sure, unsure = hook.grade(boxes, None)
    assert sure.tolist() == [True, False] and unsure.tolist() == [False, True]
    assert hook.soft_weights(boxes).tolist() == pytest.approx([0.95, 0.6])


def test_weights_reach_the_gradient():
    """Two images with the same box, one of them weighted by 0.3: a gradient of 0.3 times."""
    model = build_pair()

    def gradient(weight):
        model.zero_grad()
        boxes = pseudo([[8, 8, 40, 40]], [0.6])
        boxes.weight_cls = boxes.weight_box = torch.tensor([weight])
        target = sample(gt=boxes)
        target.set_metainfo(dict(pad_shape=(64, 64), batch_input_shape=(64, 64)))
        torch.manual_seed(0)
        found = model.student_losses(Views(torch.ones(1, 3, 64, 64), [sample()]), [target])
        sum(found["loss_bbox"]).backward()
        return model.student.bbox_head.retina_reg.weight.grad.clone()

    assert torch.allclose(gradient(0.3), 0.3 * gradient(1.0), atol=1e-7)
    assert gradient(1.0).abs().sum() > 0


def test_low_boxes_are_painted_over():
    hook = DualThresholdHook(low_mode="erase")
    views = Views(torch.ones(1, 3, 64, 64), [sample()])
    target = sample(gt=instances([[0, 0, 10, 10]]))
    # Free; overlapping what is kept; larger than a quarter of the view.
    target.ignored_instances = instances([[20, 20, 30.4, 30], [5, 5, 12, 12], [12, 12, 60, 60]])
    step = Step(None, 0, strong={"unsup_student": views}, targets={"unsup_student": [target]})
    before = views.inputs
    hook.before_student(step)
    assert not views.inputs[0, :, 20:30, 20:30].any()
    assert views.inputs.sum() == 3 * (64 * 64 - 100) and before.all()
    assert target.ignored_instances.bboxes.tolist() == [[5, 5, 12, 12], [12, 12, 60, 60]]
    assert step.log["dual_threshold/erased"] == 1


# ---------------------------------------------------------------------- what is measured


def test_pools_of_boxes():
    truth = instances([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 1])
    # Right; wrong class; IoU 0.5 exactly; IoU below.
    boxes = pseudo([[0, 0, 10, 10], [20, 0, 30, 10], [20, 0, 30, 5], [0, 0, 4, 10]],
                   [0.9, 0.8, 0.7, 0.6], [0, 0, 1, 0])  # fmt: skip
    overlap = torch.tensor([0.0, 0.9, 0.8, 0.7])
    pools = box_pools(dict(confidence=boxes.scores, consistency=overlap), boxes, truth, 3)
    assert [p.tolist() for p in pools["confidence"]] == [
        pytest.approx([0.9]),
        pytest.approx([0.7]),
        [],
    ]
    assert [p.tolist() for p in pools["consistency"]] == [[], pytest.approx([0.8]), []]


def test_pools_of_pixels():
    labels = torch.tensor([[[0, 1, 1, 255], [0, 0, 1, 0]]])
    scores = torch.arange(8.0).view(1, 2, 4) / 10
    pixels = PixelLabels(labels, scores, torch.ones_like(scores), labels != 255)
    truth = torch.tensor([[0, 1, 0], [255, 0, 1]])
    pools = pixel_pools({"confidence": scores}, pixels, truth, 2, limit=10)["confidence"]
    assert pools[0].tolist() == pytest.approx([0.0, 0.5])
    assert pools[1].tolist() == pytest.approx([0.1, 0.6])
    few = pixel_pools({"confidence": scores}, pixels, truth, 2, limit=1)["confidence"]
    assert [len(p) for p in few] == [1, 1]


def test_entropy_and_agreement_of_pixels():
    model = build_seg()
    hook = DualThresholdHook(criteria=NAMES, second_view=dict(flip=True), online=True)
    hook.on_attach(model)
    truth = torch.zeros(32, 32, dtype=torch.long)
    truth[:, :5] = 255  # not to be looked at, on the left; in the mirrored view on the right
    views = Views(torch.randn(1, 3, 32, 32), [seg_sample(gt=truth)])
    with torch.no_grad():
        assert model.label(views).soft is None
        found = model.label(views, needs=hook.criteria.needs)
    values = hook.criteria.of_pixels(model, views, found)
    valid = truth[None] != 255
    known = found.soft.where(valid[:, None], 0.25).permute(0, 2, 3, 1)
    entropy = torch.distributions.Categorical(probs=known).entropy()
    sure = (1 - entropy / torch.tensor(4.0).log()).where(valid, 0.0)
    assert torch.allclose(values["objectness"], sure, atol=1e-5)
    with torch.no_grad():
        meta = dict(img_shape=(32, 32), ori_shape=(32, 32))
        logits = model.teacher.inference(views.inputs.flip(-1), [meta])
    own = found.labels.clamp(max=3)[:, None]
    there = logits.flip(-1).softmax(1).gather(1, own)[:, 0].where(valid, 0.0)
    assert torch.allclose(values["consistency"], there, atol=1e-6)
    assert values["consistency"][0, :, 27:].min() > 0


# ---------------------------------------------------------------------- whole steps


def test_thresholds_are_fitted_at_the_interval_and_saved():
    torch.manual_seed(0)
    model = build_pair(small_config("faster_rcnn"))
    settings = dict(criteria=NAMES, second_view=dict(flip=True), interval=2, min_samples=2)
    hook = DualThresholdHook(**settings, low_score=0.0)
    model.attach(hook)
    fitted = []
    for _ in range(4):
        found = losses(model, multi_branch())
        total(found).backward()
        fitted.append(hook.fitted_at)
        assert "dual_threshold/high" in found and "threshold/0" in found
    assert fitted == [0, 0, 2, 2]
    assert set(hook.table) == set(NAMES) and all(t.shape == (3, 2) for t in hook.table.values())
    assert all((t[:, 0] >= t[:, 1]).all() for t in hook.table.values())
    other = DualThresholdHook(**settings)
    other.load_state_dict(copy.deepcopy(hook.state_dict()))
    assert other.fitted_at == 2 and torch.equal(other.table["objectness"], hook.table["objectness"])


def test_other_criteria_than_those_of_the_checkpoint_are_fitted_anew():
    hook = DualThresholdHook(criteria=("confidence",), interval=1000, min_samples=2)
    model = build_pair(small_config("faster_rcnn"))
    model.attach(hook)
    losses(model, multi_branch())
    other = DualThresholdHook(interval=1000, min_samples=2)
    other.load_state_dict(hook.state_dict())
    model = build_pair(small_config("faster_rcnn"))
    model.attach(other)
    model.iteration = 3
    losses(model, multi_branch())
    assert set(other.table) == {"confidence", "objectness"} and other.fitted_at == 3


def test_a_criterion_that_the_detector_does_not_have_is_named_once(monkeypatch):
    said = []
    monkeypatch.setattr(criteria, "print_log", lambda text, **_: said.append(text))
    model = build_pair()
    model.attach(DualThresholdHook())
    for _ in range(2):
        losses(model, multi_branch())
    assert len(said) == 1 and said[0].startswith("A RetinaNet has no objectness: its boxes are")


class Truthful:
    """Labels that the model gives instead of its own: the truth, with given scores."""

    def __init__(self, model, scores):
        self.scores, self.model = scores, model
        model.label = self

    def __call__(self, views, network=None, needs=None):
        return [pseudo([[8, 8, 40, 40]] * len(self.scores), self.scores) for _ in views.samples]


def test_online_thresholds_come_from_the_labeled_images_of_the_batch():
    model = build_pair()
    Truthful(model, [0.94, 0.92, 0.9, 0.34, 0.32, 0.3])
    hook = DualThresholdHook(online=True, memory=8, low_mode="background")
    model.attach(hook)
    found = losses(model, multi_branch())
    # The last 8 of 12 values: 0.32, 0.3 of the first image, then all of the second; 0.316 is cut.
    assert hook.table["confidence"][0].tolist() == pytest.approx([0.92, 0.31])
    assert hook.table["confidence"][1].tolist() == pytest.approx([0.99, 0.99])
    assert found["dual_threshold/high"] == 1  # 0.94
    assert found["dual_threshold/ambiguous"] == 4  # 0.92 to 0.32
    assert len(hook.state_dict()["pools"]["confidence"][0]) == 8


def test_pixels_are_weighted_by_level():
    model = build_seg()
    hook = DualThresholdHook(criteria=NAMES, second_view=dict(flip=True), min_samples=10)
    model.attach(hook)
    steps = []

    class Looking(StepHook):
        phase = Phase.OBSERVE

        def before_student(self, step):
            steps.append(copy.deepcopy(step.pseudo))

    model.attach(Looking())
    found = losses(model, seg_batch(same=True))
    total(found).backward()
    pixels, high, low = steps[0], *(hook.table["confidence"][:, i] for i in (0, 1))
    weight = pixels.weights
    assert pixels.soft is None and ((weight >= 0) & (weight <= 1)).all()
    assert (weight[pixels.scores <= low[pixels.labels.clamp(max=3)]] == 0).all()
    assert (pixels.scores[weight == 1] > high[pixels.labels[weight == 1]]).all()
    assert total(found).isfinite() and found["dual_threshold/true_positives"] > 0


def test_no_pseudo_boxes_and_no_labeled_images():
    model = build_pair()
    Truthful(model, [])
    view = dict(flip=True, scale=0.5)
    hook = DualThresholdHook(criteria=("confidence", "consistency"), second_view=view)
    model.attach(hook)
    assert losses(model, multi_branch())["dual_threshold/high"] == 0
    assert losses(model, multi_branch(sup=0))["pseudo/kept"] == 0
    assert torch.equal(hook.table["confidence"], torch.full((3, 2), 0.99))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(criteria=("objectness",)), "must contain 'confidence'"),
        (dict(criteria=("confidence", "size")), "criteria='size' is not one of"),
        (dict(criteria=NAMES), "'consistency' in criteria and second_view"),
        (dict(second_view=dict(flip=True)), "'consistency' in criteria and second_view"),
        (dict(defaults=dict(confidence=(0.5, 0.9))), r"high >= low"),
        (dict(defaults=dict(size=(0.9, 0.5))), r"defaults has \['size'\]"),
        (dict(clip=(0.9, 0.1)), "low <= high"),
        (dict(fallback="none"), "fallback='none' is not one of"),
        (dict(interval=0), "interval=0"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=says):
        DualThresholdHook(**settings)


def test_pixels_are_not_painted_over():
    with pytest.raises(ValueError, match="low_mode='erase' is for boxes"):
        build_seg().attach(DualThresholdHook(low_mode="erase"))
