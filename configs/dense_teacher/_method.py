# Dense Teacher for FCOS on COCO: a quality that is an IoU, and the views of Unbiased Teacher. A config says
# how long it learns, and how much the classes weigh.
_base_ = [
    '../_base_/models/fcos_r50.py', '../_base_/datasets/same_geometry.py',
    '../_base_/datasets/coco_semi.py', '../_base_/schedules/coco_180k.py'
]
detector = _base_.detector
detector.bbox_head.type = 'IoUFCOSHead'
ema = dict(type='TeacherEMAHook', momentum=0.9996)

sizes = [(1333, side) for side in range(640, 801, 32)]
geometry = [dict(type='RandomChoiceResize', scales=sizes, keep_ratio=True), _base_.flip]
labeled_images = _base_.labeled_images
labeled_images.pipeline = [
    dict(shared=[_base_.load, _base_.labels, *geometry], **_base_.labeled_views)]
other_images = _base_.other_images
other_images.pipeline = [
    dict(shared=[_base_.load, _base_.no_labels, *geometry], **_base_.unlabeled_views)]
optim_wrapper = dict(clip_grad=dict(type='value', clip_value=1.0))
# The rate is never lowered.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000)]
