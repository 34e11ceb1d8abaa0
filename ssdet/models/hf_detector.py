"""Detectors of Hugging Face `transformers` as detectors of MMDetection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from ..exits import UsageError
from ..losses.set_prediction import corners
from ..registry import MODELS
from ..teacher_student.weights.sets import box_targets
from .hf_boxes import Limits, best_boxes, in_original_frame
from .hf_criterion import GROUPED, SEES_PADDING, SOFTMAX, STRIDE_32, TARGETS, HFCriterion
from .hf_loading import labels_of, model_config, read_pretrained, transformers
from .hf_padding import MULTIPLE, fitted, pixel_mask, window_multiple
from .unused import freeze_unused


@MODELS.register_module()
class HFDetector(BaseDetector):
    """RT-DETR (v1, v2), D-FINE, RF-DETR, LW-DETR, Deformable DETR, DETR, YOLOS of `transformers`.

    The forward pass is the library's, the losses are ours (`HFCriterion`), so that weights of
    boxes, regions to ignore, the weight of the background and soft labels count; for plain labels
    they are the library's. Needs the extra `hf`: `pip install 'ssdet[hf]'`, and no torchvision.

    What was run: forward, losses, gradients, export and training of each of these as student and
    teacher, with small random models on a CPU, transformers 5.24; which of them on two processes
    and in bfloat16: docs/families.md. Not run: published weights. D-FINE's losses are those of the
    package, which differ from its authors' (the last layer learns no distributions). RF-DETR and
    LW-DETR learn with `group_detr` groups of queries, each of which is matched with all boxes, and
    predict with the first; of RF-DETR the detector is meant, not its variant with masks. A soft
    label is a field `soft_labels` (N, classes) of the boxes.

    Args:
        num_classes: Number of classes.
        pretrained: Folder that `from_pretrained` reads, or a name on the hub, such as
            "PekingU/rtdetr_v2_r18vd". Its class layers are drawn anew where the number differs.
        config: `dict(model_type="rt_detr_v2", ...)`. With `pretrained`, that of its architecture,
            so that no network is needed to build it; without, of random weights.
        classes: Names, which `save_pretrained` writes.
        auxiliary_loss: Every decoder layer learns; transformers leaves that out for DETR, YOLOS
            and Deformable DETR, whose authors do it.
        max_per_img: Predictions of an image, at most.
        score_thr: Lowest score of a prediction.
        nms: IoU above which a lower prediction of the same class is a duplicate; None: these
            models need no suppression once they are trained.
    """

    honors_weights = True

    def __init__(
        self,
        num_classes: int,
        *,
        pretrained: str | None = None,
        config: Mapping[str, Any] | None = None,
        classes: Sequence[str] | None = None,
        auxiliary_loss: bool = True,
        max_per_img: int = 300,
        score_thr: float = 0.0,
        nms: float | None = None,
        data_preprocessor: Any = None,
        train_cfg: Any = None,
        test_cfg: Any = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        name = type(self).__name__
        if classes is not None and len(classes) != num_classes:
            raise UsageError(f"{name}: {len(classes)} classes, but num_classes={num_classes}")
        self.num_classes, self.pretrained = num_classes, pretrained
        self.limits = Limits(name, max_per_img, score_thr, nms)
        labels = labels_of(classes, num_classes)
        found = model_config(name, pretrained, config, auxiliary_loss=auxiliary_loss, **labels)
        if found.model_type == "yolos":  # it has no decoder layers
            found.auxiliary_loss = False
        criterion = HFCriterion(found)
        self.network: Any = transformers().AutoModelForObjectDetection.from_config(found)
        self.network.loss_function = criterion
        if found.model_type in GROUPED:
            encoder, side = self.network.model.backbone.backbone, window_multiple(found)
            image = torch.zeros(1, encoder.config.num_channels, side, side)
            freeze_unused(encoder, lambda: encoder(image).feature_maps)

    @property
    def kind(self) -> str:
        """The model type of transformers."""
        return str(self.network.config.model_type)

    def init_weights(self) -> None:
        """Read the published weights, if there are any; layers for other classes stay random."""
        if self.pretrained is not None:
            read_pretrained(type(self).__name__, self.network, self.pretrained)

    def save_pretrained(self, folder: str | Path, classes: Sequence[str] | None = None) -> None:
        """A folder that `AutoModelForObjectDetection.from_pretrained` reads."""
        if classes is not None:
            for key, value in labels_of(classes, self.num_classes).items():
                setattr(self.network.config, key, value)
        self.network.save_pretrained(str(folder))

    # ------------------------------------------------------------------ what a detector does

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[Any]) -> dict[str, Any]:
        """Losses of all layers; see `HFCriterion`."""
        batch_inputs = fitted(batch_inputs, self.network.config)
        labels = [self._labels(sample, batch_inputs) for sample in batch_data_samples]
        output = self._run(batch_inputs, batch_data_samples, labels=labels)
        losses: dict[str, Any] = dict(output.loss_dict)
        # Without a box there is no denoising query, and processes wait for every parameter.
        rest = [p.sum() for n, p in self.network.named_parameters() if "denoising" in n]
        if rest:
            losses["loss_cls"] = losses["loss_cls"] + torch.stack(rest).sum() * 0.0
        return losses

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: list[Any], rescale: bool = True
    ) -> list[DetDataSample]:
        """The most probable boxes of each image."""
        batch_inputs = fitted(batch_inputs, self.network.config)
        output = self._run(batch_inputs, batch_data_samples)
        found = []
        for logits, boxes, sample in zip(
            output.logits, output.pred_boxes, batch_data_samples, strict=True
        ):
            height, width = self._frame(sample, batch_inputs)
            places = boxes.float() * boxes.new_tensor([width, height] * 2, dtype=torch.float32)
            found.append(self._boxes(logits.float(), places, sample.metainfo, rescale))
        return self.add_pred_to_datasample(batch_data_samples, found)

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """The maps of the backbone, where the model has one of its own."""
        backbone = getattr(getattr(self.network, "model", None), "backbone", None)
        if backbone is None:
            raise TypeError(f"HFDetector: a {self.kind} has no backbone with feature maps")
        if self.kind in GROUPED:
            batch_inputs = fitted(batch_inputs, self.network.config)
        mask = torch.ones_like(batch_inputs[:, 0], dtype=torch.long)
        found = backbone(batch_inputs, mask)
        if self.kind == "rf_detr":  # it has one map, and its mask
            return (found[0],)
        found = found[0] if isinstance(found, tuple) and isinstance(found[0], list) else found
        return tuple(one[0] if isinstance(one, tuple) else one for one in found)

    def _forward(self, batch_inputs: Tensor, batch_data_samples: Any = None) -> Any:
        output = self._run(fitted(batch_inputs, self.network.config), batch_data_samples)
        return output.logits, output.pred_boxes

    def queries(self, inputs: Tensor, samples: Sequence[Any]) -> tuple[Tensor, Tensor]:
        """Logits (B, Q, K) of the last layer, and its boxes (B, Q, 4) as shares of each image."""
        inputs = fitted(inputs, self.network.config)
        output = self._run(inputs, samples)
        scales = []
        for sample in samples:
            height, width = self._frame(sample, inputs)
            own = sample.metainfo["img_shape"]
            scales.append([width / own[1], height / own[0]] * 2)
        return output.logits, output.pred_boxes * output.pred_boxes.new_tensor(scales)[:, None]

    # ------------------------------------------------------------------ to and from the library

    def _run(self, inputs: Tensor, samples: Any, **labels: Any) -> Any:
        height, width = inputs.shape[-2:]
        if self.kind in STRIDE_32 and (height % MULTIPLE or width % MULTIPLE):
            raise UsageError(
                f"HFDetector: a {self.kind} needs sides that are multiples of {MULTIPLE}, and this "
                f"batch is {height} x {width}. Set pad_size_divisor={MULTIPLE} in data_preprocessor"
            )
        given = dict(pixel_values=inputs, **labels)
        if self.kind != "yolos":
            given["pixel_mask"] = pixel_mask(inputs, samples)
        return self.network(**given)

    def _frame(self, sample: Any, inputs: Tensor) -> tuple[int, int]:
        """Height and width of which the boxes of an image are shares.

        A model that is told where the padding is counts places from edge to edge of the image, and
        cannot know how large the batch is; the others see the batch alone.
        """
        shape = sample.metainfo["img_shape"] if self.kind in SEES_PADDING else inputs.shape[-2:]
        return int(shape[0]), int(shape[1])

    def _labels(self, sample: Any, inputs: Tensor) -> dict[str, Any]:
        """The boxes of a sample as shares of its frame, with what counts beside them."""
        targets = box_targets(sample.gt_instances, self._frame(sample, inputs), inputs)
        return {"class_labels": targets.labels, "boxes": targets.boxes, TARGETS: targets}

    def _boxes(
        self, logits: Tensor, boxes: Tensor, meta: Mapping[str, Any], rescale: bool
    ) -> InstanceData:
        if self.kind in SOFTMAX:
            scores, labels = logits.softmax(-1)[..., :-1].max(-1)
            query = torch.arange(len(scores), device=scores.device)
        else:
            scores = logits.sigmoid().flatten()
            place = torch.arange(len(scores), device=scores.device)
            labels, query = place % self.num_classes, place // self.num_classes
        # A query that has several classes is one box of each.
        found = best_boxes(scores, labels, corners(boxes), query, meta, self.limits)
        return in_original_frame(found, meta) if rescale else found
