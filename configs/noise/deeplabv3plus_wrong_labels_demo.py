# Demo: in 24 labeled scenes three of ten digits have the label of the other one. The student holds on to
# what it learned early (ELR), and trusts itself more and more.
_base_ = '../_base_/demo/segmentation.py'

labeled = 24
labeled_scenes = _base_.labeled_scenes
labeled_scenes.labeled = labeled
labeled_scenes.pipeline[0].shared = [
    dict(type='LoadDigitScene'),
    dict(type='ConfuseDigits', classes=2, share=0.3)]
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.labeled = labeled
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='ClassMixHook', source='labeled'),
    dict(type='EarlyLearningHook', weight=0.03),
    dict(type='BootstrapHook', weight=0.3, ramp_length=_base_.iterations // 2)]
