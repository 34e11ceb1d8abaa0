# Pseudo boxes that two sizes of a scene agree on. Digits may not be turned or mirrored: 6 is not 9.
_base_ = '../_base_/demo/detection.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='BoxFusionHook', views=('identity', ), scales=(0.8, )),
    dict(type='FixedThresholdHook', score=0.35)]
