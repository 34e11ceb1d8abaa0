# Soft Teacher for Faster R-CNN on 10 % of COCO (percent = 1, 2, 5 for less).
_base_ = [
    './_method.py', '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]

model = dict(
    type='TeacherStudentDetector', detector=_base_.detector, unsup_weight=4.0, crowd='background')
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
