# ARSL for FCOS on 10 % of COCO (percent = 1, 2, 5 for less).
_base_ = [
    '../_base_/models/fcos_r50.py', '../_base_/datasets/same_geometry.py',
    '../_base_/datasets/coco_semi.py', '../_base_/schedules/coco_180k.py'
]
iterations = 360000
batch = (4, 4)  # labeled and unlabeled images per process and iteration
total_batch = (32, 32)
lr = 0.02

detector = _base_.detector
detector.bbox_head.type = 'JointConfidenceFCOSHead'
detector.backbone.style = 'pytorch'
detector.backbone.init_cfg.checkpoint = 'torchvision://resnet50'
detector.data_preprocessor = dict(
    type='DetDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_size_divisor=32)
detector.test_cfg.score_thr = 0.025
model = dict(
    type='TeacherStudentDetector', detector=detector,
    unsup_ramp=dict(length=2000, kind='linear'), crowd='background')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9996), dict(type='TaskSeparationHook'),
    dict(type='GalleryHook', interval=iterations // 36)]

sizes = [(1333, side) for side in range(640, 801, 32)]
geometry = [dict(type='RandomChoiceResize', scales=sizes, keep_ratio=True), _base_.flip]
labeled_images = _base_.labeled_images
labeled_images.pipeline = [
    dict(shared=[_base_.load, _base_.labels, *geometry], **_base_.labeled_views)]
other_images = _base_.other_images
other_images.pipeline = [
    dict(shared=[_base_.load, _base_.no_labels, *geometry], **_base_.unlabeled_views)]
train_dataloader = dict(
    batch_size=sum(batch),
    sampler=dict(batch=batch),
    dataset=dict(datasets=[labeled_images, other_images]))
train_cfg = dict(max_iters=iterations, val_interval=iterations // 36)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, by_epoch=False, begin=0, end=1000)]
default_hooks = dict(checkpoint=dict(interval=iterations // 36))
