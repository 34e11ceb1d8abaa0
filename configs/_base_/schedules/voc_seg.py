# VOC segmentation: SGD with a polynomial decay to the end of the training, whose length the data
# say; includes default_runtime.py.
_base_ = '../default_runtime.py'
default_scope = 'mmseg'
lr = 0.001  # for 8 labeled and 8 unlabeled images per iteration, in all processes together
head_lr = 10.0  # factor on the learning rate of the decode head

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=head_lr))))
param_scheduler = [dict(type='PolyLR', by_epoch=False, power=0.9, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=2000))
