# Dual mean teachers for detection: two Faster R-CNN on COCO with 10 % of the labels (unless told
# otherwise: --cfg-options percent=5).
_base_ = [
    './_boxes.py', '../_base_/models/faster-rcnn_r50.py', '../_base_/datasets/coco_semi.py',
    '../_base_/schedules/coco_180k.py'
]

model = dict(
    type='TeacherStudentDetector',
    detector=_base_.detector,
    auxiliary=dict(second=_base_.detector),
    burn_in=_base_.iterations // 20,
    **_base_.method)
