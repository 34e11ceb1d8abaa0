# Copy-paste for Mask R-CNN on the demo scenes: digits and their masks are learned from pseudo masks,
# with labeled digits pasted among unlabeled ones.
_base_ = '../_base_/demo/instance.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='CopyPasteHook', mode='labeled_to_unlabeled', prob=0.5)]
