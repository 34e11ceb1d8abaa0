# DDFP: half of the unsupervised weight for the strong view, half for its features, moved to where a
# normalizing flow finds few others.
ddfp = dict(unsup_weight=1.0, reduction='kept', joint_pass=True)
flow = dict(type='FeatureFlow', dim=256, blocks=2, hidden=256, clamp=2.0)
norms = dict(type='SecondNorms', channels=[256, 256], norm_cfg=dict(type='SyncBN'))
half = dict(type='CutMixHook', prob=0.5, area=(0.5, 0.5), aspect=(0.5, 2.0))
descent = dict(type='DensityDescentHook', length=4.0, share=0.5, samples=20480, noise=0.05)
