"""What a config says of batches, schedules and hooks, checked without building anything."""

from collections.abc import Mapping, Sequence
from typing import Any

from .findings import Findings
from .methods import check_heads, check_hooks
from .sources import Source
from .training import Settings, world_size

_HIGHEST_RATE = {"SGD": 0.01, "Adam": 2e-3, "AdamW": 2e-3}  # per image of a batch


def check_settings(config: Any, sources: Sequence[Source], findings: Findings) -> None:
    """Judge the settings of a training; `sources` say how many images there are."""
    settings = Settings(config, sources)
    for check in (_batch, _total, _schedule, _learning_rate, _validation, check_hooks, check_heads):
        check(settings, findings)
    looked_at = f"{len(sources)} data sets, {settings.length} {settings.unit}"
    if settings.meant and settings.planned:
        images = f"{settings.meant} images in each"
        looked_at += f", {images}: {_processes(settings.planned)} with {settings.shares}"
    findings.looked_at["config"] = looked_at


def _batch(settings: Settings, findings: Findings) -> None:
    size, shares = settings.loader.get("batch_size"), settings.shares
    if shares and size is not None and sum(shares) != size:
        findings.add(
            "error", "config", "batch_size differs from the sampler's total",
            "train_dataloader.batch_size", found=f"{size}",
            allowed=f"{sum(shares)}, the sum of the sampler's batch={shares}",
            advice="Make them equal",
        )  # fmt: skip
    if shares and len(shares) != len(settings.training):
        findings.add(
            "error", "config", "sampler batch for a different number of data sets",
            "train_dataloader.sampler.batch", found=f"{shares}",
            allowed=f"{len(settings.training)} numbers, one for each data set",
            advice="Say how many images of each data set are in a batch",
        )  # fmt: skip
        return
    in_all = settings.total if len(settings.total) == len(shares) else shares
    for share, total, source in zip(shares, in_all, settings.training, strict=False):
        if share < 1:
            findings.add(
                "error", "config", "data set with no images in the batch",
                "train_dataloader.sampler.batch", found=f"{share} of {source.name}",
                allowed="at least 1", advice="Give it a share, or take the data set out",
            )  # fmt: skip
        elif source.images and total > len(source.images):
            findings.add(
                "warning", "config", "batch with more images than the data set",
                "train_dataloader.sampler.batch",
                found=f"{total} of the {len(source.images)} images of {source.name}",
                allowed=f"up to {len(source.images)}",
                advice="A batch would contain images twice: lower the share, or label more images",
            )  # fmt: skip
    if len(shares) == 2 and settings.unlabeled and shares[0] > 4 * shares[1] > 0:
        findings.add(
            "warning", "config", "few unlabeled images in a batch",
            "train_dataloader.sampler.batch", found=f"{shares[0]} labeled, {shares[1]} unlabeled",
            allowed="as many unlabeled images as labeled ones, or more (papers: 1 to 7 times)",
            advice="Raise the unlabeled share: few unlabeled images teach little",
        )  # fmt: skip


def _total(settings: Settings, findings: Findings) -> None:
    """Whether some number of processes gives the total batch; `train` compares the real one."""
    if settings.meant and settings.shares and settings.planned is None:
        findings.add(
            "error", "config", "total batch that no number of processes has", "total_batch",
            found=f"{settings.meant} with batch={settings.shares} in each process",
            allowed="the same multiple of each number",
            advice="Change batch or total_batch: the learning rate is meant for total_batch",
        )  # fmt: skip


def _schedule(settings: Settings, findings: Findings) -> None:
    length, burn_in = settings.length, settings.model.get("burn_in", 0)
    if not length:
        return
    if settings.is_pair and settings.unlabeled and settings.by_iteration:
        if burn_in >= length:
            findings.add(
                "error", "config", "burn-in as long as the training", "model.burn_in",
                found=f"{burn_in} of {length} iterations", allowed=f"below {length}",
                advice="The teacher would never label anything: shorten it, or train longer",
            )  # fmt: skip
        elif burn_in > 0.8 * length:
            findings.add(
                "warning", "config", "burn-in of most of the training", "model.burn_in",
                found=f"{burn_in} of {length} iterations", allowed="up to about half",
                advice=f"Only {length - burn_in} iterations use unlabeled images: shorten it",
            )  # fmt: skip
    ours = settings.sampler.get("type") == "LabeledUnlabeledSampler"
    if ours and not settings.by_iteration and not settings.sampler.get("epoch_length"):
        findings.add(
            "error", "config", "epoch that never ends", "train_dataloader.sampler.epoch_length",
            found="None", allowed="iterations of an epoch",
            advice="Set it, or train with IterBasedTrainLoop",
        )  # fmt: skip
    _schedulers(settings, findings)


