# The schedule of the protocols of label efficiency for detectors from scratch on small photographs.
_base_ = '../default_runtime.py'
iterations = 1200
burn_in = 800  # before them, the same for all
lr = 1e-3
precision = 'AmpOptimWrapper'  # bfloat16 where the CPU has it; 'OptimWrapper': float32

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 2, 1))
optim_wrapper = dict(
    type=precision,
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.05),
    clip_grad=dict(max_norm=10))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=iterations, eta_min=lr * 0.05)]
default_hooks = dict(
    logger=dict(interval=20),
    metrics=dict(interval=20),
    checkpoint=dict(interval=max(iterations // 2, 1)))
