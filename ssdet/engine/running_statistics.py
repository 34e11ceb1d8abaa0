"""What a forward pass alone changes in a model: the running statistics of its normalization."""

from __future__ import annotations

import torch
from torch import Tensor, nn

COUNTER = "num_batches_tracked"


class RunningStatistics:
    """The statistics of every network of a model, kept so that a forward pass can be undone.

    Batch norm writes into its buffers before any loss is known: one NaN in a batch ruins them, and
    the average of the teacher takes them over. All float buffers are kept (student, teacher,
    auxiliary networks), and the counters of batch norm.

    Args:
        model: The model. A buffer that is not finite now (a mask of -inf) is never called bad.
    """

    def __init__(self, model: nn.Module) -> None:
        # A module may put a new tensor under an old name, so the places are known, not the tensors.
        places = [
            (module, key, f"{name}.{key}" if name else key)
            for name, module in model.named_modules()
            for key, value in module._buffers.items()
            if value is not None and (value.is_floating_point() or key == COUNTER)
        ]
        self._places = [(module._buffers, key) for module, key, _ in places]
        self._names = [name for _, _, name in places]
        self._saved = [value.detach().clone() for value in self._tensors()]
        self._watched = [bool(value.isfinite().all()) for value in self._saved]

    @torch.no_grad()
    def keep(self) -> None:
        """Remember the statistics as they are."""
        current = self._tensors()
        if any(a.shape != b.shape or a.device != b.device for a, b in self._pairs(current)):
            self._saved = [value.clone() for value in current]
        elif current:
            torch._foreach_copy_(self._saved, current)

    @torch.no_grad()
    def restore(self) -> None:
        """Put back what was kept last."""
        for saved, (buffers, key) in zip(self._saved, self._places, strict=True):
            buffers[key].copy_(saved)

    def finite(self) -> Tensor | None:
        """Whether all statistics are finite, as a tensor on their device; None without any."""
        watched = [
            value
            for value, is_watched in zip(self._tensors(), self._watched, strict=True)
            if is_watched and value.is_floating_point() and value.numel()
        ]
        if not watched:
            return None
        # One small tensor, and no synchronization.
        largest = torch._foreach_norm(watched, torch.inf)
        return torch.stack([value.float() for value in largest]).isfinite().all()

    def bad(self) -> list[str]:
        """The names of those that are not finite."""
        named = zip(self._names, self._tensors(), self._watched, strict=True)
        return [name for name, value, watched in named if watched and not value.isfinite().all()]

    def _tensors(self) -> list[Tensor]:
        return [buffers[key].detach() for buffers, key in self._places]

    def _pairs(self, current: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self._saved, current, strict=True))
