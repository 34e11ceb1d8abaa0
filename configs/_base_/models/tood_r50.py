# TOOD with a ResNet-50. MMDetection's head counts epochs to change from ATSS to its own assignment, and
# a run that counts iterations stays in epoch 0: with initial_epoch = 4 it is ATSS all the time, as in
# the published code of MixPL; initial_epoch = 0 is task alignment from the start.
_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'
initial_epoch = 4

detector = _base_.model
detector.type = 'TOOD'
detector.neck.add_extra_convs = 'on_output'
detector.bbox_head = dict(
    type='TOODHead',
    num_classes=80,
    in_channels=256,
    stacked_convs=6,
    feat_channels=256,
    anchor_type='anchor_free',
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
    initial_loss_cls=dict(
        type='FocalLoss', use_sigmoid=True, activated=True, gamma=2.0, alpha=0.25),
    loss_cls=dict(
        type='QualityFocalLoss', use_sigmoid=True, activated=True, beta=2.0),
    loss_bbox=dict(type='GIoULoss', loss_weight=2.0))
detector.train_cfg = dict(
    initial_epoch=initial_epoch,
    initial_assigner=dict(type='ATSSAssigner', topk=9),
    assigner=dict(type='TaskAlignedAssigner', topk=13),
    alpha=1,
    beta=6,
    allowed_border=-1,
    pos_weight=-1)
detector.test_cfg = dict(
    nms_pre=1000,
    min_bbox_size=0,
    score_thr=0.05,
    nms=dict(type='nms', iou_threshold=0.6),
    max_per_img=100)
