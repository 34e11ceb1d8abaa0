# Dual mean teachers on the demo scenes: what two small detectors agree on.
_base_ = '../_base_/demo/detection.py'
model = dict(auxiliary=dict(second=_base_.detector), auxiliary_teachers=['second'])
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='DualTeacherHook', network='second', score=0.4, agreement=0.0)]
