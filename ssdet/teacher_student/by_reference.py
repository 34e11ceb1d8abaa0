"""Frozen networks of which a checkpoint holds the sha256 of their file, and not a copy."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from ..exits import DataChangedError

Own = TypeVar("Own", bound="ByReference")


class ByReference(nn.Module):
    """A module with a frozen part whose weights come from a file that stays where it is.

    A checkpoint holds the sha256 of that file and not the part, unless `keep_weights`. The file is
    read when it is first needed; one that is not what the run was started with is an error.

    A subclass names the part, calls `refer_to` when it is built, and fills it in `_read`.
    """

    part: ClassVar[str]
    # Buffers that `_read` fills; they travel in place of the weights.
    found: ClassVar[tuple[str, ...]] = ("sha256",)
    sha256: Tensor

    def refer_to(self, source: str | None, *, keep_weights: bool = False, owner: str = "") -> None:
        """Say where the weights come from: a file, a folder or an address; None: from nowhere.

        `owner` is what errors call the module.
        """
        self.source, self.keep_weights = source, keep_weights or source is None
        self.owner = owner or type(self).__name__
        self.register_buffer("sha256", torch.zeros(32, dtype=torch.uint8))
        self._expected: Tensor | None = None
        self._ready = False
        self._register_state_dict_hook(_leave_out_part)

    def ready(self: Own) -> Own:
        """Read the weights, if that has not been done."""
        if not self._ready:
            self._read()
            self._ready = True
            self._check_file()
        return self

    @abstractmethod
    def _read(self) -> None:
        """Fill the part and `sha256` from the source, if there is one."""

    def _check_file(self) -> None:
        if self._expected is None or self.source is None:
            return
        if not torch.equal(self._expected.cpu(), self.sha256.cpu()):
            was, now = (bytes(d.cpu().tolist()).hex()[:12] for d in (self._expected, self.sha256))
            raise DataChangedError(
                f"{self.owner}: {self.source} is not the file that the run was started with: "
                f"sha256 {now} instead of {was}. Restore the file, or start a new run"
            )
        self._expected = None

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        digest = state_dict.get(prefix + "sha256")
        known = digest is not None and bool(digest.any())
        if any(key.startswith(f"{prefix}{self.part}.") for key in state_dict):
            # The run has kept all that there is to know, and the file may be gone. One that knew
            # no file goes on so.
            self.keep_weights = self.keep_weights or not known
            state_dict.setdefault(prefix + "sha256", torch.zeros_like(self.sha256))
            super()._load_from_state_dict(state_dict, prefix, *args)
            self._ready = True
            return
        own = {f"{self.part}.{k}": v for k, v in getattr(self, self.part).state_dict().items()}
        for key, value in {**own, **{name: getattr(self, name) for name in self.found}}.items():
            state_dict[prefix + key] = value.clone()
        super()._load_from_state_dict(state_dict, prefix, *args)
        if known:
            self._expected = digest
            if self._ready:
                self._check_file()


def digest_of(files: Iterable[Path]) -> Tensor:
    """The sha256 of files, one behind the other, as 32 bytes."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return torch.tensor(list(digest.digest()), dtype=torch.uint8)


def _leave_out_part(
    module: ByReference, state: dict[str, Any], prefix: str, _: Any
) -> dict[str, Any]:
    if not module.keep_weights:
        for key in [key for key in state if key.startswith(f"{prefix}{module.part}.")]:
            del state[key]
    return state
