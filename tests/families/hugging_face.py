"""Detectors of transformers, made small: random weights, 16 to 32 channels wide."""

from mmengine.config import ConfigDict

PREPROCESSOR = dict(
    type="DetDataPreprocessor", mean=[127.0] * 3, std=[64.0] * 3, pad_size_divisor=32
)
RESNET = dict(
    model_type="resnet", embedding_size=8, hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1],
    layer_type="basic", out_indices=[2, 3, 4],
)  # fmt: skip
REAL_TIME = dict(
    d_model=32, encoder_hidden_dim=32, encoder_in_channels=[16, 16, 32], encoder_ffn_dim=32,
    encoder_attention_heads=4, decoder_in_channels=[32, 32, 32], decoder_ffn_dim=32,
    decoder_attention_heads=4, decoder_layers=2, num_queries=20, num_denoising=12,
    freeze_backbone_batch_norms=False,
)  # fmt: skip
DETR = dict(
    d_model=32, encoder_layers=1, decoder_layers=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
    encoder_attention_heads=4, decoder_attention_heads=4, num_queries=20, use_timm_backbone=False,
    backbone_config=dict(RESNET, out_indices=[4]), use_pretrained_backbone=False, dropout=0.0,
)  # fmt: skip
CONFIGS = {
    "rt_detr": dict(
        REAL_TIME,
        backbone_config=dict(
            RESNET, model_type="rt_detr_resnet", downsample_in_bottleneck=False
        ),
    ),
    "rt_detr_v2": dict(
        REAL_TIME,
        backbone_config=dict(
            RESNET, model_type="rt_detr_resnet", downsample_in_bottleneck=False
        ),
    ),
    "d_fine": dict(
        REAL_TIME,
        backbone_config=dict(RESNET, model_type="rt_detr_resnet", downsample_in_bottleneck=False),
        lqe_hidden_dim=8,
        max_num_bins=8,
        depth_mult=0.34,
    ),
    "deformable_detr": dict(
        DETR,
        backbone_config=RESNET,
        num_feature_levels=4,
        with_box_refine=True,
        two_stage=False,
    ),
    "detr": DETR,
    "yolos": dict(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=32,
        image_size=[64, 96], patch_size=16, num_detection_tokens=20, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, use_mid_position_embeddings=False,
    ),
}  # fmt: skip
FAMILIES = tuple(CONFIGS)
CLASSES = 3


def hf_config(family, num_classes=CLASSES, **settings):
    """The config of an `HFDetector` of a family."""
    return ConfigDict(
        type="HFDetector",
        _scope_="mmdet",
        num_classes=num_classes,
        config=dict(CONFIGS[family], model_type=family),
        data_preprocessor=PREPROCESSOR,
        **settings,
    )
