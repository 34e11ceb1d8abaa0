# Quickstart, detection: find the digits 0, 1 and 2 with 20 labeled and 580 unlabeled scenes.
_base_ = [
    '../_base_/models/gfl_r18_tiny.py', '../_base_/datasets/digits_det.py',
    '../_base_/default_runtime.py'
]
iterations = 1000

model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    burn_in=iterations * 2 // 5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.995, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.4),
    dict(type='GalleryHook', interval=iterations // 4)
]

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations // 4)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=10))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=iterations, eta_min=0)
]
default_hooks = dict(
    logger=dict(interval=20), metrics=dict(interval=20), checkpoint=dict(interval=iterations // 4))
