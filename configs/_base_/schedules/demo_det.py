# The schedule of the demos for detection; the first part trains on labeled images only. With
# the runtime.
_base_ = '../default_runtime.py'
iterations = 1000
burn_in = 400
train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=10))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=iterations, eta_min=0)
]
default_hooks = dict(
    logger=dict(interval=20),
    metrics=dict(interval=20),
    checkpoint=dict(interval=iterations // 2))
