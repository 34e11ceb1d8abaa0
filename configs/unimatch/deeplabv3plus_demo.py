# UniMatch on the demo scenes: two strong views and a stream of perturbed features.
_base_ = '../_base_/demo/segmentation.py'
branches = ('sup', 'unsup_teacher', 'unsup_student', 'unsup_student_2')
labeled_scenes = _base_.labeled_scenes
labeled_scenes.pipeline[0].branch_field = branches
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].branch_field = branches
unlabeled_scenes.pipeline[0].views.unsup_student_2 = _base_.strong_view
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))

custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CutMixHook', prob=0.5),
    dict(type='FeaturePerturbationHook', prob=0.5, share=0.5)]
