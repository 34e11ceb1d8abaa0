# RetinaNet with Consistent-Teacher's head and assignment: a ResNet-50 whose batch norm keeps its
# ImageNet statistics while its scales learn. Give detector.bbox_head.num_classes where it is not 80.
_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'

detector = _base_.model
detector.neck.add_extra_convs = 'on_output'
detector.bbox_head = dict(
    type='FAM3DHead',
    num_classes=80,
    in_channels=256,
    stacked_convs=4,
    feat_channels=256,
    align_channels=64,
    norm_cfg=dict(type='GN', num_groups=32, requires_grad=True),
    anchor_generator=dict(
        type='AnchorGenerator',
        octave_base_scale=8,
        scales_per_octave=1,
        ratios=[1.0],
        strides=[8, 16, 32, 64, 128]),
    bbox_coder=dict(
        type='DeltaXYWHBBoxCoder',
        target_means=[0.0, 0.0, 0.0, 0.0],
        target_stds=[0.1, 0.1, 0.2, 0.2]),
    loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25),
    loss_bbox=dict(type='GIoULoss', loss_weight=2.0))
detector.train_cfg = dict(
    assigner=dict(type='AdaptiveSampleAssigner', topk=13, iou_weight=2.0))
detector.test_cfg = dict(
    nms_pre=1000,
    min_bbox_size=0,
    score_thr=0.05,
    nms=dict(type='nms', iou_threshold=0.6),
    max_per_img=100)
