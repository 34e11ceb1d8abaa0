"""Teacher and student as MMSegmentation segmentors: pseudo labels of pixels."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ..labels import IGNORE
from ..losses import Reduction, effective_weights
from ..registry import MODELS
from ..validation import check_choice
from .core import TeacherStudent
from .foreign import inner
from .geometry import between, warp
from .heads import last_decode_head, stages
from .pixel_scores import pixel_probabilities
from .pixel_weights import PixelWeights, matches_masks
from .recording import changed_results, recorded_input
from .step import PixelLabels, Step, Views


@MODELS.register_module()
class TeacherStudentSegmentor(TeacherStudent):
    """Semi-supervised training of any MMSegmentation segmentor.

    The teacher gives each pixel of the weak view its most probable class as label and that
    probability as score. Padding is not valid: it has the label 255 and the score 0, and
    counts in no loss and no statistic. Pseudo labels are classes of the model; MMSegmentation's
    `reduce_zero_label` concerns labels in files and never touches them.

    Args:
        segmentor: Config of the segmentor.
        reduction: The mean over pixels in the unsupervised losses: "valid", "kept" or "image"; see
            `ssdet.losses.pixels`.
        **core: See `TeacherStudent`.
    """

    scope = "mmseg"

    def __init__(
        self, segmentor: dict[str, Any], *, reduction: Reduction = "valid", **core: Any
    ) -> None:
        name = type(self).__name__
        check_choice(name, "reduction", reduction, Reduction)
        super().__init__(segmentor, **core)
        if not hasattr(self.student, "decode_head"):
            raise TypeError(
                f"{name}: {type(self.student).__name__} has no decode head; `segmentor` must be "
                "the config of a model of MMSegmentation such as EncoderDecoder"
            )
        self.reduction = reduction
        extra_labels = [m for m in self.auxiliary.values() if hasattr(m, "decode_head")]
        self.pixel_weights = {n: PixelWeights(n, reduction) for n in (self.student, *extra_labels)}
        for part in dict.fromkeys(p for w in self.pixel_weights.values() for p in w.weightless):
            print_log(
                f"{name}: {part} does not support weights of pixels and uses weight 1; it ignores "
                "pixels that are not trained on (label 255)",
                logger="current",
                level=30,
            )

    @property
    def num_classes(self) -> int:
        """Number of classes of the decode head, the background among them."""
        head = self._head
        return max(2, getattr(head, "out_channels", None) or head.num_classes)

    def label(
        self,
        views: Views,
        network: nn.Module | None = None,
        needs: Collection[str] | None = None,
    ) -> PixelLabels:
        """Label and score of each pixel, in the frame of the padded weak views."""
        size = views.inputs.shape[-2:]
        # The view is the whole image: nothing is cut off, flipped back or rescaled.
        metas = [{"img_shape": size, "ori_shape": size} for _ in views.samples]
        model: Any = network or self.teacher
        logits = model.inference(views.inputs, metas)
        labels, scores = self._classify(logits)
        valid = _valid(views) & scores.isfinite()
        wanted = {"soft", "soft_targets"} & set(self.needs if needs is None else needs)
        soft = self.probabilities(logits) if wanted else None
        return _masked(PixelLabels(labels, scores, torch.ones_like(scores), valid, soft))

    def transfer(self, step: Step) -> dict[str, PixelLabels]:
        """Pseudo labels as they appear in each strong view."""
        self._log(step)
        if "soft_targets" not in self.needs:
            step.pseudo_pixels.soft = None  # no hook needs maps of all classes
        return {
            name: self._to_view(step.pseudo_pixels, step.weak_views.samples, views)
            for name, views in step.strong.items()
        }

    def targets_empty(self, targets: PixelLabels) -> bool:
        """No valid pixel of a weight above 0."""
        return not bool((targets.valid & (targets.weights > 0)).any())

    def student_losses(
        self, views: Views, targets: PixelLabels, network: nn.Module | None = None
    ) -> dict[str, Any]:
        """The segmentor's own losses, with the weights of the pixels in their means."""
        trained = effective_weights(targets.weights, targets.valid, self.reduction) > 0
        maps = targets.labels.where(trained, self._ignore_index)
        samples = [
            SegDataSample(
                metainfo={**sample.metainfo, "pad_shape": tuple(one.shape)},
                gt_sem_seg=PixelData(data=one[None]),
            )
            for sample, one in zip(views.samples, maps, strict=True)
        ]
        network = network or self.student
        with self.pixel_weights[network].of(targets):
            return network(views.inputs, samples, mode="loss")

    def forward_outputs(self, views: Views, network: nn.Module | None = None) -> Tensor:
        """The logits of the student, or of another network, on a view."""
        model: Any = network or self.student
        found: list[Tensor]
        with self.recorded_outputs(model) as found:
            model(views.inputs, views.samples, mode="tensor")
        return found[-1]

    @contextmanager
    def recorded_outputs(self, network: nn.Module) -> Iterator[list[Any]]:
        """Within the context, the logits of a network are appended for each pass."""
        head = last_decode_head(inner(network))
        found: list[Any] = []

        def keep(logits: Any, *_: Any) -> Any:
            if not isinstance(logits, Tensor):
                raise TypeError(
                    f"{type(head).__name__} gives several outputs at once; hooks that read the "
                    "logits of a network need a head that gives one map of logits."
                )
            found.append(logits)
            return logits

        with changed_results(head, "forward", keep):
            yield found

    @contextmanager
    def recorded_pixels(self, network: nn.Module) -> Iterator[list[Tensor]]:
        """Within the context, the input of the head's `conv_seg` is appended for each pass."""
        head = last_decode_head(inner(network))
        found: list[Tensor] = []
        layer = getattr(head, "conv_seg", None)
        if layer is None:
            raise TypeError(
                f"{type(head).__name__} does not end in a projection `conv_seg`, so there are "
                "no features of pixels for a hook to use. Choose another decode head."
            )
        with recorded_input(layer, found.append):
            yield found

    def joint_heads(self) -> list[nn.Module]:
        """Decode and auxiliary heads; heads that match masks process each view separately."""
        found: list[nn.Module] = []
        for name in ("decode_head", "auxiliary_head"):
            heads = stages(getattr(self.student, name, None))
            # The heads of a cascade use each other's results.
            found += heads if name == "auxiliary_head" or len(heads) == 1 else []
        return [head for head in found if not matches_masks(head)]

    @property
    def _head(self) -> Any:
        """The student's decode head, which has the form of its labels and of its teacher's."""
        return last_decode_head(self.student)

    @property
    def _ignore_index(self) -> int:
        own = getattr(self._head, "ignore_index", None)
        return IGNORE if own is None else own

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities (B, C, H, W) from the output of a segmentor, in float32.

        One channel becomes two: the background and the object.
        """
        return pixel_probabilities(logits, masks=matches_masks(self._head))

    def _classify(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Labels and scores; no map of all classes is made for them."""
        logits = logits.float()
        if matches_masks(self._head):
            scores, labels = logits.max(1)
            return labels, scores / logits.sum(1).clamp(min=1.0)
        if logits.shape[1] == 1:
            probability = logits[:, 0].sigmoid()
            positive = probability > self._head.threshold
            return positive.long(), probability.where(positive, 1 - probability)
        highest, labels = logits.max(1)
        return labels, (highest - logits.logsumexp(1)).exp()

    @staticmethod
    def _to_view(pseudo: PixelLabels, weak: list[Any], views: Views) -> PixelLabels:
        pairs = zip(weak, views.samples, strict=True)
        matrices = [between(source, target) for source, target in pairs]
        moved = _warped(pseudo, matrices, views.inputs.shape[-2:])
        moved.valid &= _valid(views)
        return _masked(moved)

    @staticmethod
    def _log(step: Step) -> None:
        pseudo = step.pseudo_pixels
        kept = pseudo.valid & (pseudo.weights > 0)
        step.count("pseudo/kept", kept.sum() / pseudo.valid.sum().clamp(min=1))
        if kept.any():
            step.count("pseudo/score", pseudo.scores[kept].mean())


