# LabelMatch's adaptive thresholds for Faster R-CNN on 10 % of COCO (percent = 1, 2, 5 for less).
_base_ = [
    './_method.py', '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]
batch = (2, 2)
total_batch = (16, 16)
iterations = 160000

model = dict(
    type='TeacherStudentDetector', detector=_base_.detector, burn_in=10000, **_base_.method)
custom_hooks = [*_base_.custom_hooks, dict(type='GalleryHook', interval=iterations // 32)]

train_dataloader = dict(batch_size=sum(batch), sampler=dict(batch=batch))
train_cfg = dict(max_iters=iterations, val_interval=iterations // 32)
optim_wrapper = dict(optimizer=dict(lr=0.02))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500)]
default_hooks = dict(checkpoint=dict(interval=iterations // 32))
