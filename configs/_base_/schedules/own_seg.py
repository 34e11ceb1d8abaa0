# For own data, segmentation: polynomial decay of SGD, whatever the length; with the runtime.
# `ssdet init` sets the length and the rate for your data.
_base_ = '../default_runtime.py'
default_scope = 'mmseg'
iterations = 20000
lr = 0.005  # for 2 labeled images per iteration, in all processes together

train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 10, 1))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=0.0001),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))))
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=1e-5)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 10, 1)))
