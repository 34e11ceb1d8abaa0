"""Grounding DINO of Hugging Face `transformers`: it finds what the names of classes describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from torch import Tensor

from ..exits import UsageError
from ..losses.set_prediction import corners
from ..registry import MODELS
from .hf_boxes import Limits, best_boxes, in_original_frame
from .hf_loading import model_config, named_errors, published_sha256, read_pretrained, transformers
from .hf_padding import large_enough, pixel_mask

KINDS = ("grounding-dino", "mm-grounding-dino")


@dataclass(frozen=True)
class Prompt:
    """Classes as one text: "cat . traffic light ."

    Attributes:
        ids: Tokens (L,).
        spans: First token of each class, and the one after its last.
    """

    ids: Tensor
    spans: Sequence[tuple[int, int]]


@MODELS.register_module()
class HFZeroShotDetector(BaseDetector):
    """Grounding DINO (Liu et al., ECCV 2024) as a frozen teacher: it needs names, and no labels.

    `teacher=dict(model=dict(type="HFZeroShotDetector", pretrained=..., classes=[...]))` makes its
    boxes the pseudo labels of a student. The score of a class is the mean probability of the tokens
    of its name, as in MMDetection. Names that do not fit in one text are asked one text after the
    other. It has no losses: it cannot be the student. Needs the extra `hf`.

    What was run: a small random model on a CPU, as the teacher of a RetinaNet. Not run: published
    weights.

    Args:
        classes: Names, in words that the model may know: "traffic light", not "tl".
        pretrained: Folder that `from_pretrained` reads, or a name on the hub, such as
            "IDEA-Research/grounding-dino-tiny".
        config: `dict(model_type="grounding-dino", ...)`; with `pretrained`, that of its
            architecture, without, of random weights.
        tokenizer: Folder or name of the tokenizer; None: that of `pretrained`.
        max_per_img: Predictions of an image, at most.
        score_thr: Lowest score of a prediction.
        nms: IoU above which a lower prediction of the same class is a duplicate.
    """

    honors_weights = True

    def __init__(
        self,
        classes: Sequence[str],
        *,
        pretrained: str | None = None,
        config: Mapping[str, Any] | None = None,
        tokenizer: str | None = None,
        max_per_img: int = 300,
        score_thr: float = 0.05,
        nms: float | None = 0.7,
        data_preprocessor: Any = None,
        train_cfg: Any = None,
        test_cfg: Any = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        name = type(self).__name__
        self.classes, self.num_classes = list(classes), len(classes)
        self.pretrained = pretrained
        self.limits = Limits(name, max_per_img, score_thr, nms)
        found = model_config(name, pretrained, config)
        if found.model_type not in KINDS:
            raise UsageError(f"{name}: {found.model_type!r} is not one of {list(KINDS)}")
        if tokenizer is None and pretrained is None:
            raise UsageError(f"{name}: give tokenizer=<folder or name on the hub> beside config")
        self.tokenizer = str(tokenizer or pretrained)
        self._prompts: list[Prompt] = []
        self.network: Any = transformers().AutoModelForZeroShotObjectDetection.from_config(found)

    @property
    def prompts(self) -> list[Prompt]:
        """The classes as texts; the tokenizer is read when they are first needed."""
        if not self._prompts:
            with named_errors(type(self).__name__, self.tokenizer):
                words = transformers().AutoTokenizer.from_pretrained(self.tokenizer)
            self._prompts = prompts_of(words, self.classes, self.network.config.max_text_len)
        return self._prompts

    def init_weights(self) -> None:
        """Read the published weights, if there are any, and the tokenizer."""
        _ = self.prompts  # a training begins: not after an hour
        if self.pretrained is not None:
            self.read_published()

    def read_published(self) -> Tensor:
        """Read the published weights; return the sha256 of their file (32 bytes)."""
        _ = self.prompts
        name = type(self).__name__
        if self.pretrained is None:
            raise UsageError(f"{name}: has no published weights: give pretrained=<folder or name>")
        read_pretrained(name, self.network, self.pretrained)
        return published_sha256(name, self.pretrained)

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[Any]) -> dict[str, Any]:
        """It has none."""
        raise UsageError(
            "HFZeroShotDetector: learns nothing from boxes; it is a teacher: "
            "teacher=dict(model=dict(type='HFZeroShotDetector', ...)) beside detector=<student>"
        )

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: list[Any], rescale: bool = True
    ) -> list[DetDataSample]:
        """The most probable boxes of each image."""
        scores, labels, boxes, queries = self._forward(batch_inputs, batch_data_samples)
        found = []
        for own, places, sample in zip(scores, boxes, batch_data_samples, strict=True):
            meta = sample.metainfo
            best = best_boxes(own, labels, places, queries, meta, self.limits)
            found.append(in_original_frame(best, meta) if rescale else best)
        return self.add_pred_to_datasample(batch_data_samples, found)

    def extract_feat(self, batch_inputs: Tensor) -> Any:
        """It has no maps that a hook could use."""
        raise TypeError("HFZeroShotDetector: has no feature maps to give away")

    def _forward(self, batch_inputs: Tensor, batch_data_samples: Any = None) -> Any:
        """Scores (B, N), classes (N,), boxes (B, Q, 4) in pixels, and the query of each (N,)."""
        config = self.network.config
        strides = [8 * 2**level for level in range(config.num_feature_levels)]
        batch_inputs = large_enough(batch_inputs, strides, config.num_queries)
        mask = pixel_mask(batch_inputs, batch_data_samples)
        # Its boxes are shares of each image, since the mask says where that ends.
        width, height = (mask.amax(dim).sum(-1) for dim in (1, 2))
        size = torch.stack([width, height] * 2, -1)[:, None].to(torch.float32)
        scores, labels, boxes, queries = [], [], [], []
        first_class = first_query = 0
        for prompt in self.prompts:
            ids = prompt.ids.to(batch_inputs.device).expand(len(batch_inputs), -1)
            output = self.network(pixel_values=batch_inputs, input_ids=ids, pixel_mask=mask)
            tokens = output.logits.float().sigmoid()
            own = torch.stack([tokens[..., a:b].mean(-1) for a, b in prompt.spans], -1)
            query, label = own.new_ones(own.shape[1:], dtype=torch.long).nonzero().unbind(1)
            scores.append(own.flatten(1))
            labels.append(label + first_class)
            queries.append(query + first_query)
            boxes.append(corners(output.pred_boxes.float()) * size)
            first_class += len(prompt.spans)
            first_query += own.shape[1]
        return torch.cat(scores, 1), torch.cat(labels), torch.cat(boxes, 1), torch.cat(queries)


def prompts_of(tokenizer: Any, classes: Sequence[str], longest: int) -> list[Prompt]:
    """The classes as texts of no more than `longest` tokens, and where each name stands.

    A full stop ends a name, so one within a name is left out.
    """
    stop = tokenizer.convert_tokens_to_ids(".")
    found: list[Prompt] = []
    ids: list[int] = []
    spans: list[tuple[int, int]] = []

    def finish() -> None:
        tokens = [tokenizer.cls_token_id, *ids, tokenizer.sep_token_id]
        found.append(Prompt(torch.tensor(tokens), tuple(spans)))
        ids.clear()
        spans.clear()

    for name in classes:
        words = str(name).lower().replace(".", " ").replace("_", " ")
        own = tokenizer(words, add_special_tokens=False)["input_ids"]
        if not own or len(own) + 3 > longest:
            raise UsageError(
                f"HFZeroShotDetector: classes: {name!r} makes {len(own)} tokens; a name has 1 to "
                f"{longest - 3}"
            )
        if len(ids) + len(own) + 3 > longest:
            finish()
        start = len(ids) + 1
        spans.append((start, start + len(own)))
        ids += [*own, stop]
    if spans:
        finish()
    return found
