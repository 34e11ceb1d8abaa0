# Dual mean teachers for detection: two Faster R-CNN on VOC07 (labeled) and VOC12 (unlabeled).
_base_ = [
    './_boxes.py', '../_base_/models/faster-rcnn_r50_voc.py',
    '../_base_/datasets/voc07_voc12_semi.py', '../_base_/schedules/voc_40k.py'
]

model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    auxiliary=dict(second=_base_.detector),
    burn_in=_base_.iterations // 10,
    **_base_.method)
