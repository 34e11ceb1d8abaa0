# CW-BASS; the mean of the unsupervised loss is that of the pixels that were kept.
method = dict(reduction='kept')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, buffers='copy'),
    dict(type='MeanConfidenceThresholdHook', base=0.6, beta=0.5, bounds=(0.3, 0.8)),
    dict(type='ConfidenceWeightHook', gamma=1.0),
    dict(type='BoundaryLossHook', weight=0.5)]
