# Soft Mean Teacher on slices of ACDC (256x256, four classes), as SSL4MIS trains it: a weight of 0.1
# with a sigmoid ramp. Ours rises after a burn-in: consistency from the first iteration can collapse.
_base_ = [
    '../_base_/models/unet_2d.py', '../_base_/datasets/acdc_semi.py',
    '../_base_/default_runtime.py'
]
default_scope = 'mmseg'
iterations = 30000

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    unsup_weight=0.0,  # no hard pseudo labels
    burn_in=iterations // 30)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='ConsistencyHook', weight=0.1, ramp_length=iterations)]

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 40, 1))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4))
param_scheduler = [
    dict(type='PolyLR', by_epoch=False, begin=0, end=iterations, power=0.9, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 40, 1)))
