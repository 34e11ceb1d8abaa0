# FST, deep with three virtual steps: a step costs four passes. A config gives the
# threshold its `length`, since the share of pixels that is left out falls to 0 over the training.
method = dict(reduction='kept', joint_pass=True)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='QuantileThresholdHook', share=0.2, end=0.0, measure='entropy', per_class=False),
    dict(type='CutMixHook', prob=0.5),
    dict(type='FutureTeacherHook', steps=3, kind='deep')]
