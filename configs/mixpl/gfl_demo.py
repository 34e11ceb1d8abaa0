# MixPL on the demo scenes, one-stage detector.
_base_ = ['./_digits.py', '../_base_/demo/detection.py']
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].views.unsup_student = _base_.unerased_view
train_dataloader = dict(dataset=dict(datasets=[_base_.labeled_scenes, unlabeled_scenes]))
custom_hooks = _base_.custom_hooks
custom_hooks[1].score = 0.4
