# Pseudo labels on disk that are refined and trained on, on the demo scenes.
_base_ = '../_base_/demo/segmentation.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='PseudoLabelDiskHook', use=True, score=_base_.score, update=0.9)]