def _valid(views: Views) -> Tensor:
    """Where a view shows its image: not the padding of the batch, nor that of its pipeline.

    A batch is padded beyond the `img_shape` that the preprocessor records. A pipeline that pads
    crops marks it by 255 in the (otherwise empty) `gt_sem_seg` of its unlabeled samples.
    """
    size = views.inputs.shape[-2:]
    valid = torch.zeros(len(views.samples), *size, dtype=torch.bool, device=views.inputs.device)
    for own, sample in zip(valid, views.samples, strict=True):
        height, width = sample.metainfo.get("img_shape", size)[:2]
        own[:height, :width] = True
        if "gt_sem_seg" in sample:
            marks = sample.gt_sem_seg.data[0]
            own[: marks.shape[0], : marks.shape[1]] &= marks.to(own.device) != IGNORE
    return valid


def _masked(pixels: PixelLabels) -> PixelLabels:
    """Pixels that are not valid get the label 255, the score 0 and the weight 0."""
    valid = pixels.valid
    extra_labels = pixels.extra_labels
    return PixelLabels(
        pixels.labels.where(valid, IGNORE),
        pixels.scores.where(valid, 0.0),
        pixels.weights.where(valid, 0.0),
        valid,
        None if pixels.soft is None else pixels.soft.where(valid[:, None], 0.0),
        None if extra_labels is None else extra_labels.where(valid[:, None], IGNORE),
    )


def _warped(pseudo: PixelLabels, matrices: list[Any], size: torch.Size) -> PixelLabels:
    """Each image's labels seen from another view; nearest pixel, so that all fields stay one."""
    fields = (pseudo.labels, pseudo.scores, pseudo.weights, pseudo.valid)
    optional = [field.float() for field in (pseudo.soft, pseudo.extra_labels) if field is not None]
    stacked = torch.cat([torch.stack([field.float() for field in fields], dim=1), *optional], dim=1)
    moved = [warp(maps, matrix, size) for maps, matrix in zip(stacked, matrices, strict=True)]
    maps = torch.stack([each for each, _ in moved])
    inside = torch.stack([mask for _, mask in moved])
    labels, scores, weights, valid = maps[:, :4].unbind(1)
    classes = 0 if pseudo.soft is None else pseudo.soft.shape[1]
    soft = maps[:, 4 : 4 + classes] if pseudo.soft is not None else None
    extra_labels = maps[:, 4 + classes :].long() if pseudo.extra_labels is not None else None
    return PixelLabels(labels.long(), scores, weights, (valid > 0) & inside, soft, extra_labels)
