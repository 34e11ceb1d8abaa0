# YOLOX with a ResNet-18 of quarter width, for 128x128 images on a CPU.
_base_ = './r18_tiny.py'

detector = dict(
    type='YOLOX',
    bbox_head=dict(
        type='YOLOXHead',
        num_classes=_base_.num_classes,
        in_channels=32,
        feat_channels=32,
        stacked_convs=2,
        strides=(8, 16)),
    train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
    test_cfg=dict(
        score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=20))
