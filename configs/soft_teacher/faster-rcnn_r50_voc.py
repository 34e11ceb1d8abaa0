# Soft Teacher for Faster R-CNN on VOC07 (labeled) and VOC12 (unlabeled).
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
    unsup_weight=2.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='FixedThresholdHook', score=0.5, cls=0.9, rpn=0.9),
    dict(type='BoxJitterHook', times=10, scale=0.06, max_spread=0.02),
    dict(type='BackgroundScoreHook'),
    dict(type='GalleryHook', interval=_base_.iterations // 20)]
