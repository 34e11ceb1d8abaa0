# Soft Teacher for Faster R-CNN on 10 % of Cityscapes. Schedule and weight are our defaults, not a paper's.
_base_ = [
    './_method.py', '../_base_/models/faster-rcnn_r50_cityscapes.py',
    '../_base_/datasets/cityscapes_det_semi.py', '../_base_/schedules/voc_40k.py'
]

model = dict(type='TeacherStudentDetector', detector=_base_.detector, unsup_weight=2.0)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
