# RetinaNet with Consistent-Teacher's head and a ResNet-18 of quarter width, for 128x128 images on a
# CPU: 0.24 million parameters.
_base_ = './r18_tiny.py'

detector = dict(
    type='RetinaNet',
    bbox_head=dict(
        type='FAM3DHead',
        num_classes=_base_.num_classes,
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
