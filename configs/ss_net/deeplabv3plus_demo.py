# SS-Net on the demo scenes: smoothness under the worst noise, and compact classes.
_base_ = '../_base_/demo/segmentation.py'
length = _base_.iterations - _base_.burn_in
model = dict(
    auxiliary=dict(compactness=dict(type='CompactnessHead', in_channels=32, num_classes=3)),
    unsup_weight=0.0,  # no pseudo labels
    predict_with='student')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(type='AdversarialSmoothnessHook', weight=0.1, ramp_length=length),
    dict(type='ClassCompactnessHook', weight=0.01, ramp_length=length)]
val_cfg = dict(models=['student'])  # the teacher is its copy
