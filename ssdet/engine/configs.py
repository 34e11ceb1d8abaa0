"""Find a config by path, by `package::path`, or by its path among the shipped ones."""

from __future__ import annotations

import difflib
import importlib.util
import pickle
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .config_variables import check_applied, check_known, variables
from .option_paths import check_paths
from .renamed_configs import renamed, warn_of_new_name

PACKAGES = ("ssdet", "mmdet", "mmseg")


def find_config(name: str) -> Path:
    """Return the file of `name`; an unknown one raises an error with the nearest names."""
    from ..exits import UsageError

    path = Path(name).expanduser()
    if path.is_file():
        return path
    package, mark, relative = name.partition("::")
    if mark and package not in PACKAGES:
        raise UsageError(
            f"config {name!r}: unknown package {package!r}; allowed: {', '.join(PACKAGES)}"
        )
    folder = shipped_configs(package if mark else "ssdet")
    shipped = (folder / (relative if mark else name)) if folder else None
    if shipped is not None and shipped.is_file():
        return shipped
    new = renamed(name)
    if new is not None:
        found = find_config(new)
        warn_of_new_name(name, new)
        return found
    near = _nearest(name, path, folder, prefix=f"{package}::" if mark else "")
    hint = f"; did you mean:\n  {near}" if near else ""
    raise UsageError(f"config {name!r}: no such file{hint}")


def shipped_configs(package: str) -> Path | None:
    """Return the folder of the configs that came with `package`."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / ".mim" / "configs"
    return folder if folder.is_dir() else None


def load_config(name: str, options: dict[str, Any] | None = None) -> Any:
    """Load a config and apply `--cfg-options`; errors in it become one clear message."""
    from mmengine.config import Config

    from ..exits import RunError, UsageError

    path = find_config(name)
    try:
        with variables(options or {}), renamed_bases():
            config = Config.fromfile(path)
    except RunError:
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        if package := _missing_package(error):
            told = f"it needs the package {package}, which is not installed here; install it, or "
            told += "take another config"
        raise UsageError(f"config {path}: {told}") from error
    _import_formatter()
    # MMEngine's formatter takes seconds to lay a config out; it is as readable without. (Its own
    # argument for that is passed on for lazy configs only.)
    object.__setattr__(config, "_format_python_code", False)
    if options:
        check_known(config._cfg_dict, options)
        check_applied(config._cfg_dict, options)
        merge_options(config, options)
    return config


def merge_options(config: Any, options: dict[str, Any]) -> None:
    """Set values of a config that is loaded already; what is computed from them does not follow."""
    from ..exits import UsageError

    check_paths(config._cfg_dict, options)
    try:
        config.merge_from_dict(options)
    except Exception as error:
        given = ", ".join(f"{key}={value}" for key, value in options.items())
        raise UsageError(f"--cfg-options {given}: {error}") from error


def _missing_package(error: BaseException | None) -> str:
    """The package that an import of a config misses; MMEngine wraps the error that says so."""
    while error is not None and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__ or error.__context__
    return (error.name or "").partition(".")[0] if error else ""


def _import_formatter(waits: Iterable[float] = (0.1, 0.5, 2.0)) -> None:
    """Import yapf, which MMEngine imports for the text of a config even without formatting it.

    Its first import ever writes a cache; another process of the training may read it half written.
    """
    for wait in waits:
        try:
            importlib.import_module("yapf")
            return
        except (EOFError, pickle.UnpicklingError):
            time.sleep(wait)


@contextmanager
def renamed_bases() -> Iterator[None]:
    """Within the context, former names of configs are found in the `_base_` of others, too."""
    from mmengine.config import Config

    find = Config._get_cfg_path

    def find_renamed(base: str, filename: str) -> tuple[str, str | None]:
        if (Path(filename).parent / base).is_file():
            return find(base, filename)
        new = renamed(base)
        if new is None:
            return find(base, filename)
        warn_of_new_name(base, new)
        return find(new, filename)

    Config._get_cfg_path = staticmethod(find_renamed)
    try:
        yield
    finally:
        Config._get_cfg_path = staticmethod(find)


def _nearest(name: str, path: Path, folder: Path | None, prefix: str) -> str:
    wanted = name.rpartition("::")[2]
    candidates = {str(p.relative_to(folder)): prefix for p in _files(folder)} if folder else {}
    if not prefix and path.parent.is_dir():
        candidates.update({str(path.parent / p.name): "" for p in path.parent.glob("*.py")})
    near = difflib.get_close_matches(wanted, candidates, n=3, cutoff=0.6)
    return "\n  ".join(candidates[item] + item for item in near)


def _files(folder: Path | None) -> Iterable[Path]:
    return (p for p in folder.rglob("*.py") if p.parent.name != "_base_") if folder else ()
