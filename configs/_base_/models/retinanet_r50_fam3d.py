# RetinaNet with Consistent-Teacher's head and assignment: a ResNet-50 whose batch norm keeps its
# ImageNet statistics while its scales learn. Give detector.bbox_head.num_classes where it is not 80.
_base_ = './one_anchor_r50.py'

detector = dict(
    bbox_head=dict(
        type='FAM3DHead',
        stacked_convs=4,
        align_channels=64,
        norm_cfg=dict(type='GN', num_groups=32, requires_grad=True),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25)),
    train_cfg=dict(assigner=dict(type='AdaptiveSampleAssigner', topk=13, iou_weight=2.0)))
