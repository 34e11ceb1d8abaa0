"""Detectors and segmentors of transformers, made small: random weights, 16 to 32 channels wide."""

from mmengine.config import ConfigDict

from ..helpers import tiny_retinanet

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
GROUPED = dict(
    d_model=32, decoder_ffn_dim=32, decoder_layers=2, decoder_self_attention_heads=4,
    decoder_cross_attention_heads=4, decoder_n_points=2, num_queries=20, group_detr=2,
    c2f_num_blocks=1, dropout=0.0,
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
    "lw_detr": dict(
        GROUPED,
        backbone_config=dict(
            model_type="lw_detr_vit", hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            mlp_ratio=2, pretrain_image_size=64, window_block_indices=[0], out_indices=[1, 2],
            num_windows=4,
        ),
        projector_scale_factors=[1.0, 0.5],
    ),
    "rf_detr": dict(
        GROUPED,
        backbone_config=dict(
            model_type="rf_detr_dinov2", hidden_size=16, num_hidden_layers=3,
            num_attention_heads=2, mlp_ratio=2, image_size=64, patch_size=16, num_windows=2,
            out_indices=[1, 2],  # as in the published base, nothing looks at the last layer
        ),
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


SEG_PREPROCESSOR = dict(
    type="SegDataPreProcessor", mean=[127.0] * 3, std=[64.0] * 3, pad_val=0, seg_pad_val=255,
    size_divisor=32, test_cfg=dict(size_divisor=32),
)  # fmt: skip
POINTS = dict(train_num_points=64, num_queries=8)
SEGMENTORS = {
    "segformer": dict(
        hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16, classifier_dropout_prob=0.0, drop_path_rate=0.0,
    ),
    "mask2former": dict(
        POINTS,
        backbone_config=dict(
            model_type="swin", embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2],
            window_size=4, drop_path_rate=0.0, image_size=64,
            out_features=["stage1", "stage2", "stage3", "stage4"],
        ),
        feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=32,
        dim_feedforward=32, encoder_layers=1, decoder_layers=3, num_attention_heads=2,
    ),
    "eomt": dict(
        POINTS, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, image_size=64,
        num_blocks=2, num_register_tokens=1,
    ),
    "eomt_dinov3": dict(
        POINTS, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, image_size=64,
        intermediate_size=32, num_blocks=2, num_register_tokens=1, pos_embed_rescale=None,
    ),
}  # fmt: skip


def hf_seg_config(family, num_classes=CLASSES, **settings):
    """The config of an `HFSegmentor` of a family."""
    test = dict(mode="whole")
    if family.startswith("eomt"):
        test = dict(mode="slide", crop_size=(64, 64), stride=(32, 32))
    return ConfigDict(
        type="HFSegmentor",
        _scope_="mmseg",
        num_classes=num_classes,
        config=dict(SEGMENTORS[family], model_type=family),
        data_preprocessor=SEG_PREPROCESSOR,
        test_cfg=test,
        **settings,
    )


VIT = dict(
    model_type="dinov3_vit", hidden_size=32, num_hidden_layers=4, num_attention_heads=4,
    intermediate_size=32, patch_size=16, num_register_tokens=4,
)  # fmt: skip
BACKBONES = ("all", "lora", "frozen")  # how a DINOv3 learns


def hf_backbone_config(learning):
    """A RetinaNet on a DINOv3 and the pyramid of ViTDet."""
    backbone = dict(type="HFBackbone", config=VIT, out_indices=[2], learning=learning)
    neck = dict(type="SimpleFeaturePyramid", in_channels=32, out_channels=16, start=1, num_outs=3)
    return ConfigDict(tiny_retinanet(), _scope_="mmdet", backbone=backbone, neck=neck)
