# CPS with CutMix: two networks teach each other, and there is no average of weights.
method = dict(predict_with='student')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(type='CrossSupervisionHook', network='second'),
    dict(type='CutMixHook', prob=1.0, boxes=3, area=(0.25, 0.5))]
