# FST on the demo scenes: one virtual step before each real one.
_base_ = '../_base_/demo/segmentation.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.6),
    dict(type='CutMixHook', prob=0.5),
    dict(type='FutureTeacherHook', steps=1, kind='deep')]
