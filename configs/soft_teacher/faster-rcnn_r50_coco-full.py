# Soft Teacher for Faster R-CNN on all of COCO, with unlabeled2017 besides: 1:1, 720,000 iterations.
_base_ = [
    './_method.py', '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_full_semi.py',
    '../_base_/schedules/coco_180k.py'
]
iterations = 720000
batch = (4, 4)
total_batch = (32, 32)

model = dict(
    type='TeacherStudentDetector', detector=_base_.detector, unsup_weight=2.0, crowd='background')
custom_hooks = [*_base_.custom_hooks, dict(type='GalleryHook', interval=iterations // 72)]

train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
train_cfg = dict(max_iters=iterations, val_interval=iterations // 72)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        milestones=[iterations * 2 // 3, iterations * 8 // 9],
        gamma=0.1)]
default_hooks = dict(checkpoint=dict(interval=iterations // 72))
