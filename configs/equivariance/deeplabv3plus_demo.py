# FixMatch with CutMix, and equivariance under elastic and affine deformations on the demo scenes.
_base_ = '../_base_/demo/segmentation.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CutMixHook', prob=0.5),
    # No flip: a mirrored digit is no digit.
    dict(type='EquivarianceHook', weight=1.0, rotation=10.0, elastic=0.03)]
