"""Whoever types a tutorial gets what it says."""

import os
import re
import subprocess
import sys

import pytest
from PIL import Image

from .pages import blocks, read


def run(page, folder):
    """Run the Python blocks of a page, one after the other, in a process of their own."""
    script = folder / "tutorial.py"
    script.write_text("\n".join(blocks(read(page), "python")), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script.name],
        cwd=folder, capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_first_pseudo_labels(tmp_path):
    printed = run("docs/tutorials/first-pseudo-labels.md", tmp_path)
    assert "GFL teaches GFL" in printed
    assert "step 120" in printed and printed.count("labeled images only") == 3
    assert "step 200" in printed and "unsup_loss_cls" in printed
    passed = re.search(r"after the burn-in ([\d.]+) boxes of an image passed", printed)
    assert 0.5 < float(passed[1]) < 5
    assert Image.open(tmp_path / "pseudo_labels.png").size == (1024, 256)


@pytest.mark.long
def test_a_hook_and_its_effect(tmp_path):
    printed = run("docs/tutorials/hook-effect.md", tmp_path)
    shares = re.findall(r": (\d+) boxes, (\d+) % of them right", printed)
    (all_boxes, alone), (fewer, hooked) = [(int(count), int(share)) for count, share in shares]
    assert 0.6 * all_boxes < fewer < all_boxes
    assert alone + 3 <= hooked
