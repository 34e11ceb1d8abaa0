# FST on the demo scenes: one virtual step before each real one. Annotated digits are pasted into the
# strong views, without which the background wins from step to step.
_base_ = '../_base_/demo/segmentation.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='ClassMixHook', source='labeled'),
    dict(type='FutureTeacherHook', steps=1, kind='deep')]
