# 30,000 iterations of SGD with a polynomial decay for slices of ACDC; with the runtime.
_base_ = '../default_runtime.py'
default_scope = 'mmseg'
iterations = 30000

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 30, 1))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4))
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 30, 1)))
gallery = dict(type='GalleryHook', interval=max(iterations // 30, 1))
