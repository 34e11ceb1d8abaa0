"""Segmentors of Hugging Face `transformers` as segmentors of MMSegmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict
from mmseg.models import BaseSegmentor, EncoderDecoder
from torch import Tensor

from ..exits import UsageError
from ..labels import IGNORE
from ..registry import MODELS
from .hf_heads import HFMaskHead, HFPixelHead
from .hf_loading import labels_of, model_config, read_pretrained, transformers

PIXELS = ("segformer",)
MASKS = ("mask2former", "eomt", "eomt_dinov3")  # queries, matched to the masks of classes


@MODELS.register_module()
class HFSegmentor(EncoderDecoder):
    """SegFormer, Mask2Former and EoMT (on DINOv2 or DINOv3) of `transformers`.

    The forward pass is the library's, the losses are ours, so that weights of pixels and pixels to
    ignore count, in those of Mask2Former and EoMT too. Where every pixel has a label and the
    weight 1 they are the library's. Needs the extra `hf`: `pip install 'ssdet[hf]'`.

    What was run: forward, losses, gradients, export and training of each of these as student and
    teacher, with small random models on a CPU, transformers 5.24; which of them on two processes
    and in bfloat16: docs/families.md. Not run: published weights.

    An EoMT takes images of one size, `image_size` of its config: crop to it, and set `test_cfg=
    dict(mode="slide", crop_size=..., stride=...)`. Features of its backbone, and of Mask2Former's,
    are not apart from the rest, so hooks that change them are refused.

    Args:
        num_classes: Number of classes, the background among them.
        pretrained: Folder that `from_pretrained` reads, or a name on the hub, such as
            "nvidia/segformer-b0-finetuned-ade-512-512". Class layers are drawn anew where the
            number differs.
        config: `dict(model_type="segformer", ...)`. With `pretrained`, that of its architecture,
            so that no network is needed to build it; without, of random weights.
        classes: Names, which `save_pretrained` writes.
        ignore_index: Label of the pixels that no loss sees.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        pretrained: str | None = None,
        config: Mapping[str, Any] | None = None,
        classes: Sequence[str] | None = None,
        ignore_index: int = IGNORE,
        data_preprocessor: Any = None,
        train_cfg: Any = None,
        test_cfg: Any = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        BaseSegmentor.__init__(self, data_preprocessor, init_cfg)
        name = type(self).__name__
        if num_classes < 2:
            raise UsageError(f"{name}: num_classes={num_classes}; the background is one of them")
        if classes is not None and len(classes) != num_classes:
            raise UsageError(f"{name}: {len(classes)} classes, but num_classes={num_classes}")
        found = model_config(name, pretrained, config, **labels_of(classes, num_classes))
        if found.model_type not in (*PIXELS, *MASKS):
            raise UsageError(
                f"{name}: {found.model_type!r} is not one of {[*PIXELS, *MASKS]}, whose losses are "
                "known"
            )
        self.pretrained = pretrained
        self.train_cfg, self.test_cfg = train_cfg, ConfigDict(test_cfg or dict(mode="whole"))
        auto: Any = transformers()
        if found.model_type in PIXELS:
            self.network: Any = auto.AutoModelForSemanticSegmentation.from_config(found)
            self.decode_head: Any = HFPixelHead(
                self.network.decode_head, num_classes, ignore_index=ignore_index
            )
        else:
            self.network = auto.AutoModelForUniversalSegmentation.from_config(found)
            self.decode_head = HFMaskHead(found, num_classes, ignore_index=ignore_index)
        for key, parameter in self.network.named_parameters():
            if ".encoder.swin.layernorm." in key:  # no map passes it, and processes would wait
                parameter.requires_grad_(False)
        self.align_corners, self.num_classes, self.out_channels = False, num_classes, num_classes

    @property
    def kind(self) -> str:
        """The model type of transformers."""
        return str(self.network.config.model_type)

    @property
    def has_features(self) -> bool:
        """Whether `extract_feat` gives maps of a backbone, which hooks may change."""
        return self.kind in PIXELS

    def init_weights(self) -> None:
        """Read the published weights, if there are any; layers for other classes stay random."""
        if self.pretrained is not None:
            read_pretrained(type(self).__name__, self.network, self.pretrained)

    def save_pretrained(self, folder: str | Path, classes: Sequence[str] | None = None) -> None:
        """A folder that the `from_pretrained` of its class in transformers reads."""
        if classes is not None:
            for key, value in labels_of(classes, self.num_classes).items():
                setattr(self.network.config, key, value)
        self.network.save_pretrained(str(folder))

    def extract_feat(self, inputs: Tensor) -> Any:
        """Maps of the backbone; of models with queries, classes and masks of all layers."""
        if self.kind in PIXELS:
            return list(self.network.segformer(inputs, output_hidden_states=True).hidden_states)
        if self.kind == "mask2former":
            return self._of_mask2former(inputs)
        return self._of_eomt(inputs)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict[str, Any]]) -> Tensor:
        """Predictions in the size of the inputs, which a window's metainfo does not say."""
        metas = [{**meta, "img_shape": inputs.shape[-2:]} for meta in batch_img_metas]
        return super().encode_decode(inputs, metas)  # type: ignore[no-any-return]

    def _of_mask2former(self, inputs: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        output = self.network(pixel_values=inputs, output_auxiliary_logits=True)
        names, layers = ("class_queries_logits", "masks_queries_logits"), output.auxiliary_logits
        classes, masks = ([*(layer[name] for layer in layers), output[name]] for name in names)
        return classes, masks

    def _of_eomt(self, inputs: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        side = self.network.config.image_size
        if tuple(inputs.shape[-2:]) != (side, side):
            raise UsageError(
                f"HFSegmentor: a {self.kind} of image_size={side} takes images of {side} x {side}, "
                f"and this batch is {inputs.shape[-2]} x {inputs.shape[-1]}. Crop the images for "
                f"training, and set test_cfg=dict(mode='slide', crop_size=({side}, {side}), "
                f"stride=({side // 2}, {side // 2}))"
            )
        classes: list[Tensor] = []
        masks: list[Tensor] = []

        def keep(
            masks_queries_logits: Tensor, class_queries_logits: Tensor, **_: Any
        ) -> dict[str, Tensor]:
            classes.append(class_queries_logits)
            masks.append(masks_queries_logits)
            return {}

        # The outputs of the earlier layers are given to its loss alone.
        self.network.get_loss_dict = keep
        try:
            self.network(pixel_values=inputs, mask_labels=[], class_labels=[])
        finally:
            del self.network.get_loss_dict
        return classes, masks