def _schedulers(settings: Settings, findings: Findings) -> None:
    """Learning rate schedules that end after the training, or long before."""
    schedulers = settings.config.get("param_scheduler") or []
    schedulers = [schedulers] if isinstance(schedulers, Mapping) else schedulers
    ends = []
    for number, scheduler in enumerate(schedulers):
        if scheduler.get("by_epoch", True) == settings.by_iteration:
            continue  # counted in the other unit
        kind, where = scheduler.get("type"), f"param_scheduler[{number}]"
        late = [m for m in scheduler.get("milestones", ()) if m >= settings.length]
        ends.append(scheduler.get("end") or settings.length)
        if late or ends[-1] > settings.length:
            findings.add(
                "warning", "config", "learning rate schedule longer than the training", where,
                found=f"{kind} up to {max([*late, ends[-1]])}",
                allowed=f"{settings.length} {settings.unit}",
                advice="The rate would not come down: give both the same length",
            )  # fmt: skip
    decays = [s for s in schedulers if s.get("type") not in ("LinearLR", "ConstantLR")]
    burn_in = settings.model.get("burn_in", 0) if settings.unlabeled else 0
    if decays and ends and burn_in and settings.by_iteration and max(ends) <= burn_in:
        findings.add(
            "warning", "config", "learning rate schedule ends before the burn-in",
            "param_scheduler", found=f"end {max(ends)}, burn_in {burn_in}",
            allowed=f"an end after {burn_in}", advice="Unlabeled images would teach next to "
            "nothing: let the schedule go on, or shorten the burn-in",
        )  # fmt: skip


def _learning_rate(settings: Settings, findings: Findings) -> None:
    wrapper = settings.config.get("optim_wrapper") or {}
    optimizer = wrapper.get("optimizer") or {}
    rate, kind = optimizer.get("lr"), optimizer.get("type")
    batch = sum(settings.total)
    if rate is None or not batch:
        return
    scaling = settings.config.get("auto_scale_lr") or {}
    base = scaling.get("base_batch_size")
    scaled = settings.meant or scaling.get("enable")
    if base and not scaled and not base / 2 <= batch <= base * 2:
        findings.add(
            "warning", "config", "learning rate for another batch size",
            "optim_wrapper.optimizer.lr", found=f"{rate:g} for batches of {base}",
            allowed=f"about {rate * batch / base:g} for {batch} images in "
            f"{_processes(world_size())}",
            advice=f"Train in {_processes(max(base // batch * world_size(), 1))}, with "
            f"--auto-scale-lr, or set it",
        )  # fmt: skip
    highest = _HIGHEST_RATE.get(str(kind), float("inf")) * batch
    if rate > highest or rate <= 0:
        findings.add(
            "warning" if rate > 0 else "error", "config", "unusual learning rate",
            "optim_wrapper.optimizer.lr", found=f"{kind} with lr={rate:g}, batch {batch}",
            allowed=f"above 0, usually below {highest:g}",
            advice="Too high a rate ends in losses that are not finite: lower it",
        )  # fmt: skip


def _processes(count: int) -> str:
    return f"{count} process{'es' * (count > 1)}"


def _validation(settings: Settings, findings: Findings) -> None:
    interval, length = settings.loop.get("val_interval", 1), settings.length
    if not settings.config.get("val_dataloader"):
        if settings.loader:
            findings.add(
                "warning", "config", "no validation", "val_dataloader", found="None",
                allowed="a data set with annotations",
                advice="Without it there is no score, and no best checkpoint is kept",
            )  # fmt: skip
    elif length and interval > length:
        findings.add(
            "warning", "config", "evaluation interval longer than the training",
            "train_cfg.val_interval", found=f"{interval}", allowed=f"up to {length}",
            advice="It is evaluated once, at the end: shorten the interval",
        )  # fmt: skip
    elif settings.by_iteration and length and length // interval > 200:
        findings.add(
            "warning", "config", "evaluated very often", "train_cfg.val_interval",
            found=f"every {interval} of {length} iterations, {length // interval} times",
            allowed="10 to 50 times in a training",
            advice="Evaluation of two models takes time: lengthen the interval",
        )  # fmt: skip
