# Soft Mean Teacher on slices of ACDC (256x256, four classes), as SSL4MIS trains it: a weight of 0.1
# with a sigmoid ramp. Ours rises after a burn-in: consistency from the first iteration can collapse.
_base_ = [
    '../_base_/models/unet_2d.py', '../_base_/datasets/acdc_semi.py',
    '../_base_/schedules/acdc_seg.py'
]

model = dict(
    type='TeacherStudentSegmentor',
    segmentor=_base_.segmentor,
    unsup_weight=0.0,  # no hard pseudo labels
    burn_in=_base_.iterations // 30)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.99, schedule='mean'),
    dict(type='ConsistencyHook', weight=0.1, ramp_length=_base_.iterations)]

train_cfg = dict(val_interval=max(_base_.iterations // 40, 1))
default_hooks = dict(checkpoint=dict(interval=max(_base_.iterations // 40, 1)))
