# Soft Teacher for Mask R-CNN on the demo scenes; masks are learned where the box is well placed.
_base_ = '../_base_/demo/instance.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5, cls=0.8, rpn=0.8),
    dict(type='BoxJitterHook', times=10, scale=0.06, max_spread=0.05),
    dict(type='BackgroundScoreHook')]
