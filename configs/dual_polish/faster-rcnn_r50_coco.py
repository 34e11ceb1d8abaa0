# Dual pseudo-label polishing for Faster R-CNN on 10 % of COCO (percent = 1, 5 for less), with the
# hyper-parameters of the published code: 8 processes with (1, 3) images each.
_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]
batch = (1, 3)  # labeled and unlabeled images per process and iteration

detector = _base_.model
num_classes = detector.roi_head.bbox_head.num_classes
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=3.0,
    auxiliary=dict(
        box_polisher=dict(type='BoxPolisher', in_channels=256),
        cls_polisher=dict(
            type='ClassPolisher', num_classes=num_classes, in_channels=256)))
custom_hooks = [
    # The teacher rests after the first drop of the learning rate.
    dict(
        type='TeacherEMAHook',
        momentum=0.999,
        schedule='mean',
        stop_after=_base_.iterations * 2 // 3),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='PolishHook', momentum=0.99, gamma=101, min_confidence=0.9, iou=0.7),
    dict(type='BackgroundScoreHook'),
    dict(type='GalleryHook', interval=_base_.iterations // 36)]

train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
auto_scale_lr = dict(base_batch_size=32)
