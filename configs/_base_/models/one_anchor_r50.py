# What FAM3D and TOOD share: the ResNet-50 and the pyramid of RetinaNet, with one square anchor at
# each place, and a head of 80 classes that is trained with GIoU.
_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'

detector = _base_.model
detector.neck.add_extra_convs = 'on_output'
detector.bbox_head = dict(
    num_classes=80,
    in_channels=256,
    feat_channels=256,
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
    loss_bbox=dict(type='GIoULoss', loss_weight=2.0))
detector.train_cfg = dict()
detector.test_cfg = dict(
    nms_pre=1000,
    min_bbox_size=0,
    score_thr=0.05,
    nms=dict(type='nms', iou_threshold=0.6),
    max_per_img=100)
model = dict(_delete_=True)  # the detector alone; a config makes a pair of it
