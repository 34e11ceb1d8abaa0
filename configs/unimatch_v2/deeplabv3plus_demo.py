# UniMatch V2's complementary dropout on the demo scenes, with a convolutional network.
_base_ = '../unimatch/deeplabv3plus_demo.py'
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CutMixHook', prob=0.5),
    dict(type='ComplementaryDropoutHook', intact=0.5)]
