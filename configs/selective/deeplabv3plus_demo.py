# Demo: for some time after the burn-in the backbone learns alone; then everything does, and the layers of
# the head stay near orthogonal (the two phases of FedSTO, on one machine).
_base_ = '../_base_/demo/segmentation.py'
end = _base_.burn_in + 200
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='ClassMixHook', source='labeled'),
    dict(type='SelectiveTrainingHook', phases=[(_base_.burn_in, ''), (end, 'backbone')]),
    dict(type='OrthogonalityHook', begin=end)]
