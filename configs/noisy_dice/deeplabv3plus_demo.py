# Stored labels, weighted by the teacher, in a weighted Dice loss; on the demo scenes.
_base_ = '../_base_/demo/segmentation.py'
model = dict(unsup_weight=0.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='PseudoLabelDiskHook', use=True, score=_base_.score, update=0.9),
    dict(type='NoisyDiceHook', weight=1.0)]
