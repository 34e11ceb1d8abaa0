# AugSeg: intensities of random strength, and boxes with annotated pixels where the teacher is unsure.
method = dict(joint_pass=True)
intensity = [dict(type='RandomIntensity', max_ops=3), dict(type='PackSegInputs')]
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='AdaptiveCutMixHook', labeled=(8, 2), unlabeled=(4, 4))]
