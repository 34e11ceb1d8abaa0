# Pseudo boxes on disk that are refined and trained on, on the demo scenes.
_base_ = '../_base_/demo/detection.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.4),
    dict(type='PseudoLabelDiskHook', use=True, score=0.4, update=0.6)]
