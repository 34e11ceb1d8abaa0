"""Sliding windows whose probabilities are averaged, as the semi-supervised literature does it."""

from __future__ import annotations

from typing import Any

import torch
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor

from ..registry import MODELS


@MODELS.register_module()
class WindowedEncoderDecoder(EncoderDecoder):
    """MMSegmentation's `EncoderDecoder`, but for what happens where sliding windows overlap.

    There the logits of the windows are averaged, here their probabilities (UniMatch and others add
    them). What is returned are their logarithms, so that a softmax gives the mean back. Weights and
    everything else are those of the parent, which loads its checkpoints.
    """

    def slide_inference(self, inputs: Tensor, batch_img_metas: list[dict[str, Any]]) -> Tensor:
        """Logarithms of the mean probabilities (B, C, H, W); one channel: as the parent."""
        if self.out_channels == 1:
            return super().slide_inference(inputs, batch_img_metas)
        own: Any = self
        compute = own.encode_decode
        own.encode_decode = lambda *args: compute(*args).float().softmax(dim=1)
        try:
            mean = super().slide_inference(inputs, batch_img_metas)
        finally:
            del own.encode_decode
        return mean.clamp(min=torch.finfo(mean.dtype).tiny).log()
