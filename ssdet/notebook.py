"""ssdet from Python and notebooks: train, look at a run, and go on with it.

What the commands `ssdet train` and `ssdet report` do, as functions that return objects.
"""

from __future__ import annotations

import copy
import html
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .exits import UsageError
from .report import Run, read_run, write_report
from .report.health import Verdict, verdicts
from .report.summary import curve, main_metric
from .run_files import METRICS, NEWEST

__all__ = ["TrainedRun", "load", "train"]


def train(
    config: Any,
    *,
    work_dir: str | Path | None = None,
    options: dict[str, Any] | None = None,
    resume: bool = False,
    seed: int | None = None,
    strict: bool = False,
) -> TrainedRun:
    """Train in this process, as `ssdet train` does, and return the run.

    Args:
        config: Path or name of a config, or a `Config` such as `ssdet.semi_supervise` returns.
        work_dir: Folder of the run. None: that of the config, or else `work_dirs/<name>`.
        options: Values to change, as `--cfg-options`: `{"iterations": 500}`. In a `Config` no
            variables can be changed, since what is computed from them stands already.
        resume: Go on from the newest whole checkpoint in the folder.
        seed: Seed of the run.
        strict: Warnings of `ssdet doctor` are errors.
    """
    from .cli.doctor import check_before_training
    from .cli.launch import build_runner, fill_in
    from .cli.train import check_file

    loaded, name = _loaded(config, dict(options or {}))
    fill_in(loaded, name, work_dir=None if work_dir is None else str(work_dir))
    if seed is not None:
        loaded.randomness = {**loaded.get("randomness", {}), "seed": seed}
    if resume:
        loaded.resume = NEWEST
    else:
        check_file("load_from", loaded.get("load_from"))
    check = check_before_training(loaded, strict=strict)
    build_runner(loaded, name, ("train_loop", "val_loop"), check).train()
    return load(loaded.work_dir)


def load(work_dir: str | Path) -> TrainedRun:
    """The run in a folder, finished or not."""
    folder = Path(work_dir)
    if not (folder / METRICS).is_file():
        raise UsageError(
            f"ssdet.load({str(work_dir)!r}): no {METRICS} there, so it is no run folder; give the "
            "work_dir of a training"
        )
    return TrainedRun(read_run(folder))


@dataclass(frozen=True)
class TrainedRun:
    """A run folder, read when this object was made; a notebook shows it as a table."""

    run: Run

    @property
    def work_dir(self) -> Path:
        """The folder of the run."""
        return self.run.path

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers of the last validation."""
        last = self.run.val[-1] if self.run.val else {}
        return {k: v for k, v in last.items() if isinstance(v, float)}

    @property
    def best(self) -> Path | None:
        """The best checkpoint; the newest where no validation has chosen one; None without any."""
        from .engine.checkpoint_place import best_of

        return best_of(self.work_dir)

    @property
    def pseudo_stats(self) -> list[dict[str, Any]]:
        """Counts of the pseudo labels over the run; see `PseudoLabelMonitorHook`."""
        return self.run.stats

    @property
    def verdicts(self) -> list[Verdict]:
        """What looks healthy and what does not, the bad news first."""
        return verdicts(self.run)

    def report(self, out: str | Path | None = None) -> Path:
        """Write the HTML report, and return where it is."""
        return write_report([read_run(self.work_dir)], out or self.work_dir / "report.html")

    def __repr__(self) -> str:
        lines = [f"{self.run.name}: {self.run.last_iteration:,} iterations in {self.work_dir}"]
        lines += [f"  {name}: {value}" for name, value in self._rows()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{name}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in self._rows()
        )
        title = html.escape(f"{self.run.name}, {self.run.last_iteration:,} iterations")
        return f"<table><caption>{title}</caption>{cells}</table>"

    def _rows(self) -> list[tuple[str, str]]:
        """What a person wants to know first."""
        metric = main_metric(self.run)
        rows = [("state", str(self.run.info.get("state", "unknown")))]
        for role in ("teacher", "student", ""):
            points = curve(self.run, metric, role)
            if points:
                top = max(points, key=lambda p: p[1] if math.isfinite(p[1]) else -math.inf)
                text = f"{points[-1][1]:.1f} {metric.name} (best {top[1]:.1f} at {top[0]:,})"
                rows.append((role or "model", text))
        if self.run.stats:
            rows.append(("pseudo labels", _kept(self.run.stats[-1])))
        rows += [("look at this", one.title) for one in self.verdicts if one.level == "bad"]
        rows.append(("best checkpoint", str(self.best or "none yet")))
        return rows


def _kept(line: dict[str, Any]) -> str:
    """The last counts, in words."""
    kept, proposed = sum(line["kept"]), sum(line["proposed"])
    share = f"{kept / proposed:.0%}" if proposed else "none"
    if line.get("unit") == "pixels":
        return f"{share} of the pixels kept"
    return f"{kept / max(line['images'], 1):.1f} boxes an image kept, {share} of the proposed ones"


def _loaded(config: Any, options: dict[str, Any]) -> tuple[Any, str]:
    from mmengine.config import Config

    from .engine.config_variables import read_by_mmengine
    from .engine.configs import load_config, merge_options

    if isinstance(config, (str, Path)):
        return load_config(str(config), options), str(config)
    if not isinstance(config, Config):
        raise UsageError(
            f"ssdet.train: config is a {type(config).__name__}; give the path of a config, or a "
            "mmengine Config such as ssdet.semi_supervise returns"
        )
    for key in options:
        if (name := key.partition(".")[0]) not in read_by_mmengine():
            raise UsageError(
                f"ssdet.train: options={{{key!r}: ...}}: {name!r} is a variable, and what was "
                "computed from it stands already. Give it to ssdet.semi_supervise, such as "
                "iterations=2000; or train from the file of a config, where it still counts"
            )
    loaded = copy.deepcopy(config)
    merge_options(loaded, options)
    # The file of a config from `semi_supervise` is gone, and its name says nothing.
    file = Path(config.filename or "config.py")
    return loaded, str(file) if file.is_file() else "config.py"
