# AugSeg on the demo scenes.
_base_ = '../_base_/demo/segmentation.py'
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].views.unsup_student = [
    *_base_.geometry, dict(type='RandomIntensity', max_ops=3), dict(type='PackSegInputs')]
train_dataloader = dict(dataset=dict(datasets=[_base_.labeled_scenes, unlabeled_scenes]))

custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='AdaptiveCutMixHook')]
