# Mean Teacher on the demo scenes, two-stage detector.
_base_ = '../_base_/demo/two_stage.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.7)]
