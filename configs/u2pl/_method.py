# U2PL: pixels below a percentile of the entropy learn labels; unsure ones are examples of what their
# unlikely classes are not.
u2pl = dict(reduction='kept', joint_pass=True, auxiliary_teachers=['representation'])
representation = dict(
    type='PixelProjector', in_channels=256, channels=256, convs=2, norm_cfg=dict(type='SyncBN'))
half = dict(type='CutMixHook', prob=0.5, area=(0.5, 0.5), aspect=(0.5, 2.0))
