# DeepLabV3+ with a ResNet-18 of quarter width and output stride 8, for small images on a CPU.
num_classes = 3
input_size = (64, 64)

norm = dict(type='BN')
segmentor = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[127.0] * 3,
        std=[64.0] * 3,
        pad_val=0,
        seg_pad_val=255,
        size=input_size,
        test_cfg=dict(size_divisor=8)),
    backbone=dict(
        type='ResNetV1c',
        depth=18,
        base_channels=16,
        stem_channels=16,
        num_stages=3,
        strides=(1, 2, 1),
        dilations=(1, 1, 2),
        out_indices=(0, 1, 2),
        norm_cfg=norm,
        norm_eval=False),
    decode_head=dict(
        type='DepthwiseSeparableASPPHead',
        in_channels=64,
        in_index=2,
        channels=32,
        dilations=(1, 2, 4),
        c1_in_channels=16,
        c1_channels=8,
        dropout_ratio=0.1,
        num_classes=num_classes,
        norm_cfg=norm,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
