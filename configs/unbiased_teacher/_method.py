# Unbiased Teacher: a focal loss, and pseudo boxes that teach classes alone.
focal = dict(type='SoftmaxFocalLoss', gamma=1.5)
method = dict(unsup_weight=4.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9996),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='TaskWeightHook', box=0.0)]
