# Unbiased Teacher for Faster R-CNN on your own data: a focal loss, and pseudo boxes that teach classes
# alone; see configs/_base_/datasets/own_det.py for what to set. Numbers are our defaults, not tuned.
_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py', '../_base_/datasets/own_det.py',
    '../_base_/schedules/own_det.py'
]
momentum = 0.9996  # of the teacher

detector = _base_.model
detector.roi_head.bbox_head.num_classes = len(_base_.classes)
detector['roi_head']['bbox_head']['loss_cls'] = dict(type='SoftmaxFocalLoss', gamma=1.5)
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=1.0,
    burn_in=_base_.iterations // 4)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=momentum),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='TaskWeightHook', box=0.0),
    dict(type='GalleryHook', interval=max(_base_.iterations // 8, 1))]
