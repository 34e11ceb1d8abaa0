"""Thresholds of `ssdet label`: numbers, classes, files, and what a run has learned."""

import json
from types import SimpleNamespace

import pytest
import torch

from ssdet.exits import UsageError
from ssdet.hooks import DualThresholdHook, GMMThresholdHook, LabelDistributionThresholdHook
from ssdet.labeling.thresholds import thresholds_of

CLASSES = ("cat", "dog")


def network(hooks=(), **states):
    return SimpleNamespace(
        classes=CLASSES, path="iter_1.pth", run_config={"custom_hooks": hooks}, hook_states=states
    )


def test_numbers_classes_and_files(tmp_path):
    plain = network()
    assert thresholds_of(None, plain, 0.3) == (0.3, 0.3)
    assert thresholds_of(0.5, plain, 0.3) == (0.5, 0.5)
    assert thresholds_of({"dog": 0.7}, plain, 0.3) == (0.3, 0.7)
    assert thresholds_of(["0.5", "cat=0.6"], plain, 0.3) == (0.6, 0.5)
    (tmp_path / "t.json").write_text(json.dumps({"cat": 0.2, "dog": 1}))
    assert thresholds_of(str(tmp_path / "t.json"), plain, 0.3) == (0.2, 1.0)
    (tmp_path / "t.txt").write_text("dog=0.25\n\n0.5\n")
    assert thresholds_of([str(tmp_path / "t.txt"), "dog=0.9"], plain, 0.3) == (0.5, 0.9)


def test_a_file_whose_path_has_an_equals_sign(tmp_path):
    file = tmp_path / "lr=0.1" / "limits.json"
    file.parent.mkdir()
    file.write_text('{"cat": 0.2}')
    assert thresholds_of([str(file)], network(), 0.3) == (0.2, 0.3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["cow=0.5"], "no class 'cow'; the classes of iter_1.pth are cat, dog"),
        (["cat=1.5"], r"cat=1.5 is not in \[0, 1\]"),
        ({"cat": float("nan")}, "is not in"),
        ({"cat": True}, "is not in"),
        (["often"], "'often' is neither a number"),
    ],
)
def test_what_is_no_threshold(given, message):
    with pytest.raises(UsageError, match=message):
        thresholds_of(given, network(), 0.3)


def test_what_the_dual_thresholds_have_learned():
    hook = DualThresholdHook(criteria=["confidence"])
    hook.table, hook.fitted_at = {"confidence": torch.tensor([[0.8, 0.4], [0.6, 0.5]])}, 7
    found = network(
        [dict(type="TeacherEMAHook"), dict(type="DualThresholdHook", criteria=["confidence"])],
        DualThresholdHook=hook.state_dict(),
    )
    assert thresholds_of("learned", found, 0.3) == pytest.approx((0.8, 0.6))


def test_what_the_mixture_has_learned():
    hook = GMMThresholdHook(num_scores=6, policy="middle")
    hook.num_classes = 2
    scores = torch.tensor([0.92, 0.9, 0.88, 0.3, 0.28, 0.25])
    hook.history.push(scores, torch.zeros(6, dtype=torch.long), 2)
    cfg = dict(type="GMMThresholdHook", num_scores=6, policy="middle", default=0.7)
    found = network([cfg], GMMThresholdHook=hook.state_dict())
    assert thresholds_of(["learned"], found, 0.3) == pytest.approx((0.88, 0.7))


def test_the_highest_of_several_hooks_of_a_kind():
    states = {}
    for key, value in (("", 0.2), (".1", 0.6)):
        hook = LabelDistributionThresholdHook()
        hook._values = (torch.tensor([value, 0.5]), torch.tensor([0.1, 0.1]))
        states["LabelDistributionThresholdHook" + key] = hook.state_dict()
    hooks = [dict(type="LabelDistributionThresholdHook")] * 2
    assert thresholds_of("learned", network(hooks, **states), 0.3) == pytest.approx((0.6, 0.5))


def test_where_nothing_was_learned():
    with pytest.raises(UsageError, match=r"its run has none\. Give a number"):
        thresholds_of("learned", network(), 0.3)
    fixed = [
        dict(type="FixedThresholdHook", score=0.5),
        dict(type="LabelDistributionThresholdHook"),
    ]
    unfitted = LabelDistributionThresholdHook().state_dict()
    found = network(fixed, LabelDistributionThresholdHook=unfitted)
    with pytest.raises(UsageError, match="only FixedThresholdHook, LabelDistribution"):
        thresholds_of("learned", found, 0.3)
