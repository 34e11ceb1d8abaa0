"""The page on hooks says of the phases and needs what the code says."""

import re

from ssdet import hooks
from ssdet.teacher_student.hook_points import HookPoints
from ssdet.teacher_student.phase import NEEDS, Phase

from .pages import read, tables

ROWS = list(tables(read("docs/tasks/write-a-hook.md")))


def names(cell):
    return re.findall(r"`\"?(\w+)", cell)


def test_phases():
    rows = [row for row in ROWS if names(row[0])[0] in Phase.__members__]
    assert [names(row[0])[0] for row in rows] == [phase.name for phase in Phase]
    for phase, _, examples in rows:
        for hook in names(examples):
            assert getattr(hooks, hook).phase.name in phase


def test_needs():
    told = [name for row in ROWS if row[0].startswith('`"') for name in names(row[0])]
    assert sorted(told) == sorted([*NEEDS, "teacher_on", "layer", "layer_input"])


def test_declarations():
    told = {names(row[0])[0] for row in ROWS if len(row) == 2}
    declared = {name for name in vars(HookPoints)["__annotations__"]}
    assert declared - {"phase"} <= told
