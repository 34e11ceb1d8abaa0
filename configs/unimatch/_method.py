# UniMatch: two strong views and a stream of perturbed features,
# 1/2 (L_x + 1/4 L_s1 + 1/4 L_s2 + 1/2 L_fp).
method = dict(sup_weight=0.5, unsup_weight=0.5, joint_pass=True)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),  # the student labels for itself
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='CutMixHook', prob=0.5),
    dict(type='FeaturePerturbationHook', prob=0.5, share=0.5, shared=True)]
