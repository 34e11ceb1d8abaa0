"""A folder of stored labels as it was at a checkpoint."""

import os

import numpy as np
import pytest

from ssdet.formats import undo_log
from ssdet.formats.pseudo_label_folder import PseudoLabelFolder
from ssdet.formats.undo_log import UndoLog


def place(folder, log, name, text):
    """A change as a run makes one: remembered, then replaced by a rename."""
    path = folder / name
    log.remember(path)
    path.parent.mkdir(exist_ok=True)
    if text is None:
        path.unlink()
        return
    (folder / "new").write_text(text)
    os.replace(folder / "new", path)


def contents(folder):
    found = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    return {k: p.read_text() for k, p in found.items() if not k.startswith(".undo")}


@pytest.fixture(params=["links", "copies"])
def history(request, tmp_path, monkeypatch):
    """The contents at checkpoints 0, 3 and 6, with changes after each."""
    if request.param == "copies":

        def refuse(*args):
            raise OSError("no second names here")

        monkeypatch.setattr(undo_log.os, "link", refuse)
    log, states = UndoLog(tmp_path), {}
    for iteration in (0, 3, 6):
        states[iteration] = contents(tmp_path)
        log.begin(iteration)
        place(tmp_path, log, "maps/a", f"a {iteration}")
        place(tmp_path, log, "maps/a", f"a {iteration} again")
        place(tmp_path, log, f"maps/new {iteration}", "n")
        if iteration:
            place(tmp_path, log, f"maps/new {iteration - 3}", None)
    return tmp_path, states


@pytest.mark.parametrize("iteration", [6, 3, 0])
def test_back_to_any_checkpoint(history, iteration):
    folder, states = history
    assert UndoLog(folder).back_to(iteration)
    assert contents(folder) == states[iteration]
    # What comes later has happened to nobody.
    assert [step for step in UndoLog(folder)._steps() if step >= iteration] == []


def test_another_process_that_changes_the_same_file_comes_second(tmp_path):
    (tmp_path / "a").write_text("0")
    logs = [UndoLog(tmp_path) for _ in range(2)]
    for number, log in enumerate(logs):
        log.begin(4)
        place(tmp_path, log, "a", f"{number + 1}")
        place(tmp_path, log, "b", f"{number + 1}")
    assert UndoLog(tmp_path).back_to(4)
    assert contents(tmp_path) == {"a": "0"}


def test_a_checkpoint_that_the_log_does_not_know(history):
    folder, _ = history
    before = contents(folder)
    assert not UndoLog(folder).back_to(4)
    assert UndoLog(folder).back_to(9)  # nothing was changed since
    UndoLog(folder).forget(before=6)
    assert not UndoLog(folder).back_to(3)
    assert contents(folder) == before
    UndoLog(folder).forget()
    assert not UndoLog(folder).back_to(6)


def test_entries_that_are_removed_to_keep_the_bounds_come_back(tmp_path):
    bank = PseudoLabelFolder(tmp_path, max_entries=2)
    labels = np.zeros((2, 2), np.uint8)
    bank.write_map("a", labels, {"image": "a"})
    bank.undo.begin(1)
    for name in "bcd":
        bank.write_map(name, labels, {"image": name})
    assert bank.keys("maps") == ["c", "d"]
    assert PseudoLabelFolder(tmp_path).undo.back_to(1)
    assert PseudoLabelFolder(tmp_path).keys("maps") == ["a"]
