# 180,000 iterations without a decay of the rate, gradients clipped, as in Consistent-Teacher and MixPL;
# with the runtime. The rate is for 8 labeled and 32 unlabeled images.
_base_ = '../default_runtime.py'

iterations = 180000
lr = 0.01

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations // 45)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=0.0001),
    clip_grad=dict(max_norm=20, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500)]
default_hooks = dict(checkpoint=dict(interval=iterations // 45))
gallery = dict(type='GalleryHook', interval=iterations // 45)
