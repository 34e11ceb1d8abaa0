# UniMatch on the demo scenes: two strong views and a stream of perturbed features.
_base_ = '../_base_/demo/segmentation_two_views.py'

custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(type='FixedThresholdHook', score=_base_.score),
    dict(type='CutMixHook', prob=0.5),
    dict(type='FeaturePerturbationHook', prob=0.5, share=0.5)]
