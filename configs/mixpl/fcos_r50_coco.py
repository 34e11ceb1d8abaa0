# MixPL for FCOS on 10 % of COCO (percent = 1, 2, 5 for less).
_base_ = [
    './_method.py', '../_base_/models/fcos_r50.py', '../_base_/datasets/coco_semi_unerased.py',
    '../_base_/schedules/flat_180k.py'
]

model = dict(type='TeacherStudentDetector', detector=_base_.detector, **_base_.method)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
custom_hooks[1].score = 0.3
