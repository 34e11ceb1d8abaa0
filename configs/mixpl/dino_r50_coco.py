# MixPL for DINO on 10 % of COCO (percent = 1, 2, 5 for less): 90,000 iterations at one rate.
_base_ = [
    './_method.py', '../_base_/models/dino_r50.py', '../_base_/datasets/coco_semi_unerased.py',
    '../_base_/schedules/flat_180k.py'
]
iterations = 90000
lr = 0.0001

model = dict(type='TeacherStudentDetector', detector=_base_.detector, **_base_.method)
custom_hooks = [*_base_.custom_hooks, dict(type='GalleryHook', interval=iterations // 18)]
custom_hooks[1].score = 0.4

train_cfg = dict(max_iters=iterations, val_interval=iterations // 18)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=lr, weight_decay=0.0001),
    clip_grad=dict(max_norm=0.1, norm_type=2),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
param_scheduler = []  # no warm-up either
default_hooks = dict(checkpoint=dict(interval=iterations // 18))
