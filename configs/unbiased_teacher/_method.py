# Unbiased Teacher: a focal loss, pseudo boxes that teach classes alone, and labeled images that are
# in the batch twice, weak and strong.
_base_ = '../_base_/datasets/same_geometry.py'
focal = dict(type='SoftmaxFocalLoss', gamma=1.5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9996),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='TaskWeightHook', box=0.0)]

# The rate is never lowered.
constant_rate = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000)]
