# A ResNet-18 of quarter width with a pyramid of two levels, for 128x128 images on a CPU: what the
# small detectors of the demos share.
num_classes = 3

norm = dict(type='BN')
detector = dict(
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[127.0] * 3,
        std=[64.0] * 3,
        pad_size_divisor=16),
    backbone=dict(
        type='ResNet',
        depth=18,
        base_channels=16,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(1, 2),
        norm_cfg=norm,
        norm_eval=False),
    neck=dict(
        type='FPN',
        in_channels=[32, 64],
        out_channels=32,
        num_outs=2,
        norm_cfg=norm))
