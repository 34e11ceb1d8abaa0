# LabelMatch's adaptive thresholds, whatever the data.
method = dict(unsup_weight=2.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.996),
    dict(
        type='LabelDistributionThresholdHook',
        reliable=0.2,
        uncertain=1.0,
        source='pass',
        images=10000,
        interval=1000,
        floor=0.05,
        default=0.9)]
