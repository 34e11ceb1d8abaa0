# FixMatch with a mean teacher and CutMix: 1/2 (L_x + L_s), labeled and strong images in one pass.
method = dict(sup_weight=0.5, unsup_weight=0.5, joint_pass=True)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.996, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='CutMixHook', prob=0.5)]
