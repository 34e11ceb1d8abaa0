"""The parts of tools/check_gpu.py that a CPU can run."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "check_gpu.py"


@pytest.mark.long
def test_a_run_that_is_repeated_or_resumed_is_the_same():
    command = [sys.executable, str(TOOL), "repeat", "--device", "cpu", "--small"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("bit for bit the same") == 2
