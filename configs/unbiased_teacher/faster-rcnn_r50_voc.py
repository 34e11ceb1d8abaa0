# Unbiased Teacher for Faster R-CNN on VOC07 (labeled) and VOC12 (unlabeled).
_base_ = [
    '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/voc07_voc12_semi.py',
    '../_base_/schedules/voc_40k.py'
]

detector = _base_.detector
detector.roi_head.bbox_head.num_classes = 20
detector.train_cfg.rpn.sampler.pos_fraction = 0.25
detector.roi_head.bbox_head.loss_cls = dict(type='SoftmaxFocalLoss', gamma=1.5)
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=4.0,
    burn_in=_base_.iterations // 8)  # our default
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.9996),
    dict(type='FixedThresholdHook', score=0.7),
    dict(type='TaskWeightHook', box=0.0),
    dict(type='GalleryHook', interval=_base_.iterations // 20)]
