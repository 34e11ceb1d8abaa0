# LabelMatch's adaptive thresholds for Faster R-CNN on VOC07 (labeled) and VOC12 (unlabeled).
_base_ = [
    '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/voc07_voc12_semi.py',
    '../_base_/schedules/voc_40k.py'
]

detector = _base_.detector
detector.roi_head.bbox_head.num_classes = 20
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=2.0,
    burn_in=4000)
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
        default=0.9),
    dict(type='GalleryHook', interval=_base_.iterations // 20)]
