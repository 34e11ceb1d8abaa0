# Soft Mean Teacher for VOC 2012: the mean squared difference between the probabilities of student and
# teacher, after a burn-in on labels alone.
_base_ = [
    '../_base_/models/deeplabv3plus_r101.py', '../_base_/datasets/voc12_semi.py',
    '../_base_/schedules/voc_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    unsup_weight=0.0,  # no hard pseudo labels
    burn_in=_base_.iterations // 10)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='ConsistencyHook', weight=100.0, ramp_length=_base_.iterations // 10)]
