# A shape prior for slices of ACDC: 10,000 iterations in which the student learns the labels and the
# auto-encoder their shapes, then 8,000 of weighted consistency.
_base_ = [
    '../_base_/models/unet_2d.py', '../_base_/datasets/acdc_semi.py',
    '../_base_/default_runtime.py'
]
default_scope = 'mmseg'
burn_in = 10000
iterations = burn_in + 8000

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    unsup_weight=0.0,  # no hard pseudo labels
    burn_in=burn_in,
    auxiliary=dict(
        shape_prior=dict(
            type='LabelAutoEncoder',
            num_classes=_base_.num_classes,
            size=(128, 128),
            embedding=512)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99),
    dict(type='ShapePriorHook', gamma=1.0, weight=0.1, ramp_length=8000),
    dict(type='GalleryHook', interval=max(iterations // 18, 1))]

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 18, 1))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=10))
param_scheduler = [
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=iterations, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 18, 1)))
