# Consistent-Teacher for RetinaNet on all of COCO, with unlabeled2017 besides: 720,000 iterations.
_base_ = [
    './_method.py', '../_base_/models/retinanet_r50_fam3d.py',
    '../_base_/datasets/coco_full_semi.py', '../_base_/schedules/flat_180k.py'
]
iterations = 720000
warm_up = 10000

detector = _base_.detector
detector.backbone.norm_cfg.requires_grad = False
detector.train_cfg.assigner.iou_weight = 3.0
model = dict(
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=2.0,
    unsup_ramp=dict(length=warm_up, kind='step'),
    crowd='background')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9998, schedule='mean'),
    *_base_.custom_hooks[1:],
    dict(type='GalleryHook', interval=iterations // 72)]

train_cfg = dict(max_iters=iterations, val_interval=iterations // 72)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        milestones=[iterations * 2 // 3, iterations * 8 // 9],
        gamma=0.1)]
default_hooks = dict(checkpoint=dict(interval=iterations // 72))
