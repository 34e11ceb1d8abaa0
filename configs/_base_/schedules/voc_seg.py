# VOC segmentation: 80 passes over the unlabeled images with SGD and a polynomial decay; includes
# default_runtime.py, so that its intervals are set in one place.
_base_ = '../default_runtime.py'
default_scope = 'mmseg'
iterations = 105000  # 80 passes over 10,490 images (split 1_16 of the classic protocol), 8 at a time
lr = 0.001  # for 8 labeled and 8 unlabeled images per iteration, in all processes together
head_lr = 10.0  # factor on the learning rate of the decode head

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=head_lr))))
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 40, 1)))
# --auto-scale-lr follows the total number of images per iteration.
auto_scale_lr = dict(enable=False, base_batch_size=16)
