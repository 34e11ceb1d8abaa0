# Demo: FixMatch for change detection: which digit has appeared or disappeared between two scenes.
_base_ = '../_base_/demo/change_detection.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.6),
    dict(type='CutMixHook', prob=0.5)]
