# The schedule of the demos whose detectors learn slowly from random weights.
_base_ = './demo_det.py'
iterations = 2000
burn_in = 1000
train_cfg = dict(max_iters=iterations, val_interval=iterations)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=iterations, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=iterations // 2))
