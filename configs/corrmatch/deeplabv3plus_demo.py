# CorrMatch on the demo scenes, with a pass for each view as all demos have it.
_base_ = '../_base_/demo/segmentation.py'
model = dict(
    sup_weight=0.5,
    unsup_weight=0.5,
    auxiliary=dict(
        correlation=dict(
            type='CorrelationHead', in_channels=64, num_classes=3, channels=32, norm_cfg=_base_.norm)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='CorrelationThresholdHook', start=0.85, momentum=0.999),
    dict(type='CorrelationPropagationHook', regions=32),
    dict(type='CutMixHook', prob=0.5),
    dict(type='FeaturePerturbationHook', prob=0.5, share=0.5),
    dict(type='ConsistencyHook', weight=0.25, distance='kl', skip=['unsup_student_features'])]
