"""MMSegmentation's own segmentors, made small: the same classes and losses, 8 channels wide."""

from __future__ import annotations

import atexit
import copy
import shutil
import tempfile
from functools import cache
from pathlib import Path

import mmseg
import torch
from mmengine.config import Config, ConfigDict

from ssdet.registry import MODELS

CONFIGS = {
    "fcn": "fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py",
    "pspnet": "pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py",
    "deeplabv3plus": "deeplabv3plus/deeplabv3plus_r50-d8_4xb2-40k_cityscapes-512x1024.py",
    "upernet": "upernet/upernet_r50_4xb2-40k_cityscapes-512x1024.py",
    "segformer": "segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py",
    "ocrnet": "ocrnet/ocrnet_r101-d8_4xb2-40k_cityscapes-512x1024.py",
    "mask2former": "mask2former/mask2former_r50_8xb2-90k_cityscapes-512x1024.py",
}
FAMILIES = tuple(CONFIGS)
# For `tools/family_table.py`, beside these; small models that stay as wide as they are.
TABLE_CONFIGS = {
    "segnext": "segnext/segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512.py",
    "ddrnet": "ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py",
    "bisenetv1": "bisenetv1/bisenetv1_r18-d32_4xb4-160k_cityscapes-1024x1024.py",
    "bisenetv2": "bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py",
    "pidnet": "pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py",
    "san": "san/san-vit-b16_coco-stuff164k-640x640.py",
}
CLASSES = 4
_CLIP: list[str] = []  # the file of SAN's image and text encoder, once it is written

# Numbers that are set, and channels that are divided by 32, wherever in a config they stand.
SET = dict(
    num_classes=CLASSES, num_heads=2, num_feats=4, num_queries=8, num_points=64, num_groups=4,
    num_layers=2, requires_grad=True, pretrained=None, init_cfg=None, dropout_ratio=0.0,
    drop_path_rate=0.0, feedforward_channels=16, c1_channels=4,
)  # fmt: skip
DIVIDED = (
    "in_channels", "channels", "ocr_channels", "c1_in_channels", "out_channels", "feat_channels",
    "embed_dims",
)  # fmt: skip


@cache
def _published(family: str) -> ConfigDict:
    # MMEngine's get_config looks for the distribution "mmsegmentation", and would install it.
    folder = Path(mmseg.__file__).parent / ".mim" / "configs"
    return Config.fromfile(folder / {**CONFIGS, **TABLE_CONFIGS}[family]).model


def small_config(family: str, slide: bool = False) -> ConfigDict:
    """The published config of a family, with little of everything."""
    cfg = copy.deepcopy(_published(family))
    if family in TABLE_CONFIGS:
        _fit(cfg)
    else:
        _shrink(cfg)
    # The views of the tests are of any size; Cityscapes' are all cropped to 512x1024.
    cfg.data_preprocessor.pop("size", None)
    cfg.data_preprocessor.size_divisor = 32
    if family == "san":
        return _small_san(cfg)
    if family in TABLE_CONFIGS:
        return cfg
    if cfg.backbone.type == "MixVisionTransformer":
        cfg.backbone.update(embed_dims=8, num_heads=[1, 2, 5, 8])
        cfg.decode_head.update(in_channels=[8, 16, 40, 64], channels=8)
    else:
        cfg.backbone.update(depth=18, base_channels=8, stem_channels=8, zero_init_residual=False)
    if family == "mask2former":
        cfg.decode_head.loss_cls.class_weight = [1.0] * CLASSES + [0.1]
        points = cfg.decode_head.pixel_decoder.encoder.layer_cfg.self_attn_cfg
        points.num_points = 2
    if slide:
        cfg.test_cfg = dict(mode="slide", crop_size=(64, 64), stride=(32, 32))
        # MMSegmentation's Mask2Former takes the padded size, if there is one, for the window's.
        cfg.data_preprocessor.pop("test_cfg", None)
    return cfg


def _small_san(cfg: ConfigDict) -> ConfigDict:
    """SAN on a CLIP of three layers, whose weights are read from a file as the published ones."""
    cfg.image_encoder.update(img_size=(64, 64), embed_dims=16, num_layers=3, num_heads=2)
    cfg.image_encoder.out_indices = (0, 1, 2)
    cfg.text_encoder.update(
        dataset_name=None, vocabulary=["road", "sky", "tree", "a car"][:CLASSES],
        templates=["a photo of a {}."], embed_dims=16, num_layers=1, num_heads=2, output_dims=8,
    )  # fmt: skip
    head = cfg.decode_head
    head.loss_decode[0].class_weight = [1.0] * CLASSES + [0.1]
    head.train_cfg.num_points = 64
    head.deep_supervision_idxs = [3]
    head.san_cfg.update(clip_channels=16, embed_dims=24, num_queries=8)
    head.san_cfg.cfg_encoder.update(num_encode_layer=4, num_heads=2, mlp_ratio=1)
    head.san_cfg.cfg_decoder.update(num_heads=2, embed_channels=8, mlp_channels=8)
    head.maskgen_cfg.update(sos_token_num=8, num_layers=1, embed_dims=16, num_heads=2, out_dims=8)
    cfg.pretrained = _random_clip(cfg)
    return cfg


def _random_clip(cfg: ConfigDict) -> str:
    """A file of random weights of CLIP: MMSegmentation leaves some of them uninitialized."""
    if not _CLIP:
        folder = Path(tempfile.mkdtemp(prefix="ssdet-clip-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = MODELS.build({"_scope_": "mmseg", **copy.deepcopy(cfg)})
            for name in ("positional_embedding", "text_projection"):
                torch.nn.init.normal_(getattr(model.text_encoder, name), std=0.1)
        parts = ("image_encoder.", "text_encoder.", "decode_head.rec_with_attnbias.")
        state = {k: v for k, v in model.state_dict().items() if k.startswith(parts)}
        torch.save(state, folder / "clip.pth")
        _CLIP.append(str(folder / "clip.pth"))
    return _CLIP[0]


def _fit(node) -> None:
    """The classes of the tests, and no file of weights."""
    for key, value in list(node.items()) if isinstance(node, dict) else enumerate(node):
        if isinstance(value, (dict, list)):
            _fit(value)
        if isinstance(node, dict) and key in ("num_classes", "pretrained", "init_cfg"):
            node[key] = SET[key]
        if isinstance(node, dict) and key == "class_weight":
            node[key] = None


def _shrink(node) -> None:
    for key, value in list(node.items()) if isinstance(node, dict) else enumerate(node):
        if isinstance(value, (dict, list)):
            _shrink(value)
        if not isinstance(node, dict):
            continue
        if key in SET and not isinstance(value, list):
            node[key] = SET[key]
        elif key in DIVIDED:
            given = value if isinstance(value, list) else [value]
            small = [v if v == 3 else max(v // 32, 4) for v in given]
            node[key] = small if isinstance(value, list) else small[0]
        elif key == "type" and value == "SyncBN":
            node[key] = "BN"
