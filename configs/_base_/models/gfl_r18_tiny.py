# GFL with a ResNet-18 of quarter width, for 128x128 images on a CPU: 0.3 million parameters.
_base_ = './r18_tiny.py'

detector = dict(
    type='GFL',
    bbox_head=dict(
        type='GFLHead',
        num_classes=_base_.num_classes,
        in_channels=32,
        feat_channels=32,
        stacked_convs=2,
        norm_cfg=dict(type='GN', num_groups=8),
        reg_max=8,
        anchor_generator=dict(
            type='AnchorGenerator',
            octave_base_scale=3.5,
            scales_per_octave=1,
            ratios=[1.0],
            strides=[8, 16]),
        loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
        loss_dfl=dict(type='DistributionFocalLoss', loss_weight=0.25)),
    train_cfg=dict(
        assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1),
    test_cfg=dict(
        nms_pre=300,
        min_bbox_size=0,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=20))
