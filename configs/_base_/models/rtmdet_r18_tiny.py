# RTMDet with a ResNet-18 of quarter width, for 128x128 images on a CPU.
_base_ = './r18_tiny.py'

detector = dict(
    type='RTMDet',
    bbox_head=dict(
        type='RTMDetSepBNHead',
        num_classes=_base_.num_classes,
        in_channels=32,
        feat_channels=32,
        stacked_convs=2,
        norm_cfg=_base_.norm,
        anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[8, 16]),
        bbox_coder=dict(type='DistancePointBBoxCoder'),
        loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0)),
    train_cfg=dict(
        assigner=dict(type='DynamicSoftLabelAssigner', topk=13),
        allowed_border=-1,
        pos_weight=-1),
    test_cfg=dict(
        nms_pre=300,
        min_bbox_size=0,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=20))
