# Cascade R-CNN as student and teacher, its stages judging the pseudo boxes, on VOC07 (labeled) and VOC12 (unlabeled).
_base_ = [
    '../_base_/models/cascade-rcnn_r50.py', '../_base_/datasets/voc07_voc12_semi.py',
    '../_base_/schedules/voc_40k.py'
]

detector = _base_.detector
for head in detector.roi_head.bbox_head:
    head.num_classes = 20
model = dict(
    _delete_=True,
    type='TeacherStudentDetector',
    detector=detector,
    unsup_weight=2.0)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    # The scores are means over three stages, and lower than those of Faster R-CNN.
    dict(type='FixedThresholdHook', score=0.5, cls=0.8, rpn=0.8),
    dict(type='StageAgreementHook', threshold=0.8),
    dict(type='BackgroundScoreHook'),
    dict(type='GalleryHook', interval=_base_.iterations // 20)]
