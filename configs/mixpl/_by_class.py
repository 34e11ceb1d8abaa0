# As many boxes of each class as the labels promise, as `ssdet init` has it, for batches of (4, 4).
by_class = dict(
    type='LabelDistributionThresholdHook',
    reliable=1.0,
    uncertain=1.5,
    images=160,
    interval=10,
    default=0.5)
