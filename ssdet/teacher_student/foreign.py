"""A teacher of another kind than the student: another family, input, class list; frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mmcv
import torch
import torch.nn.functional as F
from mmcv.ops import batched_nms
from mmengine.model import stack_batch
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..exits import UsageError
from .by_reference import ByReference
from .class_map import class_map
from .foreign_parts import form_of, normalization_between, padding_of, read_weights
from .heads import count_classes, last_decode_head
from .pixel_weights import matches_masks
from .step import Views

SAME = 0.6  # IoU from which two boxes are one, where several of the teacher's classes became one


class ForeignTeacher(ByReference):
    """A frozen model of another config, which answers in the frame and the classes of the student.

    What it is given is normalized for the student: that is undone, the images are resized, and
    normalized and padded for the teacher. Its boxes and maps come back in the student's view.

    Its weights come from a file, or from what is published under a name, where the model itself
    reads all of its weights from there (`read_published`). Checkpoints of the run do not hold them;
    see `ByReference`.

    Args:
        network: The model, built.
        student: The student, of which the form of the output and the number of classes are taken.
        pixels: The student's data preprocessor.
        num_classes: The student's number of classes.
        checkpoint: The weights: a file, an address, or the checkpoint of a run of ssdet (of which
            it takes the teacher). None: those that the model's own config loads, which are put
            into every checkpoint unless the model has `read_published`.
        classes: Names of the teacher's classes; None: those in the checkpoint, or its own.
        student_classes: Names of the student's. Both can be left out where the lists are the same.
        class_map: Teacher's name -> student's name, where the two differ; see `class_map`.
        scale: A factor on the sides of the view, or (long, short) sides that the image must fit
            in, as in MMDetection's `Resize`.
        keep_weights: Put the weights into every checkpoint.
    """

    part = "network"
    found = ("places", "sha256")
    gain: Tensor
    shift: Tensor
    places: Tensor

    def __init__(
        self,
        network: nn.Module,
        student: nn.Module,
        pixels: Any,
        num_classes: int,
        *,
        checkpoint: str | None = None,
        classes: Sequence[str] | None = None,
        student_classes: Sequence[str] | None = None,
        class_map: Mapping[str, str] | None = None,
        scale: float | Sequence[int] = 1.0,
        keep_weights: bool = False,
    ) -> None:
        super().__init__()
        self.network: Any = network.requires_grad_(False).eval()
        self.segments = hasattr(student, "decode_head")
        self.as_scores = self.segments and matches_masks(last_decode_head(student))
        self.num_classes, self.classes, self.student_classes = num_classes, classes, student_classes
        self.renamed, self.checkpoint = class_map, checkpoint
        self.scale = scale if isinstance(scale, (int, float)) else tuple(scale)
        own = getattr(network, "data_preprocessor", None)
        gain, shift, self.flips = normalization_between(pixels, own)
        self.divisor, self.pad_value = padding_of(own)
        self.register_buffer("gain", gain, persistent=False)
        self.register_buffer("shift", shift, persistent=False)
        # The student's class of each of its classes.
        self.register_buffer("places", torch.full((self._own_classes(),), -1))
        published = getattr(network, "pretrained", None)
        source = checkpoint or (published if hasattr(network, "read_published") else None)
        self.refer_to(source, keep_weights=keep_weights, owner="teacher")

    # ------------------------------------------------------------------ weights

    def _read(self) -> None:
        """Read the weights and match the classes."""
        classes = self.classes or getattr(self.network, "classes", None)
        if self.checkpoint is not None:
            weights, names, digest = read_weights(self.checkpoint)
            classes = classes or names
            try:
                self.network.load_state_dict(weights)
            except RuntimeError as error:
                raise UsageError(
                    f"teacher: the weights in {self.checkpoint} do not fit its model: {error}"
                ) from None
            self.sha256.copy_(digest)
        elif self.source is not None:
            self.sha256.copy_(self.network.read_published())
        ours = self.student_classes
        for name, names, count in (
            ("classes", classes, len(self.places)),
            ("student_classes", ours, self.num_classes),
        ):
            if names is not None and len(names) != count:
                raise UsageError(
                    f"teacher: {len(names)} {name}, but the model has {count} classes: set {name}="
                    "[...] in teacher=dict(...) to all names, in the order of the labels"
                )
        found = class_map(classes or len(self.places), ours or self.num_classes, self.renamed)
        self.places.copy_(found)

    def init_weights(self) -> None:
        """A training begins: read the file now, and not after the burn-in."""
        if self.source is None and hasattr(self.network, "init_weights"):
            self.network.init_weights()
        self.ready()

    def _own_classes(self) -> int:
        if not self.segments:
            return count_classes(self.network)
        head = last_decode_head(self.network)
        return max(2, getattr(head, "out_channels", None) or head.num_classes)

    # ------------------------------------------------------------------ what the student asks

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = "tensor") -> Any:
        """As a detector or a segmentor; a loss it has not."""
        self.ready()
        if mode == "predict" and self.segments:
            metas = [sample.metainfo for sample in data_samples]
            return self.network.postprocess_result(self.inference(inputs, metas), data_samples)
        if mode == "predict":
            return self._boxes(inputs, data_samples)
        if data_samples is None:
            seen = self._resized(self._seen(inputs), self._size(inputs.shape[-2:]))
            return self.network(self._padded(seen), mode=mode)
        views = self.views(Views(inputs, list(data_samples)))
        return self.network(views.inputs, views.samples, mode=mode)

    def inference(self, inputs: Tensor, batch_img_metas: Sequence[Mapping[str, Any]]) -> Tensor:
        """Logits (B, C, H, W) of the student's classes, whose softmax are the probabilities.

        What the teacher gives to classes that the student does not have is spread evenly over all:
        it says nothing. (A student that matches masks gets probabilities, as its own are.)
        """
        self.ready()
        height, width = self._size(inputs.shape[-2:])
        seen = self._padded(self._resized(self._seen(inputs), (height, width)))
        whole = dict.fromkeys(("img_shape", "ori_shape", "pad_shape"), seen.shape[-2:])
        metas = [{**meta, **whole} for meta in batch_img_metas]
        logits = self.network.inference(seen, metas).float()[..., :height, :width]
        probabilities = self._probabilities(logits)
        if probabilities.shape[-2:] != inputs.shape[-2:]:
            probabilities = self._resized(probabilities, inputs.shape[-2:])
        mapped = self._mapped(probabilities)
        return mapped if self.as_scores else mapped.clamp_min(1e-30).log()

    def prompted(self, inputs: Tensor, prompts: Sequence[Any]) -> list[tuple[Tensor, Tensor]]:
        """What a model that has to be asked answers for each image of the student: its `masks_of`.

        Prompts and masks are in the frame of the student's view.
        """
        self.ready()
        return self.network.masks_of(self._seen(inputs), prompts)  # type: ignore[no-any-return]

    def views(self, views: Views) -> Views:
        """Views of the student as this teacher sees them, with its sizes in the metainfo."""
        images, samples = [], []
        for image, sample in zip(views.inputs, views.samples, strict=True):
            meta = dict(sample.metainfo)
            height, width = meta.get("img_shape", image.shape[-2:])[:2]
            new = self._size((height, width))
            images.append(self._resized(self._seen(image[None, :, :height, :width]), new)[0])
            across, down = meta.get("scale_factor", (1.0, 1.0))[:2]
            meta["scale_factor"] = (across * new[1] / width, down * new[0] / height)
            meta["img_shape"] = new
            samples.append(type(sample)(metainfo=meta))
        inputs = stack_batch(images, self.divisor, self.pad_value)
        for sample in samples:
            shape = tuple(inputs.shape[-2:])
            sample.set_metainfo(dict(batch_input_shape=shape, pad_shape=shape))
        return Views(inputs, samples)

    def differs(self, student: nn.Module) -> str:
        """Why its outputs have not the form of the student's; "" if they have."""
        self.ready()
        if not torch.equal(self.places.cpu(), torch.arange(self.num_classes)):
            return "its classes are not the student's"
        if self.scale != 1.0:
            return f"it sees the images in another size (scale={self.scale})"
        own, other = (form_of(each) for each in (self.network, student))
        return "" if own == other else f"its head is {own}, that of the student {other}"

    def _boxes(self, inputs: Tensor, samples: Sequence[Any]) -> Any:
        views = self.views(Views(inputs, list(samples)))
        found = self.network(views.inputs, views.samples, mode="predict")
        for sample, own in zip(samples, found, strict=True):
            sample.pred_instances = self._renumbered(own.pred_instances)
        return samples

    def _renumbered(self, found: InstanceData) -> InstanceData:
        """Boxes with the student's classes; of two that became one, the one with more score."""
        labels = self.places[found.labels.long()]
        known = labels >= 0
        found = found[known]
        found.labels = labels[known]
        several = self.places[self.places >= 0].unique(return_counts=True)[1]
        if bool((several > 1).any()) and len(found) and "bboxes" in found:
            _, kept = batched_nms(
                found.bboxes, found.scores, found.labels, dict(type="nms", iou_threshold=SAME)
            )
            found = found[kept]
        return found

    # ------------------------------------------------------------------ pixels

    def _seen(self, inputs: Tensor) -> Tensor:
        """Inputs of the student, normalized for the teacher."""
        inputs = inputs.flip(1) if self.flips else inputs
        if bool((self.gain == 1).all() and (self.shift == 0).all()):
            return inputs
        return inputs * self.gain + self.shift

    def _size(self, size: Sequence[int]) -> tuple[int, int]:
        if self.scale == 1.0:
            return int(size[0]), int(size[1])
        width, height = mmcv.rescale_size((int(size[1]), int(size[0])), self.scale)
        return height, width

    @staticmethod
    def _resized(images: Tensor, size: Sequence[int]) -> Tensor:
        if tuple(images.shape[-2:]) == tuple(size):
            return images
        smaller = size[0] < images.shape[-2]
        return F.interpolate(images, size=tuple(size), mode="bilinear", antialias=smaller)

    def _padded(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        right, below = -width % self.divisor, -height % self.divisor
        return F.pad(images, (0, right, 0, below), value=self.pad_value)

    def _probabilities(self, logits: Tensor) -> Tensor:
        """Of the teacher's classes, from its own kind of output."""
        if matches_masks(last_decode_head(self.network)):
            return logits / logits.sum(1, keepdim=True).clamp(min=1.0)
        if logits.shape[1] == 1:
            return torch.cat([(-logits).sigmoid(), logits.sigmoid()], dim=1)
        return logits.softmax(1)

    def _mapped(self, probabilities: Tensor) -> Tensor:
        size = list(probabilities.shape)
        size[1] = self.num_classes
        known = self.places >= 0
        mapped = probabilities.new_zeros(size)
        mapped.index_add_(1, self.places[known], probabilities[:, known])
        rest = (1.0 - mapped.sum(1, keepdim=True)).clamp(min=0.0)
        return mapped + rest / self.num_classes


def inner(network: Any) -> Any:
    """The model of MMDetection or MMSegmentation itself."""
    return network.network if isinstance(network, ForeignTeacher) else network
