"""For how many images per iteration a learning rate is meant, and how many there are.

A config says it as `total_batch = (8, 32)`: labeled and unlabeled images in all processes together.
`batch` is the part of one process.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

from .exits import UsageError


def shares(loader: Mapping[str, Any]) -> tuple[int, ...]:
    """Images of each source in the batch of a process, where a sampler says it."""
    sampler = loader.get("sampler") or {}
    if not isinstance(sampler, Mapping):
        return ()
    batch, ratio = sampler.get("batch"), sampler.get("source_ratio")
    if batch:
        return tuple(batch)
    size = sampler.get("batch_size") or loader.get("batch_size")
    if ratio and size and size % sum(ratio) == 0:
        return tuple(share * size // sum(ratio) for share in ratio)
    return ()


def meant(config: Mapping[str, Any]) -> tuple[int, ...] | None:
    """The `total_batch` of a config, if it has one."""
    total = config.get("total_batch")
    if total is None:
        return None
    numbers = tuple(total) if isinstance(total, (tuple, list)) else ()
    if not numbers or not all(isinstance(n, int) and n > 0 for n in numbers):
        raise UsageError(
            f"total_batch={total!r}: expected the numbers of labeled and unlabeled images per "
            f"iteration in all processes, such as (8, 32)"
        )
    return numbers


def images(config: Mapping[str, Any], processes: int) -> tuple[int, ...]:
    """Images of each source that one step of the optimizer sees in all processes together."""
    loader = config.get("train_dataloader") or {}
    size = loader.get("batch_size")
    each = shares(loader) or ((size,) if size else ())
    return tuple(share * _batches(config, processes) for share in each)


def processes_for(config: Mapping[str, Any]) -> int | None:
    """The number of processes that gives `total_batch`; None if there is none."""
    alone, total = images(config, 1), meant(config) or ()
    count = total[0] // alone[0] if alone and total and alone[0] else 0
    return count if count and images(config, count) == total[: len(alone)] else None


def check_total_batch(config: Mapping[str, Any], processes: int, *, ours: bool = True) -> None:
    """Refuse a training with more or fewer images than its learning rate is meant for.

    Nothing is refused where the rate is scaled (`--auto-scale-lr`), or without `total_batch`. A
    config of labeled images alone is held to the first number.

    Args:
        config: Of the training.
        processes: Their number.
        ours: Whether it runs through `ssdet train`, whose options the message names.
    """
    total, real = meant(config), images(config, processes)
    if total is None or not real or real == total[: len(real)] or scales(config):
        return
    each = "1 process" if processes == 1 else f"each of {processes} processes"
    raise UsageError(
        f"total_batch={total}: the learning rate is for {_words(total)} images per iteration in "
        f"all processes together, but batch={images(config, 1)} in {each} gives {_words(real)}. "
        f"Choose one:\n  " + "\n  ".join(_ways(config, processes, ours))
    )


def scales(config: Mapping[str, Any]) -> bool:
    """Whether the learning rate follows the number of images."""
    return bool((config.get("auto_scale_lr") or {}).get("enable"))


def ratio(config: Mapping[str, Any], processes: int) -> float:
    """Images per iteration over those that the learning rate is meant for (1 if unknown)."""
    real, base = images(config, processes), (config.get("auto_scale_lr") or {})
    total = meant(config)
    intended = sum(total[: len(real)]) if total else base.get("base_batch_size")
    return sum(real) / intended if real and intended else 1.0


def lr_factor(optimizer: str, ratio: float) -> float:
    """What a learning rate is multiplied by: `ratio` for SGD, its root for Adam and its like.

    The step of SGD is proportional to the gradient, and linear scaling keeps the way of an epoch
    (Goyal et al., 2017). Adam divides by the size of the gradient's noise, which falls with the
    root of the batch (Malladi et al., 2022).
    """
    return ratio if optimizer == "SGD" else sqrt(ratio)


def _batches(config: Mapping[str, Any], processes: int) -> int:
    """How many batches a step of the optimizer sees."""
    return processes * (config.get("optim_wrapper") or {}).get("accumulative_counts", 1)


def _words(numbers: tuple[int, ...]) -> str:
    names = ("labeled", "unlabeled") if len(numbers) <= 2 else ()
    named = [f"{n} {name}" for n, name in zip(numbers, names, strict=False)] or map(str, numbers)
    return " and ".join(named)


def _ways(config: Mapping[str, Any], processes: int, ours: bool) -> list[str]:
    """The lines to choose from."""
    total, real, ways = meant(config) or (), images(config, processes), []
    count = processes_for(config)
    if count:
        ways.append(f"--gpus {count}" if ours else f"start {count} processes")
    times = _batches(config, processes)
    part = [n // times for n in total[: len(real)]]
    if all(n and n * times == m for n, m in zip(part, total, strict=False)):
        text = ",".join(map(str, part))
        nested = f"train_dataloader.batch_size={sum(part)} train_dataloader.sampler.batch={text}"
        option = f"batch={text}" if ours and "batch" in config else nested
        ways.append(f"--cfg-options {option}  (as many images, with the memory they need)")
    return [*ways, *_other_rates(config, processes, ours)]


def _other_rates(config: Mapping[str, Any], processes: int, ours: bool) -> list[str]:
    total, real = meant(config) or (), images(config, processes)
    optimizer = (config.get("optim_wrapper") or {}).get("optimizer") or {}
    rate, kind = optimizer.get("lr"), str(optimizer.get("type"))
    scaled = rate and f"{rate * lr_factor(kind if ours else 'SGD', ratio(config, processes)):.4g}"
    effect = f"  (lr {rate:g} becomes {scaled})" if rate else ""
    base = f"auto_scale_lr.enable=True auto_scale_lr.base_batch_size={sum(total[: len(real)])}"
    return [
        f"--auto-scale-lr{effect}" if ours else f"--cfg-options {base}{effect}",
        f"--cfg-options total_batch={','.join(map(str, real))}  (keep the rate as it is)",
    ]
