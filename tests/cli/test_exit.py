"""How the process of a command ends when its work is done."""

import os
import socket
import subprocess
import sys
import textwrap

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


@pytest.mark.parametrize("code", [0, 71])
@pytest.mark.parametrize(
    ("several", "ending"), [(True, "threads atexit"), (False, "threads atexit objects")]
)
def test_one_of_several_processes_ends_without_taking_python_down(several, ending, code):
    """A thread of the group that runs Python once more would abort that with code 134."""
    program = f"""
        import atexit, sys, threading, time
        from ssdet import cli

        class Last:
            def __del__(self, write=sys.stdout.write, flush=sys.stdout.flush):
                write("objects ")
                flush()

        def wait():
            time.sleep(0.5)
            print("threads", end=" ")

        def main(arguments):
            if {several}:
                from ssdet.engine.distributed import start_process_group
                start_process_group("pytorch")
            threading.Thread(target=wait).start()
            return {code}

        last = Last()
        atexit.register(print, "atexit", end=" ")
        cli.main = main
        cli.command(["train"])
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    alone = dict(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", MASTER_ADDR="127.0.0.1")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        env={**os.environ, **alone, "MASTER_PORT": port},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (code, ending.split()), done.stderr
