# Consistent-Teacher for RetinaNet on 10 % of COCO (percent = 1, 2, 5 for less).
_base_ = [
    './_method.py', '../_base_/models/retinanet_r50_fam3d.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/flat_180k.py'
]
warm_up = 10000  # iterations in which the teacher labels and fills the queues, and nothing else

model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    unsup_weight=2.0,
    unsup_ramp=dict(length=warm_up, kind='step'),
    crowd='background')
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
