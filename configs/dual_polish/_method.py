# Dual pseudo-label polishing with the hyper-parameters of the published code. A config gives the
# teacher `stop_after`: it is frozen after the first drop of the learning rate.
box_polisher = dict(type='BoxPolisher', in_channels=256)
cls_polisher = dict(type='ClassPolisher', in_channels=256)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='PolishHook', momentum=0.99, gamma=101, min_confidence=0.9, iou=0.7),
    dict(type='BackgroundScoreHook')]
