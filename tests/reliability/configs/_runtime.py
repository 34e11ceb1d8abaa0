_base_ = ['../../../configs/_base_/default_runtime.py']
custom_imports = dict(imports=['ssdet', 'tests.reliability.faults'])
default_hooks = dict(
    logger=dict(interval=2),
    metrics=dict(interval=1),
    checkpoint=dict(interval=3, max_keep_ckpts=2))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9),
    dict(type='FixedThresholdHook', score=0.01),
    dict(type='FaultHook')
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=10, val_interval=5)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9),
    clip_grad=dict(max_norm=5.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=6)
]
