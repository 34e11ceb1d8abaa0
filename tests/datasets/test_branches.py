"""Which sources have labels, by what their pipelines make."""

from types import SimpleNamespace

import pytest
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from ssdet.datasets.branches import has_labels, source_has_labels
from ssdet.doctor.config_sources import entries

ALL = ["sup", "unsup_teacher", "unsup_student"]
LOAD, PACK = dict(type="LoadImageFromFile"), dict(type="PackDetInputs")


def multi_branch(*branches):
    """MMDetection's transform names all branches of the batch, and makes some of them."""
    made = {branch: [dict(PACK)] for branch in branches}
    return [dict(LOAD), dict(type="MultiBranch", branch_field=ALL, **made)]


def views(*branches):
    made = {branch: [dict(PACK)] for branch in branches}
    return [dict(type="WeakStrongViews", shared=[dict(LOAD)], views=made)]


@pytest.mark.parametrize("make", [multi_branch, views])
@pytest.mark.parametrize(
    ("branches", "labeled"),
    [(["sup"], True), (["unsup_teacher", "unsup_student"], False), (ALL, True)],
)
def test_a_pipeline_and_what_is_built_of_it(make, branches, labeled):
    assert has_labels(make(*branches)) == labeled
    with DefaultScope.overwrite_default_scope("mmdet"):
        built = Compose(make(*branches))
    assert has_labels(built) == labeled
    source = SimpleNamespace(pipeline=built)
    assert source_has_labels(SimpleNamespace(dataset=SimpleNamespace(dataset=source))) == labeled


def test_no_branches_are_labels():
    assert has_labels([LOAD, PACK]) and has_labels(None) and source_has_labels(SimpleNamespace())


def test_sources_of_a_plain_concatenation_are_told_apart_by_their_branches():
    sources = [
        dict(type="CocoDataset", pipeline=multi_branch("unsup_teacher", "unsup_student")),
        dict(type="RepeatDataset", times=2, dataset=dict(pipeline=multi_branch("sup"))),
    ]
    config = dict(train_dataloader=dict(dataset=dict(type="ConcatDataset", datasets=sources)))
    assert [role for _, role, _ in entries(config)] == ["unlabeled", "labeled"]
