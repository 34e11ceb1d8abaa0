# Mean Teacher for boxes: MMDetection's `SemiBaseDetector` recipe.
method = dict(unsup_weight=1.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.9)]
