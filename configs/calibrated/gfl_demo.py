# Thresholds that are measured on held-out scenes, MixPL's mixing, and a guard, one-stage detector.
_base_ = ['../mixpl/_digits.py', '../_base_/demo/detection.py']
unlabeled_scenes = _base_.unlabeled_scenes
unlabeled_scenes.pipeline[0].views.unsup_student = _base_.unerased_view
train_dataloader = dict(
    dataset=dict(held_out=0.25, datasets=[_base_.labeled_scenes, unlabeled_scenes]))
judged = [
    dict(type='LoadDigitScene'),
    dict(type='LoadAnnotations', with_bbox=True), *_base_.weak_view]
custom_hooks = _base_.custom_hooks
custom_hooks[1] = dict(type='CalibratedThresholdHook', interval=50, pipeline=judged)
custom_hooks.append(dict(type='HeldOutGuardHook', interval=25, pipeline=judged))
