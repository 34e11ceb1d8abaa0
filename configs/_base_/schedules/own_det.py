# For own data, detection: cosine decay of SGD, whatever the length; with the runtime. `ssdet init`
# sets the length and the rate for your data.
_base_ = '../default_runtime.py'
iterations = 12000
lr = 0.0025  # for 2 labeled images per iteration, in all processes together

train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 12, 1))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=0.0001),
    clip_grad=dict(max_norm=10))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=iterations, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 12, 1)))
# --auto-scale-lr follows the total number of images per iteration.
auto_scale_lr = dict(enable=False, base_batch_size=4)
