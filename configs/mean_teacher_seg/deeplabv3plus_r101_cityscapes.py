# Soft Mean Teacher for Cityscapes: the mean squared difference between the probabilities of student and
# teacher, after a burn-in on labels alone.
_base_ = [
    '../_base_/models/deeplabv3plus_r101_cityscapes.py', '../_base_/datasets/cityscapes_semi.py',
    '../_base_/schedules/cityscapes_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    unsup_weight=0.0,  # no hard pseudo labels
    burn_in=_base_.iterations // 10)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='ConsistencyHook', weight=100.0, ramp_length=_base_.iterations // 10)]
