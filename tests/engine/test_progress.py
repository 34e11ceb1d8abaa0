"""A live line for a person, plain lines for a file."""

import io
import json
import re
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from ssdet.engine import ProgressHook

from .toy import toy


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def text(self):
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


def test_a_terminal_gets_one_live_line(tmp_path, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    runner = toy(tmp_path)
    runner.train()
    assert sys.stdout is screen  # rich has given it back
    text = screen.text()
    assert "6/6" in text and "pseudo/kept" in text and "loss" in text
    assert re.search(r"pseudo/kept [\d.]+ +mIoU \d", text), "the last validation is on the line"
    assert "mIoU" in text and "(train)" not in text
    assert "System environment" not in text
    log = (tmp_path / "train.log").read_text()
    assert log.count("Epoch(train)") == 6 and "System environment" in log


def test_a_file_gets_plain_lines_with_the_time_left(tmp_path, capsys):
    toy(tmp_path).train()
    text = capsys.readouterr().out
    lines = [line for line in text.splitlines() if "(train)" in line]
    assert len(lines) == 6 and all("eta: " in line and "pseudo/kept: " in line for line in lines)
    assert "\x1b[?25l" not in text and "System environment" not in text


def test_the_terminal_is_given_back_after_an_error(tmp_path, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    runner = toy(tmp_path)
    runner.model.train_step = None
    with pytest.raises(TypeError):
        runner.train()
    assert sys.stdout is screen


LAST_OF_DATA = 4  # MMEngine logs it where the data are shorter than the interval


def train_lines(text):
    """Iterations that have a line."""
    return [int(number) for number in re.findall(r"(?:Iter|Epoch)\(train\).*?\[ *(\d+)/", text)]


@pytest.mark.parametrize("is_terminal", [False, True])
def test_the_first_iterations_have_a_line_each(tmp_path, monkeypatch, is_terminal):
    monkeypatch.setattr(sys, "stdout", Terminal() if is_terminal else io.StringIO())
    monkeypatch.setenv("TERM", "xterm")
    runner = toy(tmp_path, train_cfg__max_iters=13, default_hooks__logger__interval=12)
    runner.train()
    log = (tmp_path / "train.log").read_text()
    assert train_lines(log) == [1, 2, LAST_OF_DATA, 5, 10, 12]


def test_a_slow_training_has_a_line_in_time(tmp_path, monkeypatch):
    clock = SimpleNamespace(monotonic=partial(next, iter(range(0, 10_000, 20))))
    monkeypatch.setattr("ssdet.engine.progress.time", clock)
    toy(tmp_path, train_cfg__max_iters=18, default_hooks__logger__interval=50).train()
    # An iteration "takes" 20 seconds here, and 60 may pass without a line.
    assert train_lines((tmp_path / "train.log").read_text()) == [
        1, 2, LAST_OF_DATA, 5, 8, 10, 13, 16,
    ]  # fmt: skip


def test_lines_between_do_not_change_what_is_stored(tmp_path):
    local = [dict(type="LocalVisBackend")]
    toy(tmp_path, visualizer__vis_backends=local, default_hooks__logger__interval=3).train()
    stored = [json.loads(line) for line in next(tmp_path.rglob("scalars.json")).open()]
    assert [line["step"] for line in stored if "loss_a" in line] == [3, 6]


def test_a_length_of_time_is_checked():
    with pytest.raises(ValueError, match=r"ProgressHook: seconds=-1 is not in \[0, inf\]"):
        ProgressHook(seconds=-1)
