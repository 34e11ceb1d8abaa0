# Unbiased Teacher for Faster R-CNN on VOC07 (labeled) and VOC12 (unlabeled).
_base_ = [
    './_method.py', '../_base_/models/faster-rcnn_r50_voc.py',
    '../_base_/datasets/voc07_voc12_semi.py', '../_base_/schedules/coco_180k.py'
]
batch = (2, 2)  # labeled and unlabeled images per process and iteration
total_batch = (16, 16)

detector = _base_.detector
detector.train_cfg.rpn.sampler.pos_fraction = 0.25
detector.roi_head.bbox_head.loss_cls = _base_.focal
model = dict(
    type='TeacherStudentDetector', detector=detector, burn_in=30000, unsup_weight=2.0)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
custom_hooks[0].momentum = 0.999

sizes = [(1333, side) for side in range(480, 801, 32)]
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
test_resize = dict(type='Resize', scale=(1333, 600), keep_ratio=True)
val_dataloader = dict(
    dataset=dict(pipeline=[_base_.load, test_resize, *_base_.test_end]))
test_dataloader = val_dataloader
param_scheduler = _base_.constant_rate
