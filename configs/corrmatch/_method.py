# CorrMatch: 1/2 [1/2 L_x + 1/2 L_x^corr + 1/4 (L_s + L_kl + L_fp + L_c)] in one pass of all views.
method = dict(sup_weight=0.25, unsup_weight=0.25, joint_pass=True)
correlation = dict(type='CorrelationHead', in_channels=2048, channels=256, norm_cfg=dict(type='SyncBN'))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),  # the student labels for itself
    dict(type='CorrelationThresholdHook', start=0.85, momentum=0.999),
    dict(type='CorrelationPropagationHook', regions=128, labeled_weight=1.0, weight=0.5),
    dict(type='CutMixHook', prob=0.5),
    dict(type='FeaturePerturbationHook', prob=0.5, share=0.5, shared=True),
    dict(type='ConsistencyHook', weight=0.25, distance='kl', skip=['unsup_student_features'])]
