# 40,000 iterations for VOC07 -> VOC12, with steps at 2/3 and 8/9 as for COCO; with the runtime. Our
# default, not a paper's; the rate is for 8 labeled and 8 unlabeled images.
_base_ = '../default_runtime.py'

iterations = 40000
lr = 0.01

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations // 20)
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
default_hooks = dict(checkpoint=dict(interval=iterations // 20))
gallery = dict(type='GalleryHook', interval=iterations // 20)
