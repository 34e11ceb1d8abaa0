"""A setting with a wrong name: the right one is said."""

import pytest
from mmengine.registry import Registry

from ssdet.engine.unknown_settings import nearest

THINGS = Registry("things")


class Base:
    def __init__(self, momentum=0.9):
        self.momentum = momentum


@THINGS.register_module()
class Thing(Base):
    def __init__(self, score, **options):
        super().__init__(**options)
        self.inner = THINGS.build(score) if isinstance(score, dict) else score


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        (dict(score=1, momentun=0.5), "; did you mean momentum?"),  # the base complains
        (dict(score=dict(type="Thing", score=1, momentun=1)), "; did you mean momentum?"),
        (dict(score=1, threshold=0.5), "; Thing has score, momentum"),
    ],
)
def test_the_nearest_setting_of_the_class_or_its_bases(settings, hint):
    with pytest.raises(TypeError) as found:
        THINGS.build(dict(type="Thing", **settings))
    assert nearest(found.value) == hint


def test_the_nearest_class_of_the_registry_or_its_parents():
    child = Registry("things", parent=THINGS, scope="child")
    with pytest.raises(KeyError) as found:
        child.build(dict(type="Thimg"))
    assert nearest(found.value) == "; did you mean Thing?"
    with pytest.raises(KeyError) as found:
        child.build(dict(type="Nobody"))
    assert nearest(found.value) == ""


def test_other_errors_are_left_alone():
    assert nearest(TypeError("f() got an unexpected keyword argument 'x'")) == ""
    assert nearest(ValueError("Thing.__init__() got an unexpected keyword argument 'x'")) == ""
    assert nearest(TypeError("Thing.__init__() got an unexpected keyword argument 'x'")) == ""
