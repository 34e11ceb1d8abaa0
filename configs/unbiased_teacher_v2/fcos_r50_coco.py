# Unbiased Teacher v2 for FCOS on 10 % of COCO. Beside percent=..., 1 % has burn_in=10000 weight=3.0, 2 % 15000
# and 3.0, 5 % 20000 and 2.0.
_base_ = [
    '../_base_/models/fcos_r50.py', '../_base_/datasets/same_geometry.py',
    '../_base_/datasets/coco_semi.py', '../_base_/schedules/coco_180k.py'
]
batch = (2, 2)  # labeled and unlabeled images per process and iteration, of 4 processes
total_batch = (8, 8)
burn_in = 30000
weight = 2.0  # of pseudo labels for classes; with that of annotations the sum is divided by 1 + weight
box_weight = 0.2  # the same of boxes

detector = _base_.detector
head = detector.bbox_head
head.type = 'UncertainFCOSHead'
head.center_sampling = False
head.loss_cls = dict(
    type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1 / (1 + weight))
head.loss_centerness = dict(
    type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1 / (1 + weight))
head.loss_bbox.loss_weight = 1 / (1 + box_weight)
head.nll_weight = 0.05 / (1 + box_weight)
model = dict(
    type='TeacherStudentDetector', detector=detector, burn_in=burn_in, unsup_weight=weight,
    crowd='background')
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9999),
    dict(type='FixedThresholdHook', score=0.5),
    dict(
        type='ListenHook', margin=0.1, certainty=0.8,
        weight=box_weight / (1 + box_weight) / weight),
    _base_.gallery]

geometry = [_base_.resize, _base_.flip]
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
# The rate is never lowered.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000)]
