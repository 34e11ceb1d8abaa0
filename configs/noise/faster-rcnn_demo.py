# Demo: a threshold that lets many wrong boxes through. Labeled neighbors smooth the classes of those that
# are not certain (SimMatchV2), and a box counts as much as its class is ahead of the second one (WAD).
_base_ = '../_base_/demo/two_stage.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.4),
    dict(type='PrototypeLabelHook', certain=0.8, soft='neighbors', margin=True)]
