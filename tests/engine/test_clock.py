"""A clock that jumps decides nothing."""

import itertools
import os
import re
import time

from ssdet.engine import find_latest

from .toy import toy

DAY = 86400.0


def test_a_clock_that_jumps_back_and_ahead(tmp_path, monkeypatch):
    """Each look at the clock on the wall is a day before, or a year after, the look before."""
    jumps = itertools.cycle([-DAY, 365 * DAY, -DAY, -DAY])
    now = [time.time()]

    def jumping():
        now[0] += next(jumps)
        return now[0]

    monkeypatch.setattr("time.time", jumping)
    toy(tmp_path).train()
    log = (tmp_path / "train.log").read_text()
    left = re.findall(r"eta: (\S+(?: day\S* \S+)?)", log)
    assert left and all(re.fullmatch(r"0:\d\d:\d\d", text) for text in left), left
    times = [float(text) for text in re.findall(r"(?<!_)time: (\S+)", log)]
    assert times and all(0 <= value < 60 for value in times)


def test_the_newest_checkpoint_is_that_of_the_last_iteration(tmp_path):
    toy(tmp_path, train_cfg__max_iters=4).train()
    for number, name in enumerate(["iter_4.pth", "iter_2.pth"]):  # the later, the older
        os.utime(tmp_path / "checkpoints" / name, (1e9 + number * DAY, 1e9 + number * DAY))
    assert find_latest(tmp_path)[0].name == "iter_4.pth"
    for path in (tmp_path / "checkpoints").glob("*.pth"):
        os.utime(path, (1e9, 1e9))
    (tmp_path / "checkpoints/index.json").unlink()
    assert find_latest(tmp_path)[0].name == "iter_4.pth"
    toy(tmp_path, resume=True).train()
    assert sorted(p.name for p in (tmp_path / "checkpoints").glob("iter*")) == [
        "iter_4.pth", "iter_6.pth",
    ]  # fmt: skip
