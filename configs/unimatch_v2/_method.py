# UniMatch V2: two strong views, and channels that are dropped in one of them alone.
method = dict(sup_weight=0.5, unsup_weight=0.5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.996, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='CutMixHook', prob=0.5),
    dict(type='ComplementaryDropoutHook', intact=0.5, share_across_stages=True)]
