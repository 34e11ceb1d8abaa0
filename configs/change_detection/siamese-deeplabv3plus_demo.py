# Demo: FixMatch for change detection: which digit has appeared or disappeared between two scenes.
# Every pixel is learned (of two classes one always has 0.5): changes are thin strokes, and a teacher
# that is more confident of everything else would teach that nothing changes.
_base_ = '../_base_/demo/change_detection.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='CutMixHook', prob=0.5)]
