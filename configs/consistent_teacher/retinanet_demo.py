# Consistent-Teacher on the demo scenes, one-stage detector with its own head.
_base_ = [
    '../_base_/models/retinanet_r18_fam3d_tiny.py',
    '../_base_/datasets/digits_det.py', '../_base_/schedules/demo_det.py'
]
model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    unsup_ramp=dict(length=_base_.burn_in, kind='step'))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='GMMThresholdHook', policy='high', count_ratio=1.0)]
