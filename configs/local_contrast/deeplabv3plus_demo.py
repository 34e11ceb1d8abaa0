# Local contrast on the demo scenes: pixels are pulled to the mean features of their class in two images.
_base_ = '../_base_/demo/segmentation_contrast.py'
model = dict(auxiliary=dict(representation=dict(kernel=1, dropout=0.0)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='ClassMixHook', source='labeled'),
    dict(type='LocalContrastHook')]
