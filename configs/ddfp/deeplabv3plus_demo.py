# DDFP on the demo scenes: a flow over 32 channels that learns alone for 100 iterations.
_base_ = '../_base_/demo/segmentation.py'
model = dict(
    auxiliary=dict(
        flow=dict(type='FeatureFlow', dim=32, num_classes=3, hidden=64),
        # The two separable convolutions of the head have four normalizations.
        norms=dict(type='SecondNorms', channels=[40, 32, 32, 32], norm_cfg=_base_.norm)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CutMixHook', prob=0.5),
    dict(type='DensityDescentHook', length=1.0, start=100, samples=4096)]
