# Unbiased Teacher for Faster R-CNN on 10 % of COCO (percent = 1, 2, 5 for less).
_base_ = [
    './_method.py', '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]
batch = (4, 4)  # labeled and unlabeled images per process and iteration
total_batch = (32, 32)

detector = _base_.detector
detector.train_cfg.rpn.sampler.pos_fraction = 0.25
detector.roi_head.bbox_head.loss_cls = _base_.focal
model = dict(
    type='TeacherStudentDetector', detector=detector, burn_in=2000, unsup_weight=4.0,
    crowd='background')
custom_hooks = [*_base_.custom_hooks, _base_.gallery]

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
param_scheduler = _base_.constant_rate
