# Soft Teacher: boxes are learned where a jittered box returns to its place, and
# background by how sure the teacher is of it.
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5, cls=0.9, rpn=0.9),
    dict(type='BoxJitterHook', times=10, scale=0.06, max_spread=0.02),
    dict(type='BackgroundScoreHook')]
