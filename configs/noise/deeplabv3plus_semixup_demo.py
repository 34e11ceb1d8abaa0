# Demo: two strong views of one geometry. Semixup compares them and their mixtures, as gently as thin strokes
# need it; images that are easy get a harder view (SAA).
_base_ = '../_base_/demo/segmentation_two_views.py'

colors = _base_.strong_view[len(_base_.geometry):]
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].shared = [dict(type='LoadDigitScene'), *_base_.geometry]
unlabeled_scenes.pipeline[0].views = dict(
    unsup_teacher=_base_.weak_view, unsup_student=colors, unsup_student_2=colors)
train_dataloader = dict(dataset=dict(datasets=[_base_.labeled_scenes, unlabeled_scenes]))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='SampleAdaptiveHook'),
    dict(
        type='SemixupHook',
        weight=0.1,
        ramp_length=_base_.iterations - _base_.burn_in)]
