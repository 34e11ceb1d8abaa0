# Unbiased Teacher v2 on the demo scenes, a detector without anchors.
_base_ = '../_base_/demo/points.py'
model = dict(
    detector=dict(bbox_head=dict(type='UncertainFCOSHead', reg_max=8, center_sampling=False)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995),
    dict(type='FixedThresholdHook', score=0.3),
    dict(type='ListenHook', margin=0.1, certainty=0.8, weight=0.2)]
