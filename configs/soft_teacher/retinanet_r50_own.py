# Soft Teacher's idea for one-stage detectors, on your own data: boxes are learned where the predictions
# that NMS merged agree; see configs/_base_/datasets/own_det.py for what to set. Numbers are our
# defaults, not tuned.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py', '../_base_/datasets/own_det.py',
    '../_base_/schedules/own_det.py'
]
momentum = 0.999  # of the teacher

detector = _base_.model
detector.bbox_head.num_classes = len(_base_.classes)
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=1.0,
    burn_in=_base_.iterations // 4)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=momentum, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='BoxSpreadHook', max_spread=0.05),
    dict(type='GalleryHook', interval=max(_base_.iterations // 8, 1))]
