"""The random state of this process as plain tensors and numbers, so that any loader reads it."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object


def capture() -> dict[str, Any]:
    """Return the state of `random`, `numpy.random`, torch and every CUDA device."""
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": {"version": version, "words": torch.tensor(words), "gauss": gauss},
        "numpy": {
            "name": str(name),
            "keys": torch.from_numpy(np.asarray(keys).astype(np.int64)),
            "position": int(position),
            "has_gauss": int(has_gauss),
            "cached": float(cached),
        },
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore(state: dict[str, Any]) -> None:
    """Put back what `capture` returned; CUDA devices that are not here are left out."""
    python, array = state["python"], state["numpy"]
    random.setstate((python["version"], tuple(python["words"].tolist()), python["gauss"]))
    keys = array["keys"].cpu().numpy().astype(np.uint32)
    np.random.set_state((array["name"], keys, array["position"], *_gauss(array)))
    torch.set_rng_state(state["torch"].cpu())
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for device, value in enumerate(state["cuda"][:devices]):
        torch.cuda.set_rng_state(value.cpu(), device)


def gather(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the states of all ranks in order; every rank must call it."""
    return all_gather_object(state)


def _gauss(array: dict[str, Any]) -> tuple[int, float]:
    return array["has_gauss"], array["cached"]
