# Equivariance under elastic and affine deformations for slices of ACDC, on labeled and unlabeled
# ones, without pseudo labels.
_base_ = [
    '../_base_/models/unet_2d.py', '../_base_/datasets/acdc_semi.py',
    '../_base_/default_runtime.py'
]
default_scope = 'mmseg'
iterations = 30000
burn_in = 6000

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    unsup_weight=0.0,  # no hard pseudo labels
    burn_in=burn_in)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99),
    dict(type='EquivarianceHook', weight=1.0, ramp_length=8000, labeled=True),
    dict(type='GalleryHook', interval=max(iterations // 30, 1))]

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 30, 1))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4))
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 30, 1)))
