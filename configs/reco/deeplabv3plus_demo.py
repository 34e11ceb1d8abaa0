# ReCo on the demo scenes: unsure pixels are pulled to the mean feature of their class and pushed from pixels
# of classes like it.
_base_ = '../_base_/demo/segmentation_contrast.py'
model = dict(reduction='image', auxiliary=dict(representation=dict(dropout=0.0)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CutMixHook', prob=0.5),
    dict(type='RegionContrastHook')]
