# Cascade R-CNN as student and teacher, its stages judging the pseudo boxes, on VOC07 (labeled) and VOC12 (unlabeled).
_base_ = [
    './_method.py', '../_base_/models/cascade-rcnn_r50_voc.py',
    '../_base_/datasets/voc07_voc12_semi.py', '../_base_/schedules/voc_40k.py'
]

model = dict(type='TeacherStudentDetector', detector=_base_.detector, unsup_weight=2.0)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
