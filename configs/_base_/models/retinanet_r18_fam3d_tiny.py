# RetinaNet with Consistent-Teacher's head and a ResNet-18 of quarter width, for 128x128 pictures on a
# CPU: 0.24 million parameters.
num_classes = 3

norm = dict(type='BN')
detector = dict(
    type='RetinaNet',
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
        norm_cfg=norm),
    bbox_head=dict(
        type='FAM3DHead',
        num_classes=num_classes,
        in_channels=32,
        feat_channels=32,
        stacked_convs=2,
        align_channels=16,
        norm_cfg=dict(type='GN', num_groups=8),
        anchor_generator=dict(
            type='AnchorGenerator',
            octave_base_scale=3.5,
            scales_per_octave=1,
            ratios=[1.0],
            strides=[8, 16]),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder',
            target_means=[0.0, 0.0, 0.0, 0.0],
            target_stds=[0.1, 0.1, 0.2, 0.2]),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0)),
    train_cfg=dict(assigner=dict(type='AdaptiveSampleAssigner', iou_weight=2.0)),
    test_cfg=dict(
        nms_pre=300,
        min_bbox_size=0,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.6),
        max_per_img=20))
