"""What a command does when nobody reads on, as in `ssdet init --list | head`."""

import io
import sys

from ssdet import cli
from ssdet.cli import main


class Closed(io.StringIO):
    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")

    def fileno(self):
        raise ValueError("no file")


def test_a_closed_pipe_ends_a_command_without_a_traceback(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Closed())
    assert main(["init", "--list"]) == 141  # as a shell says it of SIGPIPE
    assert capsys.readouterr().err == ""


def test_another_pipe_is_an_error_like_others(monkeypatch, capsys):
    def closed(arguments):
        raise BrokenPipeError(32, "a worker is gone")

    monkeypatch.setattr(cli, "_main", closed)
    assert main(["train"]) == 1
    assert "a worker is gone" in capsys.readouterr().err
