# Dual mean teachers for detection: two Faster R-CNN on VOC07 (labeled) and VOC12 (unlabeled).
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
    auxiliary=dict(second=detector),
    auxiliary_teachers=['second'],
    burn_in=_base_.iterations // 10)
custom_hooks = [
    dict(type='TeacherEMAHook', momentum=0.999, schedule='mean'),
    dict(type='DualTeacherHook', network='second', score=0.6, agreement=0.0, iou=0.6)]
