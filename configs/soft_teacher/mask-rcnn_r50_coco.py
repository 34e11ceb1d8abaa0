# Soft Teacher for Mask R-CNN on 10 % of COCO: pseudo masks are learned where pseudo boxes are.
_base_ = [
    './_method.py', '../_base_/models/mask-rcnn_r50.py', '../_base_/datasets/coco_inst_semi.py',
    '../_base_/schedules/coco_180k.py'
]

model = dict(type='TeacherStudentDetector', detector=_base_.detector, unsup_weight=4.0)
custom_hooks = [*_base_.custom_hooks, _base_.gallery]
