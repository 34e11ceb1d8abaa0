"""All thresholds over boxes and pixels: filtering, logging, state, empty batches, refusals."""

import copy
import math

import pytest
import torch

from ssdet.hooks import (
    CorrelationThresholdHook,
    FixedThresholdHook,
    GMMThresholdHook,
    LabelDistributionThresholdHook,
    QuantileThresholdHook,
)
from ssdet.teacher_student.step import PixelLabels, Step

from ...helpers import build_pair, losses, multi_branch, pseudo
from ...seg_helpers import build_seg, seg_batch

FAMILIES = {
    "fixed": lambda: FixedThresholdHook(0.5),
    "gmm": lambda: GMMThresholdHook(20, default=0.3, pixels=64),
    "quantile": lambda: QuantileThresholdHook(0.4, num_scores=20, pixels=64),
    "distribution": lambda: LabelDistributionThresholdHook(images=4, per_image=16, interval=1),
    "correlation": lambda: CorrelationThresholdHook(0.5, momentum=0.9),
}
ADAPTIVE = [name for name in FAMILIES if name != "fixed"]


class Model:
    """What a threshold asks of a model, with three classes."""

    num_classes, burn_in = 3, 0


def boxes(seed, count=12):
    generator = torch.Generator().manual_seed(seed)
    images = []
    for _ in range(2):
        scores = torch.rand(count, generator=generator)
        labels = torch.randint(3, (count,), generator=generator)
        found = pseudo([[0, 0, 9, 9]] * count, scores.tolist(), labels.tolist() or None)
        images.append(found)
    return images


def pixels(seed, valid=True):
    generator = torch.Generator().manual_seed(seed)
    soft = torch.rand(2, 3, 8, 8, generator=generator).pow(4)
    soft = soft / soft.sum(1, keepdim=True)
    scores, labels = soft.max(1)
    inside = torch.full_like(scores, valid, dtype=torch.bool)
    inside[:, -2:] = False
    return PixelLabels(
        labels.where(inside, 255), scores.where(inside, 0.0), inside.float(), inside, soft
    )


def run(hook, labels, iteration=0):
    step = Step(model=Model(), iteration=iteration, pseudo=labels, dropped=[{}, {}])
    hook.after_teacher(step)
    return step


def ready(name):
    hook = FAMILIES[name]()
    hook.num_classes = 3
    if name == "distribution":
        hook.counts.labels = torch.tensor([40.0, 20.0, 4.0], dtype=torch.float64)
        hook.counts.amount = 10.0
    return hook


def kept(step):
    if isinstance(step.pseudo, PixelLabels):
        return step.pseudo.weights.flatten().tolist()
    return [one.scores.tolist() for one in step.pseudo]


@pytest.mark.parametrize("make", [boxes, pixels])
@pytest.mark.parametrize("name", FAMILIES)
def test_some_labels_are_kept_and_some_are_not(name, make):
    hook = ready(name)
    for seed in range(5):
        step = run(hook, make(seed), seed)
    if make is boxes:
        assert 0 < sum(len(one) for one in step.pseudo) < 24
        lost = [one["score"] for one in step.dropped]
        assert sum(len(one) for one in lost) + sum(len(one) for one in step.pseudo) == 24
    else:
        weights = step.pseudo.weights[step.pseudo.valid]
        assert 0 < int((weights > 0).sum()) < len(weights)
        assert not step.pseudo.weights[~step.pseudo.valid].any()


@pytest.mark.parametrize("make", [boxes, pixels])
@pytest.mark.parametrize("name", ADAPTIVE)
def test_the_limits_are_logged_and_are_those_in_force(name, make):
    hook = ready(name)
    hook.class_names = ("a", "b", "c")
    for seed in range(5):
        step = run(hook, make(seed), seed)
    names = ["all"] if hook.one_limit else ["a", "b", "c"]
    logged = {k: float(v) for k, v in step.log.items() if k.startswith("threshold/")}
    assert sorted(logged) == [f"threshold/{one}" for one in names]
    assert all(0 <= value <= 1 for value in logged.values())
    limit = [logged[f"threshold/{names[0] if hook.one_limit else one}"] for one in "abc"]
    if make is boxes and hook.uncertain_as != "ignore":
        for one in step.pseudo:
            assert all(s > limit[c] for s, c in zip(one.scores, one.labels, strict=True))


@pytest.mark.parametrize("make", [boxes, pixels])
@pytest.mark.parametrize("name", ADAPTIVE)
def test_a_resumed_run_goes_on_as_if_nothing_had_happened(name, make, tmp_path):
    torch.manual_seed(0)
    first, second = ready(name), FAMILIES[name]()
    second.num_classes = 3
    for seed in range(3):
        run(first, make(seed), seed)
    torch.save(first.state_dict(), tmp_path / "state.pth")
    second.load_state_dict(torch.load(tmp_path / "state.pth", weights_only=True))
    for seed in range(3, 6):
        torch.manual_seed(seed)
        one = run(first, make(seed), seed)
        torch.manual_seed(seed)
        other = run(second, make(seed), seed)
        assert kept(one) == kept(other) and one.log == other.log


