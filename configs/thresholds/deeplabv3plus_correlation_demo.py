# CorrMatch's threshold, which follows the teacher's confidence, on the demo scenes.
_base_ = '../_base_/demo/segmentation.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='CorrelationThresholdHook', start=0.85, momentum=0.999),
    dict(type='CutMixHook', prob=0.5)]
