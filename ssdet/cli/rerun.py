"""Train a run again from what its folder recorded, and say whether the same scores come out.

Config, seed and number of processes are those of the run. Data that has changed since is refused;
other versions of packages are named. Start it in the folder that the run was started in.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SHOWN = 5  # changed files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ssdet rerun`."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, or its run.json")
    parser.add_argument(
        "--work-dir", type=Path, metavar="DIR", help="folder of the new run (default: RUN-again)"
    )


def run(args: argparse.Namespace) -> int:
    """Check, train, and compare."""
    from ..run_files import INFO
    from . import main

    folder = args.run.parent if args.run.name == INFO else args.run
    if folder.name in ("", ".."):  # a way to it, and not what it is called
        folder = folder.resolve()
    info = _read(folder)
    again = args.work_dir or folder.with_name(f"{folder.resolve().name}-again")
    command = _command(folder, info, again)
    _check(folder, info, again)
    print(f"ssdet {shlex.join(command)}", flush=True)
    code = main(command)
    if code == 0:
        print(_compared(folder, again))
    return code


def _check(folder: Path, info: dict[str, Any], again: Path) -> None:
    from ..exits import UsageError

    if again.exists():
        raise UsageError(f"{again} is there already; name another folder with --work-dir")
    _check_data(folder, info)
    for line in _other_versions(info):
        print(line)


def _read(folder: Path) -> dict[str, Any]:
    from ..exits import UsageError
    from ..run_files import CONFIG, INFO

    try:
        info = json.loads((folder / INFO).read_text(encoding="utf-8"))
        complete = isinstance(info["seed"], int) and (folder / CONFIG).is_file()
    except (OSError, ValueError, TypeError, KeyError):
        complete = False
    if not complete:
        raise UsageError(
            f"{folder}: no {CONFIG}, or no {INFO} with a seed; give the folder of a training"
        )
    return dict(info)


def _check_data(folder: Path, info: dict[str, Any]) -> None:
    from ..engine.data_files import DataFiles
    from ..exits import DataChangedError

    files = DataFiles.load(folder)
    changed = files.differences([]) if files is not None else []
    if not changed:
        return
    lines = "\n".join(f"  {text}" for text in changed[:_SHOWN])
    more = f"\n  and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    place = f" (it was started in {info['cwd']})" if info.get("cwd") else ""
    raise DataChangedError(
        f"{len(changed)} data files are not those of the run{place}:\n{lines}{more}\nRestore them; "
        f"or train on what is there: ssdet train {shlex.quote(str(folder / 'config.py'))}"
    )


def _other_versions(info: dict[str, Any]) -> Iterator[str]:
    from ..version import versions

    before = info.get("versions") or {}
    for name, now in versions().items():
        if before.get(name, now) != now:
            yield f"note: {name} is {now} here, and was {before[name]}: numbers may differ"


def _command(folder: Path, info: dict[str, Any], again: Path) -> list[str]:
    """The training as it was begun."""
    from ..exits import UsageError
    from ..run_files import CONFIG

    config = folder / CONFIG
    if re.search(r"^resume = True$", config.read_text(encoding="utf-8"), re.MULTILINE):
        raise UsageError(
            f"{folder}: the run went on from a checkpoint of its own choice, and {CONFIG} says no "
            f"longer what it started from; train from the config that it was made of"
        )
    command = ["train", str(config), "--work-dir", str(again), "--seed", str(info["seed"])]
    if info.get("world_size", 1) > 1:
        command += ["--gpus", str(info["world_size"])]
    return [*command, "--cfg-options", "resume=False"]


def _compared(folder: Path, again: Path) -> str:
    """What the validations of both say, in a line or two."""
    from ..engine.metrics_file import NAME, read_metrics

    before, now = (
        {line["iter"]: line for line in read_metrics(each / NAME) if line.get("mode") == "val"}
        for each in (folder, again)
    )
    pairs = [
        (place, name, value, now[place].get(name))
        for place, line in before.items() if place in now
        for name, value in line.items() if isinstance(value, float)
    ]  # fmt: skip
    other = [pair for pair in pairs if pair[2] != pair[3]]
    page = f"ssdet report {shlex.quote(str(folder))} {shlex.quote(str(again))}"
    if not pairs:
        return f"nothing to compare: no validation of both runs at one iteration. {page}"
    if not other:
        return f"the same: all {len(pairs)} numbers of the validations"
    place, name, value, new = max(other, key=lambda pair: pair[0])
    return (
        f"{len(other)} of {len(pairs)} numbers of the validations differ, such as {name} at "
        f"{place}: {value:g} before, {new} now\nboth on one page: {page}"
    )
