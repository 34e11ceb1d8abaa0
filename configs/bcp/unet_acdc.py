# BCP on slices of ACDC (256x256, four classes): 10,000 iterations of copy-paste between labeled
# slices, then 30,000 between labeled and unlabeled ones, at a constant learning rate.
_base_ = [
    '../_base_/models/unet_2d.py', '../_base_/datasets/acdc_semi.py',
    '../_base_/default_runtime.py'
]
default_scope = 'mmseg'
iterations = 40000
burn_in = 10000
alpha = 0.5  # weight of the pseudo labels beside the annotations

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    # The paper adds up the losses of the parts of a mixture: two annotated ones in the burn-in, then
    # two annotated and two pseudo-labeled ones.
    sup_weight=2.0,
    unsup_weight=2 + 2 * alpha,
    burn_in=burn_in)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99),
    dict(type='LargestComponentHook'),
    dict(type='CopyPasteHook', mode='bidirectional', side=2 / 3, alpha=alpha),
    dict(type='GalleryHook', interval=max(iterations // 40, 1))]

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4))
param_scheduler = []
default_hooks = dict(checkpoint=dict(interval=max(iterations // 40, 1)))
