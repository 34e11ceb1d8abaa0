# Quickstart, segmentation: find the digits 0 and 3 in clutter with 8 labeled and 592 unlabeled
# scenes. The strokes are thin, so the teacher is never very sure of them: with a high threshold more
# of the background passes than of the digits. Annotated digits that are pasted in keep the balance.
_base_ = [
    '../_base_/models/deeplabv3plus_r18_tiny.py', '../_base_/datasets/digits_seg.py',
    '../_base_/default_runtime.py'
]
default_scope = 'mmseg'
iterations = 1000

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    burn_in=iterations * 2 // 5)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.6),
    dict(type='ClassMixHook', source='labeled'),
    dict(type='GalleryHook', interval=iterations // 4)
]

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations // 4)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1.5e-2, weight_decay=0.01),
    clip_grad=dict(max_norm=10))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=0)
]
default_hooks = dict(
    logger=dict(interval=20), metrics=dict(interval=20), checkpoint=dict(interval=iterations // 4))
