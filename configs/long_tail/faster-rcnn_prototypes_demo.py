# Demo: a frequent class has a prototype for each 16 boxes (SBCL), which say what unsure boxes are.
_base_ = './_rare_boxes.py'
model = dict(unsup_weight=0.5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='ClassBalanceHook', beta=0.999),
    dict(type='PrototypeLabelHook', certain=0.9, group=16)]
