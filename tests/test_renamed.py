"""Old names of classes and arguments work, and say the new ones."""

import inspect

import pytest
from mmengine.config import Config

from ssdet import registry, renamed
from ssdet.hooks import CopyPasteHook, LabelDistributionThresholdHook, PolishHook, StepHook
from ssdet.registry import HOOKS, MODELS, TRANSFORMS

from .helpers import build_pair, tiny_retinanet
from .seg_helpers import build_seg

OLD_ARGUMENTS = [
    (
        CopyPasteHook,
        dict(mode="unlabeled", most=3),
        lambda hook: hook._of_objects["max_objects"],
        3,
    ),
    (
        LabelDistributionThresholdHook,
        dict(between="drop"),
        lambda hook: hook.uncertain_as,
        "drop",
    ),
    (PolishHook, dict(sure=0.7), lambda hook: hook.min_confidence, 0.7),
    (build_pair, dict(joint_features=True), lambda model: model.joint_pass, True),
    (build_seg, dict(joint_features=True), lambda model: model.joint_pass, True),
]


@pytest.fixture
def told(monkeypatch):
    found = []
    monkeypatch.setattr(renamed, "print_log", lambda message, **_: found.append(message))
    return found


def test_every_old_argument_is_tried_here():
    names = {made.__name__ for made, *_ in OLD_ARGUMENTS}
    names -= {"build_pair", "build_seg"}
    assert names | {"TeacherStudentDetector", "TeacherStudentSegmentor"} == set(renamed.ARGUMENTS)


@pytest.mark.parametrize("make, given, read, value", OLD_ARGUMENTS)
def test_old_arguments_work_and_say_the_new_name(make, given, read, value, told):
    assert read(make(**given)) == value
    (message,) = told
    old = next(key for key in given if key != "mode")
    assert f"argument {old} is now called" in message


def test_both_names_at_once_are_refused():
    with pytest.raises(TypeError, match="sure and min_confidence are the same"):
        PolishHook(sure=0.7, min_confidence=0.7)


@pytest.mark.parametrize("old, new", renamed.CLASSES.items())
def test_old_class_names_are_the_new_classes(old, new):
    owners = [getattr(registry, kind) for kind in registry.__all__]
    owner = next(one for one in owners if new in one.module_dict)
    former, now = owner.get(old), owner.get(new)
    assert issubclass(former, now) and renamed.current(old) == new
    assert inspect.signature(now.__init__).parameters.keys() >= {"self"}


def test_an_old_class_name_builds_and_warns(told):
    hook = HOOKS.build(dict(type="PseudoLabelStoreHook", interval=7))
    assert hook.interval == 7 and hook.phase is not None
    assert "PseudoLabelStoreHook is now called PseudoBoxMemoryHook" in told[0]
    TRANSFORMS.build(dict(type="DigitSecondLabels"))
    assert len(told) == 2


def test_a_state_saved_under_an_old_name_is_found():
    class Remembers(StepHook):
        def state_dict(self):
            return {"count": 3}

    renamed.CLASSES["Recalled"] = "Remembers"
    try:
        hook, seen = Remembers(), {"step_hooks": {"Recalled": {"count": 5}}}
        hook.after_load_checkpoint(None, seen)
        assert hook._restored == {"count": 5}
    finally:
        del renamed.CLASSES["Recalled"]


def test_configs_with_old_names_build():
    detector = tiny_retinanet()
    cfg = Config(dict(type="TeacherStudentDetector", detector=detector, joint_features=False))
    assert MODELS.build(cfg).joint_pass is False
