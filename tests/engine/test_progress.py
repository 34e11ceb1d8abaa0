"""A live line for a person, plain lines for a file."""

import io
import re
import sys

import pytest

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
