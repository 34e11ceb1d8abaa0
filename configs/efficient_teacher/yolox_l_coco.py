# Efficient Teacher for YOLOX-L on 10 % of COCO: 220 passes over the labeled images, then 80 over the others. The
# paper trains YOLOv5-L. For another `percent`, give iterations and burn_in, too.
_base_ = [
    '../_base_/models/yolox_l.py', '../_base_/datasets/coco_semi.py',
    '../_base_/default_runtime.py'
]
batch = (4, 4)  # labeled and unlabeled images per process and iteration
total_batch = (64, 64)  # of two iterations, whose gradients add up
burn_in = 220 * 370
iterations = burn_in + 80 * 3327
lr = 0.01

model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    unsup_weight=3.0,
    burn_in=burn_in,
    copy_after_burn_in=False,
    joint_pass=True,
    auxiliary=dict(domains=dict(type='DomainClassifier', in_channels=(256, 256, 256))))
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9999, schedule='mean', interval=1),
    dict(type='AdaptiveAssignerHook', low=0.1, high=0.6, reliable=0.6),
    dict(type='DomainAlignmentHook', weight=0.01),
    dict(type='GalleryHook', interval=3327)]

square = (640, 640)
crop = dict(type='RandomCrop', crop_size=square, allow_negative_crop=True)
colors = dict(type='YOLOXHSVRandomAug')
resize = dict(type='RandomResize', scale=square, ratio_range=(0.1, 1.9), keep_ratio=True)
strong_resize = dict(resize, ratio_range=(0.2, 1.8))
test_resize = dict(type='Resize', scale=square, keep_ratio=True)
labeled_images = _base_.labeled_images
labeled_images.pipeline[0].views.sup = [
    dict(type='LoadAnnotations', with_bbox=True), resize, crop, _base_.flip, colors,
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1), keep_empty=False),
    dict(type='PackDetInputs')]
other_images = _base_.other_images
other_images.pipeline[0].views = dict(
    unsup_teacher=[test_resize, dict(type='PackDetInputs')],
    unsup_student=[
        strong_resize, crop, colors,
        dict(
            type='RandomApply',
            prob=0.5,
            transforms=[dict(type='RandomErasing', n_patches=(1, 5), ratio=(0, 0.5))]),
        dict(
            type='RandomApply',
            prob=0.5,
            transforms=[_base_.color]), _base_.flip,
        dict(type='PackDetInputs')])
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
val_dataloader = _base_.val_dataloader
val_dataloader.dataset.pipeline[1] = test_resize
test_dataloader = val_dataloader

train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=3327)
optim_wrapper = dict(
    type='OptimWrapper',
    accumulative_counts=2,
    optimizer=dict(type='SGD', lr=lr, momentum=0.937, weight_decay=0.0005, nesterov=True),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1110)]
default_hooks = dict(checkpoint=dict(interval=3327))
