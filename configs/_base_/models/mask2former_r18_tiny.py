# Mask2Former with a ResNet-18 of quarter width, for 128x128 images on a CPU: 20 queries, which attend to
# two levels; the masks are made from a third one.
_base_ = './mask2former_r50.py'
classes = 3

small = dict(embed_dims=64, num_heads=4)
narrow = dict(embed_dims=64, feedforward_channels=128)
position = dict(num_feats=32)
detector = dict(
    data_preprocessor=dict(
        mean=[127.0] * 3, std=[64.0] * 3, bgr_to_rgb=False, pad_size_divisor=16),
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        base_channels=16,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(0, 1, 2),
        norm_cfg=dict(type='BN'),
        norm_eval=False),
    panoptic_head=dict(
        in_channels=[16, 32, 64],
        feat_channels=64,
        out_channels=64,
        num_things_classes=classes,
        num_queries=20,
        num_transformer_feat_level=2,
        pixel_decoder=dict(
            strides=[4, 8, 16],
            num_outs=2,
            norm_cfg=dict(num_groups=8),
            encoder=dict(
                num_layers=1,
                layer_cfg=dict(
                    self_attn_cfg=dict(num_levels=2, **small), ffn_cfg=narrow)),
            positional_encoding=position),
        positional_encoding=position,
        transformer_decoder=dict(
            num_layers=3,
            layer_cfg=dict(self_attn_cfg=small, cross_attn_cfg=small, ffn_cfg=narrow)),
        loss_cls=dict(class_weight=[1.0] * classes + [0.1])),
    panoptic_fusion_head=dict(num_things_classes=classes),
    train_cfg=dict(num_points=1024),
    test_cfg=dict(max_per_image=20))
