# Dual Teacher on the demo scenes: a new teacher every 75 iterations, CutMix and ClassMix in turns, and a
# second strong view that is not mixed.
_base_ = '../_base_/demo/segmentation.py'
branches = ('sup', 'unsup_teacher', 'unsup_student', 'unsup_student_2')
labeled_scenes = _base_.labeled_scenes
labeled_scenes.pipeline[0].branch_field = branches
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].branch_field = branches
unlabeled_scenes.pipeline[0].views.unsup_student_2 = _base_.strong_view
train_dataloader = dict(dataset=dict(datasets=[labeled_scenes, unlabeled_scenes]))

model = dict(reduction='image', predict_with='student')
custom_hooks = [
    dict(type='TemporaryTeachersHook', period=75, momentum=0.99, view='unsup_student_2', share=0.2),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CutMixHook', prob=1.0, skip=['unsup_student_2']),
    dict(type='ClassMixHook', prob=1.0, skip=['unsup_student_2'])]
