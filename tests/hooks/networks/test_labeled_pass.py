"""The labeled images of a fit: which ones, from which process, and without touching the run."""

import random

import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset
from mmengine.registry import DefaultScope

from ssdet.datasets import DigitScenes, LabeledUnlabeledDataset
from ssdet.hooks import DualThresholdHook, LabelDistributionThresholdHook
from ssdet.hooks._parts import labeled_pass
from ssdet.hooks._parts.labeled_pass import LabeledPass, numbers_of
from ssdet.teacher_student.step import Step

from ...helpers import build_pair, pseudo

NOISE = dict(type="PhotoMetricDistortion")


def scenes(split="labeled", view="sup"):
    steps = [dict(type="LoadAnnotations", with_bbox=True)] if view == "sup" else []
    steps += [NOISE, dict(type="PackDetInputs")]
    views = dict(type="WeakStrongViews", shared=[dict(type="LoadDigitScene")], views={view: steps})
    shared = dict(count=20, labeled=6, image_size=64, digits=(0, 1, 2))
    return DigitScenes(split=split, pipeline=[views], **shared)


@pytest.fixture(scope="module", autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield


@pytest.fixture(scope="module")
def training_data(scope):
    return LabeledUnlabeledDataset([scenes(), scenes("unlabeled", "unsup_teacher")])


def multi_branch(split, branch):
    """A source as in MMDetection's semi-supervised configs."""
    steps = [dict(type="LoadAnnotations", with_bbox=True), dict(type="PackDetInputs")]
    fields = ["sup", "unsup_teacher", "unsup_student"]
    views = dict(type="MultiBranch", branch_field=fields, **{branch: steps})
    pipeline = [dict(type="LoadDigitScene"), views]
    return DigitScenes(
        split=split, pipeline=pipeline, count=20, labeled=6, image_size=64, digits=(0, 1, 2)
    )


def test_the_sources_of_mmdetections_own_concatenation(scope):
    """With annotations in both, as its split files have them, the branches say which is which."""
    sources = [multi_branch("unlabeled", "unsup_teacher"), multi_branch("labeled", "sup")]
    data = ConcatDataset(sources)
    assert numbers_of(data, labeled=True) == list(range(14, 20))
    assert numbers_of(data, labeled=False) == list(range(14))
    found = shown(LabeledPass(data, 100))
    assert len(found) == 6 and all(len(views.samples[0].gt_instances) > 0 for views in found)


def random_state():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


def shown(source, moment=0):
    return list(source.views(build_pair(), moment))


def test_labeled_images_alone_and_as_many_as_wanted(training_data):
    source = LabeledPass(training_data, 100)
    found = shown(source)
    assert len(found) == 6 and len(shown(LabeledPass(training_data, 4))) == 4
    for views in found:
        assert views.inputs.shape == (1, 3, 64, 64) and len(views.samples) == 1
        assert len(views.samples[0].gt_instances) > 0


def test_a_moment_shows_the_same_images_and_leaves_the_random_state_alone(training_data):
    source = LabeledPass(training_data, 3)
    model = build_pair()
    before = random_state()
    first = list(source.views(model, 7))
    assert random_state() == before
    again, other = list(source.views(model, 7)), list(source.views(model, 8))
    assert all(torch.equal(a.inputs, b.inputs) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a.inputs, b.inputs) for a, b in zip(first, other, strict=True))


def test_processes_share_the_images(training_data, monkeypatch):
    source = LabeledPass(training_data, 5)
    whole = [views.samples[0].img_id for views in shown(source)]
    parts = []
    for rank in range(2):
        monkeypatch.setattr(labeled_pass, "get_dist_info", lambda rank=rank: (rank, 2))
        parts.append([views.samples[0].img_id for views in shown(source)])
    assert [len(part) for part in parts] == [3, 2]
    assert sorted(parts[0] + parts[1]) == sorted(whole) and len(set(whole)) == 5


def test_a_run_without_labels_needs_a_data_set():
    class Runner:
        class train_dataloader:
            dataset = None

    with pytest.raises(ValueError, match=r"give a dataset with labels as labeled=dict\(type"):
        LabeledPass.of("DualThresholdHook", None, Runner, 10)
    config = dict(type="DigitScenes", split="labeled", count=20, labeled=6, image_size=64)
    pipeline = [dict(type="LoadDigitScene"), dict(type="PackDetInputs")]
    source = LabeledPass.of("X", dict(config, pipeline=pipeline), Runner, 10)
    assert len(shown(source)) == 6


def test_a_run_without_unlabeled_images_ends_before_it_begins(training_data):
    class Runner:
        iter = 0

        class train_dataloader:
            dataset = training_data.datasets[0]

    hook = LabelDistributionThresholdHook(source="pass")
    with pytest.raises(RuntimeError, match="there are none without labels"):
        hook.before_train(Runner)
    LabelDistributionThresholdHook(source="queue").before_train(Runner)


def test_thresholds_of_the_teacher_on_these_images(training_data):
    """A plain data set (no branches) is enough; the thresholds are those of its true positives."""
    model = build_pair()
    hook = DualThresholdHook(criteria=("confidence",), min_samples=2)
    hook.on_attach(model)
    hook.images = LabeledPass(training_data, 6)
    looks = []

    def label(views, network=None, needs=None):
        truth = views.samples[0].gt_instances
        score = 0.9 if len(looks) % 2 else 0.5
        looks.append(score)
        return [pseudo(truth.bboxes.tolist(), [score] * len(truth), truth.labels.tolist())]

    model.label = label
    step = Step(model, 40)
    hook.fit(model, step)
    assert looks == [0.5, 0.9] * 3 and hook.fitted_at == 40
    fitted = {tuple(round(v, 2) for v in pair) for pair in hook.table["confidence"].tolist()}
    assert (0.9, 0.5) in fitted and step.log["dual_threshold/true_positives"] > 6
