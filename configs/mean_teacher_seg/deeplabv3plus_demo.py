# Soft Mean Teacher on the demo scenes: the student's probabilities follow the teacher's.
_base_ = '../_base_/demo/segmentation.py'
model = dict(unsup_weight=0.0)  # no hard pseudo labels
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='ConsistencyHook', weight=10.0, ramp_length=200)]
