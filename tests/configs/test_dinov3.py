"""The configs on DINOv3, built without memory: their parts fit one another at every size."""

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

from ssdet.engine.configs import load_config

pytest.importorskip("transformers")  # which Python 3.10 does not get
MILLIONS = {"s": 21.6, "b": 85.7, "l": 303.1}  # of the encoders, by their model cards 21, 86, 300


@pytest.mark.parametrize("head", ["dpt", "retinanet", "faster-rcnn", "dino", "linear"])
@pytest.mark.parametrize("size", MILLIONS)
def test_heads_fit_their_encoder(size, head):
    config = load_config(f"_base_/models/dinov3-{size}_{head}.py")
    scope = "mmseg" if head in ("dpt", "linear") else "mmdet"
    with DefaultScope.overwrite_default_scope(scope), torch.device("meta"):
        model = MODELS.build(config.model)
        maps = model.extract_feat(torch.zeros(1, 3, 64, 64))
        if head in ("dpt", "linear"):
            assert model.decode_head(maps).shape[1] == 21
    count = sum(p.numel() for p in model.backbone.parameters()) / 1e6
    assert count == pytest.approx(MILLIONS[size], abs=0.5)
    if scope == "mmdet":
        sizes = [one.shape[-1] for one in maps]
        first = 16 if head == "faster-rcnn" else 8
        assert sizes == [max(first >> level, 1) for level in range(len(sizes))]


@pytest.mark.parametrize(
    ("data", "classes", "total"), [("voc12", 21, 16), ("ade20k", 150, 8), ("coco-seg", 81, 16)]
)
def test_only_encoder_and_crops_differ_from_dinov2(data, classes, total):
    """The head, the hooks, the rates and the length are those of the published setting."""
    own, other = (load_config(f"unimatch_v2/dpt_dinov{n}-b_{data}.py") for n in (3, 2))
    for part in ("custom_hooks", "optim_wrapper", "param_scheduler", "train_cfg", "val_dataloader"):
        assert own[part] == other[part], part
    assert own.model.segmentor.decode_head == other.model.segmentor.decode_head
    assert own.model.segmentor.decode_head.num_classes == classes
    assert own.total_batch == (total, total) == other.total_batch
    patch = 16
    for source in own.train_dataloader.dataset.datasets:
        (crop,) = [one for one in source.pipeline[0].shared if one.type == "RandomCrop"]
        assert crop.crop_size == own.model.segmentor.data_preprocessor.size == (512, 512)
        assert all(side % patch == 0 for side in crop.crop_size)


@pytest.mark.parametrize("size", MILLIONS)
def test_unimatch_v2_has_the_same_models(size):
    own = load_config(f"unimatch_v2/dpt_dinov3-{size}_voc12.py").model.segmentor
    other = load_config(f"_base_/models/dinov3-{size}_dpt.py").model
    assert own.backbone == other.backbone
    assert own.decode_head == other.decode_head
    assert own.data_preprocessor.size == other.data_preprocessor.size == (512, 512)
