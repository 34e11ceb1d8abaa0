# Mean Teacher for RetinaNet on your own data; see configs/_base_/datasets/own_det.py for what to
# set. The backbone starts from ImageNet weights (downloaded by MMEngine; or a file of yours in
# detector.backbone.init_cfg.checkpoint).
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py', '../_base_/datasets/own_det.py',
    '../_base_/default_runtime.py'
]
iterations = 12000
lr = 0.0025  # for 2 labelled images per iteration, in all processes together
momentum = 0.999  # of the teacher

detector = _base_.model
detector.bbox_head.num_classes = len(_base_.classes)
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=1.0,
    burn_in=iterations // 4)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=momentum, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5),
    dict(type='GalleryHook', interval=max(iterations // 8, 1))]

train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=max(iterations // 12, 1))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=0.0001),
    clip_grad=dict(max_norm=10))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=iterations, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=max(iterations // 12, 1)))
# --auto-scale-lr follows the total number of images per iteration.
auto_scale_lr = dict(enable=False, base_batch_size=4)