@pytest.mark.parametrize("name", FAMILIES)
def test_an_empty_batch_changes_nothing(name):
    hook = ready(name)
    run(hook, boxes(0)), run(hook, boxes(1))
    before = hook.limits(3, torch.device("cpu")).upper
    step = run(hook, boxes(2, count=0), 1)
    assert [len(one) for one in step.pseudo] == [0, 0]
    if name != "distribution":  # to which an image without boxes is news
        assert torch.equal(hook.limits(3, torch.device("cpu")).upper, before)
    hook = ready(name)
    step = run(hook, pixels(0, valid=False))
    assert not step.pseudo.weights.any()
    assert all(math.isfinite(float(value)) for value in step.log.values())


@pytest.mark.parametrize("name", FAMILIES)
def test_not_a_number_is_not_learned_from(name):
    hook, labels = ready(name), pixels(0)
    labels.scores[0, 0, 0] = math.nan
    run(hook, labels)
    assert hook.limits(3, torch.device("cpu")).upper.isfinite().all()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_memory_is_bounded(name):
    hook = ready(name)
    sizes = set()
    for seed in range(12):
        run(hook, pixels(seed), seed)
        if seed >= 4:
            sizes.add(sum(t.numel() for t in _tensors(hook.state_dict())))
    assert len(sizes) == 1


@pytest.mark.parametrize("task", ["boxes", "pixels"])
@pytest.mark.parametrize("name", FAMILIES)
def test_in_a_training_step(name, task):
    torch.manual_seed(0)
    model = build_pair() if task == "boxes" else build_seg(unsup_weight=1.0)
    hook = FAMILIES[name]()
    model.attach(hook)
    for _ in range(3):
        batch = multi_branch() if task == "boxes" else seg_batch()
        found = losses(model, batch)
        values = [v for one in found.values() for v in (one if isinstance(one, list) else [one])]
        assert all(torch.isfinite(value).all() for value in values)
    if name == "distribution":
        # Three labeled batches of two: six images, or all of their pixels.
        assert hook.counts.amount == (6 if task == "boxes" else 6 * 32 * 32)
        assert int(hook.counts.labels.sum()) == hook.counts.amount


def test_two_thresholds_in_one_list():
    hook, other = ready("gmm"), ready("fixed")
    step = run(hook, boxes(0))
    other.after_teacher(step)
    assert all((one.scores > 0.5).all() for one in step.pseudo)


def test_a_state_of_another_length_is_refused():
    hook = ready("gmm")
    run(hook, boxes(0))
    with pytest.raises(ValueError, match="holds 20 scores of each class, but num_scores=30"):
        GMMThresholdHook(30).load_state_dict(hook.state_dict())
    ring = ready("distribution")
    run(ring, boxes(0))
    with pytest.raises(ValueError, match=r"do not fit images=4, per_image=8"):
        LabelDistributionThresholdHook(images=4, per_image=8).load_state_dict(ring.state_dict())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: GMMThresholdHook(policy="low"), "GMMThresholdHook: policy='low' is not one of"),
        (lambda: GMMThresholdHook(default=2), "default=2 is not in"),
        (lambda: GMMThresholdHook(num_scores=1), "min_scores=4 is not in"),
        (lambda: GMMThresholdHook(count_ratio=-1), "count_ratio=-1"),
        (lambda: QuantileThresholdHook(1.2), "QuantileThresholdHook: share=1.2"),
        (lambda: QuantileThresholdHook(0.2, end=0.0), "length=0 is not in"),
        (lambda: QuantileThresholdHook(0.2, length=9), "length=9 needs end"),
        (lambda: QuantileThresholdHook(0.2, measure="x"), "measure='x' is not one of"),
        (lambda: LabelDistributionThresholdHook(0.7, 0.5), "reliable=0.7 is not in"),
        (lambda: LabelDistributionThresholdHook(source="x"), "source='x' is not one of"),
        (lambda: CorrelationThresholdHook(momentum=1.5), "CorrelationThresholdHook: momentum=1.5"),
    ],
)
def test_settings_are_checked(make, says):
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize(
    ("make", "model", "says"),
    [
        (lambda: GMMThresholdHook(count_ratio=1.0), build_seg, "count_ratio=1.0 counts the boxes"),
        (lambda: GMMThresholdHook(background_weight=0.01), build_seg, "background_weight=0.01"),
        (
            lambda: QuantileThresholdHook(0.2, measure="entropy"),
            build_pair,
            "QuantileThresholdHook: measure='entropy' is that of a pixel",
        ),
    ],
)
def test_models_that_cannot_be_are_refused_by_name(make, model, says):
    with pytest.raises(TypeError, match=says):
        model().attach(make())


def _tensors(state):
    for value in copy.copy(state).values() if isinstance(state, dict) else state:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (dict, list)):
            yield from _tensors(value)
