# LabelMatch: adaptive thresholds, self-assignment of uncertain boxes, its views, its schedule and its detector, whatever the data: a
# ResNet-50 of torchvision whose batch norm keeps its statistics, and boxes that do not know classes.
_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py', '../_base_/datasets/strong_pixels.py',
    '../_base_/schedules/coco_180k.py'
]
iterations = 160000

detector = _base_.model
detector.roi_head.bbox_head.reg_class_agnostic = True
detector.test_cfg.rcnn.score_thr = 0.001
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    burn_in=10000,  # in place of the checkpoint that the paper starts from
    unsup_weight=2.0,
    crowd='background')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.996),
    dict(
        type='LabelDistributionThresholdHook',
        reliable=0.2,
        uncertain=1.0,
        source='pass',
        images=10000,
        interval=1000,
        floor=0.05,
        default=0.9,
        uncertain_as='ambiguous'),
    dict(type='SelfAssignmentHook', temperature=0.5, mining=(0.8, 0.8)),
    dict(type='GalleryHook', interval=iterations // 32)]

# The weak and the strong view are of other sizes, and mirrored alike.
mirrored = dict(type='RandomFlip', prob=0.5)
many_sizes = dict(
    type='RandomResize', scale=(1024, 1024), ratio_range=(0.2, 1.8), keep_ratio=True)
pack = dict(type='PackDetInputs')
labeled_views = dict(sup=[
    dict(type='LoadAnnotations', with_bbox=True),
    many_sizes,
    mirrored,
    _base_.strong_color,
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1e-2, 1e-2)),
    pack])
unlabeled_views = dict(
    unsup_teacher=[
        dict(type='RandomResize', scale=[(1333, 500), (1333, 800)], keep_ratio=True),
        pack],
    unsup_student=[many_sizes, _base_.strong_color, *_base_.noise_patches, pack])

# The rate is never lowered.
train_cfg = dict(max_iters=iterations, val_interval=iterations // 32)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500)]
default_hooks = dict(checkpoint=dict(interval=iterations // 32))
