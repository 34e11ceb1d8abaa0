# FixMatch with ShrinkMatch per pixel. The settings are our defaults.
method = dict(sup_weight=0.5, unsup_weight=0.5)
# The second head: a perceptron on each pixel of the last level, a quarter as wide.
shrink_head = dict(
    type='FCNHead',
    in_channels=2048,
    in_index=3,
    channels=512,
    num_convs=2,
    kernel_size=1,
    concat_input=False,
    dropout_ratio=0,
    norm_cfg=dict(type='SyncBN'),
    align_corners=True)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.996, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.95),
    dict(type='CutMixHook', prob=0.5),
    dict(type='ShrinkMatchHook', threshold=0.95)]
