# Soft Teacher's idea on the demo scenes, one-stage detector: boxes are learned where the predictions
# that NMS merged agree.
_base_ = '../_base_/demo/detection.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.4),
    dict(type='BoxSpreadHook', max_spread=0.05)]
