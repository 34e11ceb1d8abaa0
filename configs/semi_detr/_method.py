# Semi-DETR: its hooks, its detector, its sizes and its schedule, whatever the data.
_base_ = ['../_base_/models/dino_r50.py', '../_base_/schedules/flat_180k.py']
iterations = 120000
lr = 0.0001

detector = _base_.detector
detector.bbox_head.loss_cls.loss_weight = 2.0
detector.dn_cfg.box_noise_scale = 0.4
method = dict(
    unsup_weight=4.0,
    crowd='background',
    auxiliary=dict(query_projector=dict(type='QueryProjector', channels=256)))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='CostMiningHook', score=0.4),
    dict(type='HybridMatchingHook', switch=iterations // 2),
    dict(type='CrossViewQueryHook', until=iterations // 2),
    dict(type='GalleryHook', interval=iterations // 30)]

sizes = dict(
    type='RandomChoiceResize',
    scales=[(1333, side) for side in range(480, 801, 32)],
    keep_ratio=True)

train_cfg = dict(max_iters=iterations, val_interval=iterations // 30)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=lr, weight_decay=0.0001),
    clip_grad=dict(max_norm=0.1, norm_type=2),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
param_scheduler = []  # no warm-up, and no decay within the length
default_hooks = dict(checkpoint=dict(interval=iterations // 30))
