# Demo: 8 labeled scenes, and pseudo labels that are often wrong, since the threshold lets all of them
# through. Sharpened targets and annealed labels (UDA), and the student's early knowledge (ELR).
_base_ = '../_base_/demo/segmentation.py'
model = dict(unsup_weight=0.5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.3),
    dict(type='ClassMixHook', source='labeled'),
    dict(type='ConsistencyHook', distance='kl', temperature=0.4),
    dict(type='TrainingSignalHook', length=_base_.iterations // 2),
    dict(type='EarlyLearningHook', weight=0.3)]
