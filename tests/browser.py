"""A page in a real browser, where there is one."""

import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
TRIES = 4


def page_in_browser(page: Path, expected: str, *, place="", width=1280, height=3000) -> str:
    """The page after its scripts ran, which must not complain.

    What is drawn when it comes into sight needs a frame, and a busy machine can end without one;
    so the page is opened again if `expected` is not in it, with more time.
    """
    for number in range(1, TRIES + 1):
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu",
                   "--enable-logging=stderr", f"--window-size={width},{height}",
                   f"--virtual-time-budget={5000 * number}", "--dump-dom",
                   f"file://{page}{place}"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        assert "CONSOLE" not in done.stderr
        if expected in done.stdout:
            break
    return done.stdout
