# 180,000 iterations with steps at 120,000 and 160,000, as in Soft Teacher; with the runtime. The rate
# is for 8 labeled and 32 unlabeled images.
_base_ = '../default_runtime.py'

iterations = 180000
lr = 0.01

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations // 36)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=0.0001))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        milestones=[iterations * 2 // 3, iterations * 8 // 9],
        gamma=0.1)]
default_hooks = dict(checkpoint=dict(interval=iterations // 36))
gallery = dict(type='GalleryHook', interval=iterations // 36)
