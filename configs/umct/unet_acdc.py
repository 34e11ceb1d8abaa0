# UMCT in 2D on slices of ACDC: three U-Nets that see a slice in three orientations and teach each
# other; uncertainty from passes with dropout. 5,000 iterations on labeled images only, then
# 15,000 together.
_base_ = [
    '../_base_/models/unet_2d.py', '../_base_/datasets/acdc_semi.py',
    '../_base_/default_runtime.py'
]
default_scope = 'mmseg'
iterations = 20000
burn_in = 5000

segmentor = _base_.segmentor
segmentor.decode_head.dropout_ratio = 0.1
model = dict(
    type='TeacherStudentSegmentor',
    segmentor=segmentor,
    auxiliary=dict(second=segmentor, third=segmentor),
    unsup_weight=0.2,
    predict_with='student',
    burn_in=burn_in)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.0),
    dict(type='UncertaintyFusionHook', views=('identity', 'rot90', 'rot180'),
         networks=('second', 'third'), exclude_self=True, passes=8)]

val_cfg = dict(models=['student'])  # the teacher is its copy
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4))
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 40, 1)))
