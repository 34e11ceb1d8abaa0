# Demo: UDA with 8 labeled scenes. The threshold lets nearly all pseudo labels through, wrong ones too; their
# targets are sharpened, and labels that the student knows already wait.
_base_ = '../_base_/demo/segmentation.py'
model = dict(unsup_weight=0.5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.3),
    dict(type='ClassMixHook', source='labeled'),
    dict(type='ConsistencyHook', distance='kl', temperature=0.4),
    dict(type='TrainingSignalHook', length=_base_.iterations // 2)]
