# Mean Teacher on the demo scenes, one-stage detector.
_base_ = '../_base_/demo/detection.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.4)]
