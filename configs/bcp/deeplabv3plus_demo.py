# Bidirectional copy-paste on the demo scenes.
_base_ = '../_base_/demo/segmentation.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CopyPasteHook', mode='bidirectional', per_image=True)]
