"""How the process of a command ends, if Ctrl-C comes when its work is done."""

import subprocess
import sys

import pytest

# `moment` is what Python does at its end: a function of `atexit`, or the end of a module's objects.
PROGRAM = """
import atexit, os, signal, sys
from ssdet import cli

def interrupt(kill=os.kill, process=os.getpid(), number=signal.SIGINT):
    print("interrupted", flush=True)
    kill(process, number)

class Last:
    def __del__(self):
        interrupt()

if sys.argv[1] == "atexit":
    atexit.register(interrupt)
else:
    last = Last()
cli.main = lambda arguments: {code}
cli.command(["env"])
"""


@pytest.mark.parametrize("moment", ["atexit", "modules"])
@pytest.mark.parametrize("code", [0, 74])
def test_ctrl_c_after_the_end_changes_nothing(moment, code):
    program = PROGRAM.replace("{code}", str(code))
    done = subprocess.run(
        [sys.executable, "-c", program, moment], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout == "interrupted\n"
