# Dual mean teachers for detection: two Faster R-CNN on COCO with 10 % of the labels (unless told
# otherwise: --cfg-options percent=5).
_base_ = [
    '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]

model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=_base_.detector,
    auxiliary=dict(second=_base_.detector),
    auxiliary_teachers=['second'],
    burn_in=_base_.iterations // 20)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='DualTeacherHook', network='second', score=0.6, agreement=0.0, iou=0.6)]
