# Cascade R-CNN of three stages with a ResNet-18 of quarter width, for 128x128 images on a CPU.
_base_ = './faster-rcnn_r18_tiny.py'

faster = _base_.detector
# The stages ask for an IoU of 0.5, 0.6 and 0.7 and look ever more closely.
box_heads = [
    dict(
        type='Shared2FCBBoxHead',
        in_channels=32,
        fc_out_channels=128,
        roi_feat_size=5,
        num_classes=_base_.num_classes,
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=stds),
        reg_class_agnostic=True,
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False),
        loss_bbox=dict(type='SmoothL1Loss', beta=1.0))
    for stds in ([0.1, 0.1, 0.2, 0.2], [0.05, 0.05, 0.1, 0.1], [0.033, 0.033, 0.067, 0.067])]
stages = [
    {**faster.train_cfg.rcnn, 'assigner': dict(
        type='MaxIoUAssigner', pos_iou_thr=iou, neg_iou_thr=iou, min_pos_iou=iou, ignore_iof_thr=0.5)}
    for iou in (0.5, 0.6, 0.7)]
detector = dict(
    type='CascadeRCNN',
    roi_head=dict(
        type='CascadeRoIHead',
        num_stages=3,
        stage_loss_weights=[1, 0.5, 0.25],
        bbox_head=box_heads),
    train_cfg=dict(rcnn=stages))
