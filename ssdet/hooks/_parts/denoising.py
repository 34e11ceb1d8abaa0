"""Denoising queries of a DETR of any library: their content, and what is decoded of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.detectors import DINO
from torch import Tensor

from ...models.hf_criterion import TARGETS
from ...models.hf_detector import HFDetector
from ...teacher_student.recording import replaced


@dataclass(frozen=True)
class Decoded:
    """What the last layer of a decoder makes of denoising queries.

    Attributes:
        hidden: (B, G, 2, M, D): G groups, noisy boxes and places beside them, M boxes at most.
        labels: Classes (N,) of the boxes of each image.
        weights: Their classification weights (N,).
    """

    hidden: Tensor
    labels: Sequence[Tensor]
    weights: Sequence[Tensor]


def check_denoising(owner: str, student: Any) -> int:
    """How wide its queries are; refuse a student without denoising queries of classes."""
    if isinstance(student, HFDetector):
        if hasattr(getattr(student.network, "model", None), "denoising_class_embed"):
            return int(student.network.config.d_model)
    else:
        parts = ("pre_decoder", "forward_decoder")
        if all(getattr(type(student), part, None) is getattr(DINO, part) for part in parts):
            return int(student.embed_dims)
    kind = student.kind if isinstance(student, HFDetector) else type(student).__name__
    raise TypeError(
        f"{owner}: writes the names of classes into denoising queries (DINO, RT-DETR, D-FINE), "
        f"and a {kind} has none. Take it out of custom_hooks, or use another detector."
    )


def with_texts(student: Any, texts: Tensor) -> AbstractContextManager[None]:
    """Within the context a vector of its (noisy) class is added to each denoising query."""
    if isinstance(student, HFDetector):
        embedding = student.network.model.denoising_class_embed
    else:
        embedding = student.dn_query_generator.label_embedding
    rows = F.pad(texts, (0, 0, 0, embedding.num_embeddings - len(texts)))  # one for no class

    def make(embed: Any) -> Any:
        return lambda labels: (own := embed(labels)) + rows[labels].to(own)

    return replaced(embedding, "forward", make)


@contextmanager
def decoded(student: Any) -> Iterator[list[Decoded]]:
    """Within the context, what the decoder makes of denoising queries is appended, if there are."""
    found: list[Decoded] = []
    if isinstance(student, HFDetector):

        def keep(_: Any, __: Any, given: Mapping[str, Any], outputs: Any) -> None:
            meta = outputs.denoising_meta_values
            if meta:
                targets = [label[TARGETS] for label in given["labels"]]
                hidden = outputs.last_hidden_state[:, : meta["dn_num_split"][0]]
                labels = [one.labels for one in targets], [one.cls_weight for one in targets]
                found.append(Decoded(_grouped(hidden, meta["dn_num_group"]), *labels))

        handle = student.network.model.register_forward_hook(keep, with_kwargs=True)
        try:
            yield found
        finally:
            handle.remove()
        return
    with _decoded_by_dino(student, found):
        yield found


@contextmanager
def _decoded_by_dino(student: Any, found: list[Decoded]) -> Iterator[None]:
    noted: dict[str, Any] = {}

    def note(prepare: Any) -> Any:
        def prepared(*args: Any, batch_data_samples: Any = None, **given: Any) -> Any:
            inputs, outputs = prepare(*args, batch_data_samples=batch_data_samples, **given)
            noted.update(meta=outputs.get("dn_meta"), samples=batch_data_samples)
            return inputs, outputs

        return prepared

    def keep(decode: Any) -> Any:
        def done(*args: Any, **given: Any) -> Any:
            outputs, meta = decode(*args, **given), noted.pop("meta", None)
            count = meta["num_denoising_queries"] if meta else 0
            if count:
                hidden = outputs["hidden_states"][-1]
                # Queries that other hooks add come first; the detector's own are the last.
                first = hidden.shape[1] - student.num_queries - count
                hidden = hidden[:, first : first + count]
                boxes = [sample.gt_instances for sample in noted["samples"]]
                labels = [one.labels for one in boxes]
                weights = [
                    one.get("weight_cls", torch.ones_like(own, dtype=torch.float32))
                    for one, own in zip(boxes, labels, strict=True)
                ]
                groups = meta["num_denoising_groups"]
                found.append(Decoded(_grouped(hidden, groups), labels, weights))
            return outputs

        return done

    with replaced(student, "pre_decoder", note), replaced(student, "forward_decoder", keep):
        yield


def _grouped(hidden: Tensor, groups: int) -> Tensor:
    """(B, 2 G M, D) -> (B, G, 2, M, D)."""
    return hidden.unflatten(1, (groups, 2, -1))
