# Guided distillation for Mask2Former on 10 % of COCO (percent = 1, 2, 5 for less). With --baseline and
# --work-dir work_dirs/guided_distillation the teacher is trained first; else give its file as teacher_file.
_base_ = [
    '../_base_/models/mask2former_r50.py', '../_base_/datasets/same_geometry.py',
    '../_base_/datasets/coco_inst_semi.py', '../_base_/schedules/coco_180k.py'
]
teacher_file = 'work_dirs/guided_distillation-baseline/checkpoints/iter_368750.pth'
guided = 50000  # iterations in which that teacher rests
iterations = 368750
interval = 5000
batch = (2, 2)  # labeled and unlabeled images per process and iteration
total_batch = (16, 16)
lr = 0.0001

model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    unsup_weight=2.0,
    crowd='background')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9996),
    dict(type='GuidedBurnInHook', length=guided, checkpoint=teacher_file),
    dict(type='QueryMaskLabelHook', min_pixels=5.0),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='GalleryHook', interval=interval)]

side = (1024, 1024)
geometry = [
    _base_.flip,
    dict(type='RandomResize', scale=side, ratio_range=(0.1, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=side, recompute_bbox=True, allow_negative_crop=True)]
labeled_images = _base_.labeled_images
labeled_images.pipeline[0].views.sup = [
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True), *geometry,
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1e-5, 1e-5), by_mask=True),
    _base_.pack]
other_images = _base_.other_images
other_images.pipeline = [
    dict(
        type='WeakStrongViews',
        shared=[_base_.load, _base_.no_labels, *geometry],
        views=dict(
            unsup_teacher=[_base_.pack], unsup_student=[_base_.strong_color, _base_.pack]))]
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))

train_cfg = dict(max_iters=iterations, val_interval=interval)
free = dict(lr_mult=1.0, decay_mult=0.0)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=lr, weight_decay=0.05),
    clip_grad=dict(max_norm=0.01, norm_type=2),
    paramwise_cfg=dict(
        custom_keys=dict(
            backbone=dict(lr_mult=0.1), query_embed=free, query_feat=free, level_embed=free),
        norm_decay_mult=0.0))
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=False, milestones=[327778, 355092], gamma=0.1)]
default_hooks = dict(checkpoint=dict(interval=interval))
