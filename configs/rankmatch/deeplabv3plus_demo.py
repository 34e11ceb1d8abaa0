# RankMatch on the demo scenes: views that show the same part of a scene, as the ranks need it, and a
# pass for each view as all demos have it.
_base_ = '../_base_/demo/segmentation_two_views.py'
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].shared = [dict(type='LoadDigitScene'), *_base_.geometry]
unlabeled_scenes.pipeline[0].views = dict(
    unsup_teacher=_base_.weak_view,
    unsup_student=_base_.strong_view[2:],
    unsup_student_2=_base_.strong_view[2:])
train_dataloader = dict(dataset=dict(datasets=[_base_.labeled_scenes, unlabeled_scenes]))

custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CutMixHook', prob=0.5),
    dict(type='FeaturePerturbationHook', prob=0.5, share=0.5),
    dict(type='RankCorrelationHook', weight=0.1, agents=32)]
