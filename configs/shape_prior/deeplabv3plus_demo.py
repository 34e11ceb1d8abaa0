# A shape prior on the demo scenes: the auto-encoder learns digits in the burn-in.
_base_ = '../_base_/demo/segmentation.py'
model = dict(
    unsup_weight=0.0,
    auxiliary=dict(
        shape_prior=dict(
            type='LabelAutoEncoder',
            num_classes=_base_.num_classes,
            size=(64, 64),
            channels=8,
            embedding=128)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='ShapePriorHook', weight=10.0, ramp_length=200, block=4)]
