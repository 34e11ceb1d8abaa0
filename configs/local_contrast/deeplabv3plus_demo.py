# Local contrast on the demo scenes: pixels are pulled to the mean features of their class in two images.
_base_ = '../_base_/demo/segmentation.py'
model = dict(
    auxiliary=dict(
        representation=dict(
            type='PixelProjector',
            in_channels=32,
            channels=32,
            convs=1,
            kernel=1,
            dropout=0.0,
            norm_cfg=_base_.norm)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='ClassMixHook', source='labeled'),
    dict(type='LocalContrastHook')]
