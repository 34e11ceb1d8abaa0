# The schedule of the protocols of label efficiency that start from ImageNet weights: short, with a
# lower rate for the backbone, in float32.
_base_ = './label_efficiency_det.py'
iterations = 500
burn_in = 600  # before them, the same for all
lr = 2e-3
precision = 'OptimWrapper'  # 'AmpOptimWrapper': bfloat16 where the CPU has it

optim_wrapper = dict(
    type=precision,
    optimizer=dict(lr=lr),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
train_cfg = dict(max_iters=iterations, val_interval=max(iterations // 2, 1))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=iterations, eta_min=lr * 0.05)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 2, 1)))
