# MixPL on the demo scenes, two-stage detector.
_base_ = '../_base_/demo/two_stage.py'
# Nothing is mirrored: a mirrored digit is no digit.
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean', gamma=4),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='EraseHook', count=(1, 3), size=(0.05, 0.15), hidden=0.7),
    dict(type='PseudoMosaicHook', size=(64, 112), images=2, weight=0.5, flip=0.0),
    dict(type='PseudoMixupHook', share=0.5, flip=0.0)]

unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].views.unsup_student = [
    _base_.affine,
    dict(type='PhotoMetricDistortion'),
    dict(type='PackDetInputs')]
train_dataloader = dict(
    dataset=dict(datasets=[_base_.labeled_scenes, unlabeled_scenes]))
