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


@pytest.mark.parametrize(("code", "group"), [(0, "left"), (71, "joined")])
def test_a_command_leaves_its_process_group_only_after_a_success(code, group):
    """The threads of a group can abort the exit; after a failure they would wait for the others."""
    program = f"""
        import atexit
        from torch import distributed
        from ssdet import cli
        from ssdet.engine.distributed import start_process_group

        def end():
            print("joined" if distributed.is_initialized() else "left")
            if distributed.is_initialized():
                distributed.destroy_process_group()

        def main(arguments):
            start_process_group("pytorch")
            return {code}

        atexit.register(end)
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
    assert (done.returncode, done.stdout.split()) == (code, [group]), done.stderr
