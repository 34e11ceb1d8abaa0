"""Models of Hugging Face `transformers`: their configs and weights, with clear errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from ..exits import UsageError
from ..extras import load
from ..teacher_student.by_reference import digest_of

# In the order in which transformers looks for them.
WEIGHTS = (
    "model.safetensors", "model.safetensors.index.json",
    "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip


def transformers() -> Any:
    """The package; imported when a model is built, since that takes seconds."""
    return load("transformers", extra="hf")


def model_config(
    owner: str, pretrained: str | None, config: Mapping[str, Any] | None, **changes: Any
) -> Any:
    """The config of a model: of published weights, or written out, with some values changed.

    Args:
        owner: Who asks, for errors.
        pretrained: A folder, or a name on the hub.
        config: Values with `model_type`, such as `dict(model_type="rt_detr_v2", d_model=128)`;
            where it is given, `pretrained` is not asked.
        changes: Values that are set in either.
    """
    package = transformers()
    if config is None:
        if pretrained is None:
            raise UsageError(
                f"{owner}: give pretrained=<folder or name on the hub> or "
                "config=dict(model_type=...)"
            )
        with named_errors(owner, pretrained):
            return package.AutoConfig.from_pretrained(pretrained, **changes)
    values = {**_plain(config), **changes}
    kind = values.pop("model_type", None)
    if kind not in package.CONFIG_MAPPING:
        raise UsageError(
            f"{owner}: config.model_type={kind!r} is not a model of transformers "
            f"{package.__version__}; for example 'rt_detr_v2', 'd_fine', 'dinov3_vit'"
        )
    parts = {key: _part(package, value) for key, value in values.items()}
    return package.AutoConfig.for_model(kind, **parts)


def _part(package: Any, value: Any) -> Any:
    """A config within a config (that of a backbone) as an object."""
    if isinstance(value, Mapping) and value.get("model_type") in package.CONFIG_MAPPING:
        inner = {key: item for key, item in value.items() if key != "model_type"}
        return package.AutoConfig.for_model(value["model_type"], **inner)
    return value


def _plain(value: Any) -> Any:
    """Dicts and lists of MMEngine's config as plain ones."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


@contextmanager
def named_errors(owner: str, name: str) -> Iterator[None]:
    """Within it, an error about a folder or a name on the hub says what can be done."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        where = "this folder" if Path(name).is_dir() else "no such folder here, and the hub"
        raise UsageError(
            f"{owner}: pretrained={name!r}: {where} gives no model ({reason}). Without a network: "
            f"download it elsewhere (`hf download {name} --local-dir FOLDER`), copy it, and "
            "set pretrained=FOLDER; HF_HUB_OFFLINE=1 takes what has been downloaded before"
        ) from None


def published_sha256(owner: str, pretrained: str) -> Tensor:
    """The sha256 (32 bytes) of the file of weights that `from_pretrained` takes."""
    hub = load("transformers.utils.hub", extra="hf")
    for name in WEIGHTS:
        try:
            path = hub.cached_file(pretrained, name)
        except OSError:  # it has none of this name
            continue
        parts = [path]
        if name.endswith(".json"):
            parts += hub.get_checkpoint_shard_files(pretrained, path)[0]
        return digest_of(map(Path, parts))
    raise UsageError(f"{owner}: pretrained={pretrained!r} has none of {', '.join(WEIGHTS)}")


def read_pretrained(owner: str, network: Any, pretrained: str) -> None:
    """Published weights into a model of transformers; layers of another size stay random."""
    with named_errors(owner, pretrained):
        kind: Any = type(network)
        found = kind.from_pretrained(
            pretrained, config=network.config, ignore_mismatched_sizes=True
        )
    network.load_state_dict(found.state_dict())


def labels_of(classes: Sequence[str] | None, count: int) -> dict[str, Any]:
    """`num_labels` and the names of the classes, as a config of transformers has them."""
    if classes is None:
        return {"num_labels": count}
    names = list(map(str, classes))
    return {
        "id2label": dict(enumerate(names)),
        "label2id": {name: number for number, name in enumerate(names)},
    }
