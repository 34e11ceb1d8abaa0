# iMAS on the demo scenes: all views of a scene show the same part of it, as the blend needs.
_base_ = '../_base_/demo/segmentation_two_views.py'
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].shared = [dict(type='LoadDigitScene'), *_base_.geometry]
unlabeled_scenes.pipeline[0].views = dict(
    unsup_teacher=_base_.weak_view,
    unsup_student=[dict(type='RandomIntensity', max_ops=2), *_base_.weak_view],
    unsup_student_2=_base_.weak_view)
train_dataloader = dict(dataset=dict(datasets=[_base_.labeled_scenes, unlabeled_scenes]))

custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='HardnessHook', score=_base_.score),
    dict(type='EaseCutMixHook')]
