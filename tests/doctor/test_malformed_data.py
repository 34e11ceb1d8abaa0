"""Every malformed variant is met by the doctor, and by a training: by name, and with the cause."""

import gc
import re

import pytest

from ssdet import doctor
from ssdet.datasets import BadImageError
from ssdet.formats import DataError

from . import damage, place


@pytest.fixture(scope="module", autouse=True)
def _few_objects_to_collect():
    """MMEngine collects garbage for every data set: a quarter of a second in a large process."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return place.build(tmp_path_factory.mktemp("doctor") / "data")


@pytest.fixture
def root(original, tmp_path):
    return place.copied(original, tmp_path / "data")


def examine(root, config, case):
    """Break the experiment; the doctor names it, training names, skips or survives it."""
    change, severity, text, training = case
    change(root, config)
    before = place.tree(root)
    found = doctor.examine_config(config, workers=1)
    matching = [f for f in found.of(severity) if re.search(text, str(f))]
    assert matching, "\n".join(f"{f.severity}: {f}" for f in found.found)
    assert found.failed() == (severity == "error" or bool(found.of("error")))
    for finding in found.found:
        assert finding.where and finding.found and finding.advice
    check_training(config, training)
    assert place.tree(root) == before


def check_training(config, expected):
    if isinstance(expected, str):
        with pytest.raises((BadImageError, DataError, OSError, ValueError), match=expected):
            place.train(config)
        return
    skipped, findings = place.train(config)
    assert len(skipped) == (expected.count if isinstance(expected, damage.Skipped) else 0)
    if isinstance(expected, damage.Warned):
        warnings = findings.of("warning")
        assert any(re.search(expected.text, str(f)) for f in warnings)


def test_a_sound_experiment_has_no_findings(root):
    for config in (place.detection(root), place.segmentation(root), place.by_reader(root)):
        found = doctor.examine_config(config, full=True)
        assert [str(f) for f in found.found] == []
        assert set(found.looked_at) > {"config", "files", "splits", "views"}
        assert len(found.looked_at) == 7  # five checks, labeled and validation data
        assert place.train(config)[0] == []


@pytest.mark.parametrize("name", damage.FILES)
def test_files(root, name):
    examine(root, place.detection(root), damage.FILES[name])


@pytest.mark.parametrize("name", damage.ANNOTATIONS)
def test_annotations(root, name):
    examine(root, place.detection(root), damage.ANNOTATIONS[name])


@pytest.mark.parametrize("name", damage.SPLITS)
def test_splits(root, name):
    examine(root, place.detection(root), damage.SPLITS[name])


@pytest.mark.parametrize("name", damage.SETTINGS)
def test_settings(root, name):
    examine(root, place.detection(root), damage.SETTINGS[name])


@pytest.mark.parametrize("name", damage.MASKS)
@pytest.mark.parametrize("kind", ["segmentation", "by_reader"])
def test_label_maps(root, kind, name):
    examine(root, getattr(place, kind)(root), damage.MASKS[name])


def test_there_are_enough_variants():
    tables = (damage.FILES, damage.ANNOTATIONS, damage.SPLITS, damage.SETTINGS, damage.MASKS)
    assert sum(map(len, tables)) >= 60
